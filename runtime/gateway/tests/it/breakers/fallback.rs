//! What is answered in place of calls that are not made.

use super::{Ups, ask, bad, both, call, gateway, good, request, send, settings, states, statuses};
use crate::rig::{framed, headers, json};
use http::StatusCode;
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::breakers::Command;
use tidegate_gateway::config::{
    Action, Breaker, CanaryPlan, CanaryRule, Config, Fallback, FallbackAnswer, Forward, HostPattern, Place,
    SchemaSource,
};
use tidegate_gateway::snapshot::{Schemas, Snapshot};
use tidegate_gateway::{Gateway, Peer, pipeline};
use tidegate_telemetry::metrics::Metrics;
use tidegate_traffic::breaker::State;
use tidegate_traffic::plan::Plan;
use tidegate_traffic::{Rule, Share, Split, SplitKey};
use tokio::time::advance;

fn falling_back(fallback: Fallback) -> impl FnOnce(&mut Config) {
    move |config| config.routes[0].breaker = Some(Breaker { fallback, ..settings().into() })
}

/// One that was opened by command: no call has failed.
fn shut(fallback: Fallback) -> Arc<Gateway> {
    let gateway = gateway(falling_back(fallback));
    gateway.breakers()[0].command(None, Command::Open).expect("done");
    gateway
}

fn answer(body: &str, methods: &[&str]) -> Fallback {
    let place = |column| Place { line: 3, column };
    Fallback::Answer(Arc::new(FallbackAnswer {
        status: StatusCode::NON_AUTHORITATIVE_INFORMATION,
        headers: vec![("x-stale".parse().expect("a name"), "yes".parse().expect("a value"))],
        body: body.into(),
        methods: (10..).zip(methods).map(|(column, name)| ((*name).to_owned(), place(column))).collect(),
        place: place(1),
    }))
}

