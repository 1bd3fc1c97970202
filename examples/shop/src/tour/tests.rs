use std::collections::BTreeSet;

use serde_json::Value;

use super::{Answer, Expect, STEPS, Step, Walk, events, quoted};

fn answer(status: u16, content_type: &str, body: &str) -> Answer {
    Answer {
        status,
        headers: vec![("content-type".to_owned(), content_type.to_owned())],
        body: body.as_bytes().to_vec(),
    }
}

fn json(body: &str) -> Answer {
    answer(200, "application/json", body)
}

fn step(expect: Expect) -> Step {
    Step { path: "/p", expect, ..STEPS[0] }
}

fn problem(walk: &mut Walk, expect: Expect, answer: &Answer) -> Option<String> {
    walk.check(&step(expect), answer).err().map(|mismatch| mismatch.difference)
}

/// What a perfect gateway would answer: what is expected, with something for each placeholder.
fn perfect(step: &Step) -> Answer {
    let body = step.expect.to_string().replace("{{*}}", "x").replace("{{time}}", "2026-01-05T09:00:00Z");
    let body = body.replace("\"{{", "\"").replace("}}\"", "\"");
    let mut answer = answer(step.status, step.expect.content_type(), &body);
    for (name, value) in step.expect_headers {
        answer.headers.push(((*name).to_owned(), value.replace("{{*}}", "x")));
    }
    answer
}

#[test]
fn a_perfect_gateway_passes_the_tour_and_each_step_would_fail_another_status() {
    let mut walk = Walk::default();
    for step in STEPS {
        let _ready_to_send = walk.request(step);
        let perfect = perfect(step);
        let other = Answer { status: 418, ..perfect.clone() };
        assert_ne!(walk.clone().check(step, &other), Ok(()), "{}", step.title);
        let empty = Answer { body: Vec::new(), ..perfect.clone() };
        assert_ne!(walk.clone().check(step, &empty), Ok(()), "{}", step.title);
        assert_eq!(walk.check(step, &perfect), Ok(()), "{}", step.title);
    }
}

#[test]
fn titles_are_unique_and_five_steps_are_for_the_readme() {
    let titles: BTreeSet<&str> = STEPS.iter().map(|step| step.title).collect();
    assert_eq!(titles.len(), STEPS.len());
    assert_eq!(STEPS.iter().filter(|step| step.readme).count(), 5);
    for step in STEPS.iter().filter(|step| step.readme) {
        assert!(!format!("{}{:?}{}", step.path, step.body, step.expect).contains("{{"), "{}", step.title);
    }
}

#[test]
fn steps_as_curl_commands() {
    let mut commands = STEPS.iter().filter(|step| step.readme).map(|step| step.curl("http://127.0.0.1:8080"));
    let mut next = || commands.next().unwrap();
    assert_eq!(next(), "curl -s http://127.0.0.1:8080/v1/customers/ada");
    assert_eq!(
        next(),
        "curl -s -H 'content-type: application/json' \
         -d '{\"customer\":\"customers/ada\",\"items\":[{\"sku\":\"mugs/tide\",\"quantity\":2}]}' \
         'http://127.0.0.1:8080/v1/tenants/acme/orders?validateOnly=true'"
    );
    assert_eq!(
        next(),
        "curl -s -H 'accept: application/x-ndjson' http://127.0.0.1:8080/v1/tenants/globex/orders:export"
    );
    assert_eq!(next(), "curl -s http://127.0.0.1:8080/s/docs");
    assert_eq!(next(), "curl -s -X POST http://127.0.0.1:8080/v1/orders/1:cancel");
    assert_eq!(quoted("it's"), r"'it'\''s'");
}

