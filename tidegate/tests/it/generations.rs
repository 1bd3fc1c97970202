//! The admin port of `tidegate run`: what is in force, and other things put in force.
use crate::running::Running;
use crate::{CONFIG, done, folder, program};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

fn config() -> String {
    format!("{CONFIG}admin: {{ bind: 127.0.0.1:0, token: s3cret }}\n")
}

/// Other routes than [`config`].
fn other() -> String {
    config().replace("upstream: echo }", "upstream: echo, host: other.test }")
}

struct Admin {
    running: Running,
    folder: TempDir,
}

impl Admin {
    fn start() -> Self {
        let folder = folder(&[("tidegate.yaml", &config())]);
        let running = Running::start_with(&mut program(folder.path(), &["run"]), 2);
        Self { running, folder }
    }

    fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.running.post(1, path, "authorization: Bearer s3cret\r\n", body);
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{path} answers {status} in JSON: {body}")))
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.running.get(1, &format!("{path} HTTP/1.1\r\nauthorization: Bearer s3cret\r\nx-rest:"));
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        serde_json::from_str(body).expect("JSON")
    }

    /// Numbers and origins of the generations, the newest first.
    fn generations(&self) -> Vec<(u64, String)> {
        let shown = self.get("/api/v1/config");
        let one = |one: &Value| {
            (one["generation"].as_u64().expect("a number"), one["origin"].as_str().expect("text").to_owned())
        };
        shown["generations"].as_array().expect("a list").iter().map(one).collect()
    }

    /// Where the one path is served.
    fn hosts(&self) -> Vec<Value> {
        self.get("/api/v1/routes")["routes"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|route| route["host"].clone())
            .collect()
    }
}