fn metrics(gateway: &Gateway) -> Vec<String> {
    let mut text = String::new();
    gateway.telemetry().metrics.encode(&mut text).expect("metrics");
    text.lines().filter(|line| line.starts_with("tidegate_breaker_fallbacks")).map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn a_static_answer_is_json_to_one_client_and_a_message_to_the_other() {
    let gateway = shut(answer(r#"{"id":9,"name":"from the cache"}"#, &["Get"]));
    let ups = both(good);
    let seen = ask(&gateway, &ups, "GET /things/7").await;
    let mut want = json(203, r#"{"id":9,"name":"from the cache"}"#);
    want.headers.extend(headers(&[("x-stale", "yes")]));
    assert_eq!(seen, want);
    let native = pipeline::handle(&gateway, &ups, call("/test.Echo/Get", &[], framed(0, &[])), &Peer::unknown()).await;
    assert_eq!(native.headers().get("x-stale").map(|value| value.as_bytes()), Some(&b"yes"[..]));
    let collected = native.into_body().collect().await.expect("a reply");
    let trailers = collected.trailers().cloned().expect("trailers");
    assert_eq!(trailers.get("grpc-status").map(|code| code.as_bytes()), Some(&b"0"[..]));
    assert_eq!(collected.to_bytes(), framed(0, b"\x08\x09\x12\x0efrom the cache"));
    assert_eq!(
        send(&gateway, &ups, request("PUT /things/7", &[], "{}")).await.status,
        503,
        "it is not for this method"
    );
    assert!(ups.0.iter().all(|up| up.seen.lock().is_none()), "nobody is called");
    let of = r#"{route="test.Echo",upstream="stable""#;
    let want = [("answer", 2), ("upstream", 0)]
        .map(|(with, count)| format!("tidegate_breaker_fallbacks_total{of},with=\"{with}\"}} {count}"));
    assert_eq!(metrics(&gateway), want);
}

#[tokio::test(start_paused = true)]
async fn another_upstream_answers_until_its_own_breaker_opens() {
    let gateway = gateway(falling_back(Fallback::Upstream("next".into())));
    assert_eq!(statuses(&gateway, &Ups([bad(), good()]), "GET /things/7", 6).await, [500, 500, 500, 500, 200, 200]);
    let want = [("test.Echo/stable".to_owned(), State::Open), ("test.Echo/next".to_owned(), State::Closed)];
    assert_eq!(states(&gateway), want);
    // Two good ones are counted.
    assert_eq!(statuses(&gateway, &both(bad), "GET /things/7", 3).await, [500, 500, 503]);
    let want = [("test.Echo/stable".to_owned(), State::Open), ("test.Echo/next".to_owned(), State::Open)];
    assert_eq!(states(&gateway), want);
    advance(Duration::from_secs(6)).await;
    assert_eq!(statuses(&gateway, &both(good), "GET /things/7", 2).await, [200; 2]);
    assert_eq!(states(&gateway)[0].1, State::Closed, "the first probes ended well");
    assert_eq!(states(&gateway)[1].1, State::Open, "nobody asked the other one");
}

#[tokio::test(start_paused = true)]
async fn a_trusted_peer_is_told_what_answered() {
    let gateway = gateway(falling_back(Fallback::Upstream("next".into())));
    gateway.breakers()[0].command(None, Command::Open).expect("done");
    let peer = crate::plain::trusting("192.0.2.0/24");
    let request = request("GET /things/7", &[("tidegate-debug", "1")], "");
    let answer = pipeline::handle(&gateway, &both(good), request, &peer).await;
    let told = |name: &str| answer.headers().get(name).map(|value| value.as_bytes());
    let want = [Some(&b"upstream"[..]), Some(&b"next"[..])];
    assert_eq!(["tidegate-fallback", "tidegate-upstream"].map(told), want);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_may_have_another_status() {
    let gateway = shut(Fallback::Refuse(StatusCode::TOO_MANY_REQUESTS));
    let seen = ask(&gateway, &both(good), "GET /things/7").await;
    let message = "the service fails too often and is not called for now: try again in 1 s";
    let mut want = json(429, &format!(r#"{{"code":8,"message":"{message}"}}"#));
    want.headers.extend(headers(&[("retry-after", "1")]));
    assert_eq!(seen, want);
}

#[tokio::test(start_paused = true)]
async fn a_plain_route_has_a_static_answer_too() {
    let plain = |config: &mut Config| {
        config.routes.clear();
        let forward = Forward { upstream: "stable".into(), ..Forward::default() };
        let mut plain = crate::plain::route("/assets/*", Action::Forward(forward));
        plain.breaker = Some(Breaker { fallback: answer("[1,2]", &[]), ..settings().into() });
        config.plain.push(plain);
    };
    let gateway = gateway(plain);
    gateway.breakers()[0].command(None, Command::Open).expect("done");
    let mut want = json(203, "[1,2]");
    want.headers.extend(headers(&[("x-stale", "yes")]));
    assert_eq!(ask(&gateway, &both(good), "GET /assets/a").await, want);
}

#[tokio::test(start_paused = true)]
async fn what_answers_in_place_of_a_canary_does_not_count_for_it() {
    let key = SplitKey::Header("x-user-id".parse().expect("a name"));
    let rule = Rule { split: Some(Split { key, salt: String::new() }), ..Rule::default() };
    let plan = Plan::new(vec![Share::ALL]).expect("a plan");
    let plan = Some(CanaryPlan { name: "plan".into(), plan });
    let rule = CanaryRule { name: "all".into(), to: "next".into(), rule, plan, place: Place::default() };
    let gateway = gateway(|config| {
        config.upstreams.push(super::upstream("spare", SchemaSource::None));
        falling_back(Fallback::Upstream("spare".into()))(config);
        config.routes[0].canary = vec![rule];
    });
    let of_user = || request("GET /things/7", &[("x-user-id", "u")], "");
    assert_eq!(send(&gateway, &both(good), of_user()).await.status, 200);
    gateway.breakers()[1].command(None, Command::Open).expect("done");
    let ups = both(good);
    assert_eq!(send(&gateway, &ups, of_user()).await.status, 200);
    assert!(ups.0[0].seen.lock().is_some(), "the spare one answered");
    gateway.walk_canaries();
    let report = gateway.canaries()[0].report();
    assert_eq!((report.canary.calls, report.stable.calls), (1, 0));
}

#[test]
fn a_body_that_is_no_reply_of_its_methods_is_an_error_with_its_place() {
    let problems = |fallback: Fallback| {
        let mut config = Config {
            upstreams: vec![super::upstream("stable", SchemaSource::None)],
            routes: vec![super::route("test.Echo", HostPattern::Any, "stable")],
            ..Config::default()
        };
        falling_back(fallback)(&mut config);
        let schemas = Schemas::from([("stable".to_owned(), super::schema(&[("echo.proto", super::ECHO)]))]);
        let problems = Snapshot::compile(config, &schemas, &Metrics::new("0", 1), 1).expect_err("it is wrong");
        let told = |problem: tidegate_gateway::config::Problem| {
            (problem.place.expect("a place").column, problem.message, problem.help.unwrap_or_default())
        };
        problems.into_iter().map(told).collect::<Vec<_>>()
    };
    let stream = |name: &str| format!("`{name}` answers with a stream, which one body is not");
    let name_them = "name the methods that it is for: `methods: […]`";
    assert_eq!(problems(answer("{}", &[])), [(1, stream("Watch"), name_them.into())]);
    assert_eq!(problems(answer("{}", &["Watch"])), [(10, stream("Watch"), String::new())]);
    let unknown = "`test.Echo` has no method `Gte`".to_owned();
    assert_eq!(problems(answer("{}", &["Put", "Gte"])), [(11, unknown, "did you mean `Get`?".into())]);
    let wrong =
        "the body is no `test.Thing`, which `Get` answers with: unknown field `size` of test.Thing (byte 1)".to_owned();
    assert_eq!(problems(answer(r#"{"size":1}"#, &["Get"])), [(1, wrong, String::new())]);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_head_has_no_body() {
    let gateway = shut(answer(r#"{"id":9}"#, &["Get"]));
    let seen = ask(&gateway, &both(good), "HEAD /things/7").await;
    assert_eq!((seen.status, seen.body.as_str()), (203, ""));
    assert_eq!(seen.headers.get("content-length").map(|value| value.as_bytes()), Some(&b"8"[..]));
}