#[test]
fn values_are_compared_whole() {
    let mut walk = Walk::default();
    let expect = Expect::Json(r#"{"a":[1,{"b":"x"}],"c":null}"#);
    for (body, difference) in [
        (r#"{"c":null,"a":[1,{"b":"x"}]}"#, None),
        (r#"{"a":[1,{"b":"y"}],"c":null}"#, Some(r#"$.a[1].b is "y" instead of "x""#)),
        (r#"{"a":[1],"c":null}"#, Some("$.a has 1 elements instead of 2")),
        (r#"{"a":[1,{"b":"x","d":2}],"c":null}"#, Some("$.a[1].d should not be there: 2")),
        (r#"{"a":[1,{"b":"x"}]}"#, Some("$.c is missing")),
        (r#"{"a":[1,{"b":"x"}],"c":0}"#, Some("$.c is 0 instead of null")),
        (r#"{"a":["1",{"b":"x"}],"c":null}"#, Some(r#"$.a[0] is "1" instead of 1"#)),
    ] {
        assert_eq!(problem(&mut walk, expect, &json(body)).as_deref(), difference, "{body}");
    }
    let open = Expect::Json(r#"{"a":1,"...":""}"#);
    assert_eq!(problem(&mut walk, open, &json(r#"{"a":1,"b":2}"#)), None);
    assert_eq!(problem(&mut walk, open, &json(r#"{"b":2}"#)).as_deref(), Some("$.a is missing"));
}

#[test]
fn placeholders_capture_once_and_compare_from_then_on() {
    let mut walk = Walk::default();
    let expect = Expect::Json(r#"{"id":"{{order}}","at":"{{time}}","note":"{{*}}"}"#);
    let body = |id: &str, at: &str| json(&format!(r#"{{"id":"{id}","at":"{at}","note":"any"}}"#));
    assert_eq!(problem(&mut walk, expect, &body("7", "2026-01-05T09:00:00.000001Z")), None);
    assert_eq!(
        problem(&mut walk, expect, &body("8", "2026-01-05T09:00:00Z")).as_deref(),
        Some(r#"$.id is "8" instead of "7""#)
    );
    assert_eq!(
        problem(&mut walk, expect, &body("7", "yesterday")).as_deref(),
        Some(r#"$.at is "yesterday", not a time in UTC"#)
    );
    let step = Step { path: "/o/{{order}}:pay", body: Some(r#"{"o":"{{order}}"}"#), ..STEPS[0] };
    let request = walk.request(&step);
    assert_eq!((request.path.as_str(), request.body.as_deref()), ("/o/7:pay", Some(r#"{"o":"7"}"#)));
    assert_eq!(request.headers, [("content-type", "application/json")]);
}

#[test]
fn a_body_in_the_wrong_framing_is_a_difference() {
    let mut walk = Walk::default();
    let lines = Expect::Lines(&["1", "2"]);
    let ndjson = |body: &str| answer(200, "application/x-ndjson", body);
    assert_eq!(problem(&mut walk, lines, &ndjson("1\n2\n")), None);
    for (answer, difference) in [
        (ndjson("1\n2"), "2 lines instead of 2: 1\n2"),
        (ndjson("1\n"), "1 lines instead of 2: 1\n"),
        (ndjson("1\n3\n"), "line 2 is 3 instead of 2"),
        (json("1\n2\n"), r#"header content-type is ["application/json"] instead of "application/x-ndjson""#),
    ] {
        assert_eq!(problem(&mut walk, lines, &answer).as_deref(), Some(difference));
    }
    let expect = Expect::Events(&[("message", "1"), ("error", "2")]);
    let sse = |body: &str| answer(200, "text/event-stream", body);
    assert_eq!(problem(&mut walk, expect, &sse("data: 1\n\nevent: error\ndata: 2\n\n")), None);
    let cut = sse("data: 1\n\nevent: error\ndata: 2\n");
    assert_eq!(
        problem(&mut walk, expect, &cut).as_deref(),
        Some("events [\"message\"] instead of [\"message\", \"error\"]: data: 1\n\nevent: error\ndata: 2\n")
    );
}

#[test]
fn events_are_read_as_the_standard_says() {
    let body = ": keep-alive\nid: 1\ndata: {\ndata:  \"a\":1}\n\nretry: 5\n\nevent: error\ndata:x\n\ndata: cut off";
    let expected = [("message", "{\n \"a\":1}"), ("error", "x")];
    let expected = expected.map(|(name, data)| (name.to_owned(), data.to_owned()));
    assert_eq!(events(body), expected);
}

#[test]
fn every_expected_body_is_json() {
    for step in STEPS {
        let bodies: Vec<&str> = match step.expect {
            Expect::Json(body) => vec![body],
            Expect::Lines(lines) => lines.to_vec(),
            Expect::Events(events) => events.iter().map(|(_, data)| *data).collect(),
        };
        for body in bodies {
            assert!(serde_json::from_str::<Value>(body).is_ok(), "{}: {body}", step.title);
        }
    }
}