#[test]
fn a_config_is_applied_and_rolled_back() {
    let admin = Admin::start();
    let (status, answer) = admin.post("/api/v1/config:apply", &other());
    assert_eq!((status, &answer["generation"], &answer["inForce"]["origin"]), (200, &json!(2), &json!("admin API")));
    assert_eq!(admin.hosts(), ["other.test", "other.test"]);
    let (status, answer) = admin.post("/api/v1/config:rollback", r#"{"generation": 1}"#);
    assert_eq!((status, &answer["generation"]), (200, &json!(3)));
    assert_eq!(admin.hosts(), ["*", "*"]);
    let file = "file tidegate.yaml".to_owned();
    assert_eq!(admin.generations(), [(3, "generation 1".into()), (2, "admin API".into()), (1, file)]);
}

#[test]
fn what_is_wrong_is_a_status_with_a_place_for_each_error() {
    let admin = Admin::start();
    let wrong = config().replace("upstream: echo", "upstream: ecco") + "extra: 1\n";
    let expected = json!({
        "code": 3,
        "message": "the config is wrong: 2 errors",
        "details": [{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [
                { "field": "request body:5:40", "description": "unknown upstream `ecco`; did you mean `echo`?" },
                { "field": "request body:7:1", "description": "unknown key `extra`" },
            ],
        }],
    });
    for method in ["check", "apply"] {
        let (status, mut answer) = admin.post(&format!("/api/v1/config:{method}"), &wrong);
        let violations = answer["details"][0]["fieldViolations"].as_array_mut().expect("a list");
        for violation in violations.iter_mut() {
            let text = violation["description"].as_str().expect("text");
            violation["description"] = json!(text.split("; the config file has").next().unwrap_or_default());
        }
        assert_eq!((status, answer), (400, expected.clone()), "{method}");
    }
    assert_eq!(admin.generations().len(), 1);
    let refused = &admin.get("/api/v1/config")["refused"];
    assert_eq!(refused["origin"], "admin API");
}

#[test]
fn a_check_says_what_a_reload_cannot_do() {
    let admin = Admin::start();
    let (status, answer) = admin.post("/api/v1/config:check", &format!("{}workers: 7\n", other()));
    assert_eq!((status, answer), (200, json!({ "valid": true, "warnings": [], "atNextStart": ["workers"] })));
    assert_eq!(admin.generations().len(), 1);
}

#[test]
fn one_change_does_not_overtake_another() {
    let admin = Admin::start();
    assert_eq!(admin.post("/api/v1/config:apply?expect=1", &other()).0, 200);
    let (status, answer) = admin.post("/api/v1/config:apply?expect=1", &config());
    assert_eq!((status, answer), (409, json!({ "code": 10, "message": "generation 2 is in force, not 1" })));
    assert_eq!(admin.post("/api/v1/config:rollback", r#"{"generation": 9}"#).0, 404);
    assert_eq!(admin.generations().len(), 2);
}

#[test]
fn the_config_is_shown_without_its_secrets() {
    let admin = Admin::start();
    for path in ["/config_dump", "/api/v1/config/1"] {
        let shown = admin.get(path);
        assert_eq!(shown["config"]["admin"], json!({ "bind": "127.0.0.1:0", "token": "(secret)" }), "{path}");
        assert_eq!((&shown["generation"], &shown["inForce"]), (&json!(1), &json!(true)));
    }
}

#[test]
fn upstreams_are_shown_with_their_figures() {
    let admin = Admin::start();
    assert!(admin.running.get(0, "/v1/say/a").starts_with("HTTP/1.1 503 "));
    let shown = admin.get("/api/v1/upstreams");
    let echo = &shown["upstreams"][0];
    assert_eq!((&echo["name"], &echo["endpoints"][0]["address"]), (&json!("echo"), &json!("127.0.0.1:1")));
    assert_eq!((&echo["figures"]["requests"], &echo["figures"]["inFlight"]), (&json!(1), &json!(0)));
}

#[test]
fn the_log_level_is_changed_while_it_runs() {
    let admin = Admin::start();
    assert_eq!(admin.get("/api/v1/log-level"), json!({ "level": "info" }));
    assert_eq!(admin.post("/api/v1/log-level", r#"{"level": "warn,h2=debug"}"#).0, 200);
    assert_eq!(admin.get("/api/v1/log-level"), json!({ "level": "h2=debug,warn" }));
    let (status, answer) = admin.post("/api/v1/log-level", r#"{"level": "loud"}"#);
    assert_eq!((status, &answer["code"]), (400, &json!(3)));
}

#[test]
fn nothing_changes_without_the_token_by_get_or_for_a_foreign_page() {
    let admin = Admin::start();
    let apply = "/api/v1/config:apply";
    let token = "authorization: Bearer s3cret\r\n";
    let statuses: Vec<u16> = [
        String::new(),
        "authorization: Bearer other\r\n".to_owned(),
        format!("{token}origin: https://evil.example\r\n"),
        format!("{token}origin: null\r\n"),
        format!("{token}sec-fetch-site: cross-site\r\n"),
        format!("{token}origin: http://localhost\r\n"),
    ]
    .iter()
    .map(|headers| admin.running.post(1, apply, headers, &other()).0)
    .collect();
    assert_eq!(statuses, [401, 401, 403, 403, 403, 200]);
    let answer = admin.running.get(1, &format!("{apply} HTTP/1.1\r\n{token}x-rest:"));
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: POST\r\n"), "{answer}");
    assert_eq!(admin.generations().len(), 2);
}

#[test]
fn a_body_that_is_too_large_is_413() {
    let admin = Admin::start();
    let (status, answer) = admin.post("/api/v1/config:check", &"#".repeat((4 << 20) + 1));
    assert_eq!((status, &answer["code"]), (413, &json!(8)));
}

#[test]
fn diff_and_reload_ask_the_gateway_that_the_config_names() {
    let admin = Admin::start();
    let address = admin.running.addresses[1].clone();
    let tidegate = |arguments: &[&str]| {
        let arguments = [arguments, &["--admin", &address]].concat();
        let mut command = program(admin.folder.path(), &arguments);
        done(command.env("TIDEGATE_ADMIN_TOKEN", "s3cret").output().expect("it can be run"))
    };
    let text = |text: &str| text.to_owned();
    assert_eq!(tidegate(&["diff"]), (0, text("no difference\n"), text("")));
    // Beside the one that is watched.
    fs::write(admin.folder.path().join("new.yaml"), format!("{}drain: 3s\n", other())).expect("written");
    let lines = "+ drain: 3s\n+ routes[other.test demo.v1.Echo].host: other.test\n\
                 + routes[other.test demo.v1.Echo].service: demo.v1.Echo\n\
                 + routes[other.test demo.v1.Echo].upstream: echo\n\
                 - routes[demo.v1.Echo].service: demo.v1.Echo\n- routes[demo.v1.Echo].upstream: echo\n";
    let (code, out, err) = tidegate(&["diff", "-c", "new.yaml"]);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(String::from).collect();
        lines.sort();
        lines
    };
    assert_eq!((code, sorted(&out), err), (0, sorted(lines), text("")));
    let (code, out, err) = tidegate(&["reload"]);
    assert!(
        out.starts_with("generation 2 is in force: ") && out.ends_with(", from file tidegate.yaml\n"),
        "{out}{err}"
    );
    assert_eq!(code, 0);
    crate::replace(admin.folder.path().join("tidegate.yaml"), config().replace("upstream: echo", "upstream: ecco"));
    let (code, out, err) = tidegate(&["reload"]);
    assert_eq!((code, out), (78, text("")));
    assert!(
        err.starts_with("error: the config is wrong: 1 error\n  tidegate.yaml:5:40: unknown upstream `ecco`; "),
        "{err}"
    );
}

#[test]
fn a_gateway_that_is_not_there_is_69() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    let folder = folder(&[("tidegate.yaml", CONFIG)]);
    for command in ["diff", "reload"] {
        let (code, out, err) = crate::tidegate(folder.path(), &[command, "--admin", &free.to_string()]);
        assert_eq!((code, out.as_str()), (69, ""));
        assert!(err.starts_with(&format!("error: the admin port on {free} cannot be asked: ")), "{err}");
    }
    let (code, _, err) = crate::tidegate(folder.path(), &["reload"]);
    assert_eq!(
        (code, err.as_str()),
        (78, "error: `tidegate.yaml` has no `admin`: a gateway with it cannot be asked\n")
    );
}

#[test]
fn a_plan_is_shown_and_told_what_to_do() {
    let admin = Admin::start();
    let next = "upstreams:\n  next: { endpoints: [127.0.0.1:2], schema: { like: echo } }\n";
    let canary = "canary: [{ to: next, hash: { header: x-user-id, plan: { steps: [5%, 50%] } } }]";
    let config =
        config().replace("upstreams:\n", next).replace("upstream: echo }", &format!("upstream: echo, {canary} }}"));
    let (status, answer) = admin.post("/api/v1/config:apply", &config);
    assert_eq!(status, 200, "{answer}");
    let plans = admin.get("/api/v1/canaries");
    let plan = &plans["canaries"][0];
    assert_eq!((&plan["phase"], &plan["share"], &plan["step"]), (&json!("walking"), &json!("5%"), &json!(1)));
    let path = format!("/api/v1/canaries/{}", plan["name"].as_str().expect("a name"));
    let mut phases = Vec::new();
    for word in ["pause", "resume", "promote", "abort", "abort"] {
        let (status, answer) = admin.post(&format!("{path}:{word}"), "");
        phases.push((status, answer["phase"].as_str().unwrap_or_default().to_owned(), answer["share"].clone()));
    }
    let phase = |status, phase: &str, share: Value| (status, phase.to_owned(), share);
    let expected = [
        phase(200, "paused", json!("5%")),
        phase(200, "walking", json!("5%")),
        phase(200, "promoted", json!("100%")),
        phase(200, "aborted", json!("0%")),
        phase(409, "", Value::Null),
    ];
    assert_eq!(phases, expected);
    // A change of something else leaves the plan where it is.
    let (status, _) = admin.post("/api/v1/config:apply", &format!("{config}drain: 3s\n"));
    assert_eq!((status, &admin.get(&path)["phase"]), (200, &json!("aborted")));
    assert_eq!(admin.post("/api/v1/canaries/other:pause", "").0, 404);
}

#[test]
fn a_breaker_is_shown_and_told_what_to_do() {
    let admin = Admin::start();
    let config = config().replace("upstream: echo }", "upstream: echo, breaker: { min_calls: 2 } }");
    let (status, answer) = admin.post("/api/v1/config:apply", &config);
    assert_eq!(status, 200, "{answer}");
    let shown = |state: &str, changes: Value, refused: u32| {
        let name = "demo.v1.Echo/echo";
        json!({
            "name": name, "route": "demo.v1.Echo", "upstream": "echo", "state": state, "changes": changes,
            "refused": refused, "by": "upstream", "fallbacks": { "answer": 0, "upstream": 0 },
        })
    };
    assert_eq!(admin.get("/api/v1/breakers"), json!({ "breakers": [shown("closed", json!([]), 0)] }));
    let path = "/api/v1/breakers/demo.v1.Echo%2Fecho";
    let mut states = Vec::new();
    for word in ["open", "disable", "close"] {
        let (status, answer) = admin.post(&format!("{path}:{word}"), "");
        let last = answer["changes"].as_array().and_then(|changes| changes.last()).expect("a change").clone();
        states.push((status, answer["state"].clone(), last["state"].clone(), last["why"].clone()));
    }
    let state = |word: &str| (200, json!(word), json!(word), json!("by command"));
    assert_eq!(states, [state("forced_open"), state("disabled"), state("closed")]);
    assert_eq!(admin.get(path)["state"], "closed");
    assert_eq!(admin.post("/api/v1/breakers/other:open", "").0, 404);
    assert_eq!(admin.post("/api/v1/breakers", "").0, 405);
}

#[test]
fn limits_of_calls_in_flight_are_shown() {
    let admin = Admin::start();
    let config = config().replace("upstream: echo }", "upstream: echo, concurrency: { max: 7, queue: 3 } }");
    let (status, answer) = admin.post("/api/v1/config:apply", &config);
    assert_eq!(status, 200, "{answer}");
    let limit = json!({
        "of": "route", "name": "demo.v1.Echo", "inFlight": 0, "limit": 7, "queued": 0, "queue": 3, "callMs": null,
        "refused": 0,
    });
    assert_eq!(admin.get("/api/v1/concurrency"), json!({ "limits": [limit] }));
}
