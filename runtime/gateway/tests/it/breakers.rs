//! Circuit breakers: what is not sent on, whose fault counts, and what lasts. In virtual time.

mod endpoints;
mod fallback;
mod keyed;

use crate::native::call;
use crate::rig::{ECHO, Scripted, Seen, data, framed, request, route, schema, send, trailers, upstream};
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, Full};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::breakers::Command;
use tidegate_gateway::config::{Action, CanaryRule, Config, Forward, HostPattern, Place, SchemaSource};
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, Peer, Snapshot, Telemetry, Upstreams, pipeline};
use tidegate_telemetry::metrics::Metrics;
use tidegate_traffic::breaker::{Settings, State, Window};
use tidegate_traffic::{Rule, ValueMatch};
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);
/// As clients are told.
const OPEN: &str = r#"{"code":14,"message":"the service fails too often and is not called for now: try again in 5 s"}"#;

/// What the upstreams of the config do now, in its order; a third one does what the first does.
struct Ups([Scripted; 2]);

impl Upstreams for Ups {
    type Call = Scripted;

    fn get(&self, _snapshot: &Snapshot, index: usize) -> impl Deref<Target = Scripted> {
        &self.0[index % 2]
    }
}

fn good() -> Scripted {
    Scripted::unary(&[8, 7])
}

fn bad() -> Scripted {
    Scripted::new(vec![trailers(&[("grpc-status", "13"), ("grpc-message", "broken")])])
}

/// Both do this.
fn both(what: fn() -> Scripted) -> Ups {
    Ups([what(), what()])
}

/// Half of at least four.
fn settings() -> Settings {
    Settings { window: Window::Calls(8), min_calls: 4, half_open: 2, ..Settings::default() }
}

fn compile(metrics: &Metrics, change: impl FnOnce(&mut Config)) -> Snapshot {
    let mut config = Config {
        upstreams: vec![upstream("stable", SchemaSource::None), upstream("next", SchemaSource::None)],
        routes: vec![route("test.Echo", HostPattern::Any, "stable")],
        ..Config::default()
    };
    config.routes[0].breaker = Some(settings().into());
    change(&mut config);
    let schemas = Schemas::from([("stable".to_owned(), schema(&[("echo.proto", ECHO)]))]);
    Snapshot::compile(config, &schemas, metrics, 1).expect("the config compiles")
}

fn gateway(change: impl FnOnce(&mut Config)) -> Arc<Gateway> {
    let metrics = Arc::new(Metrics::new("0", 1));
    let snapshot = compile(&metrics, change);
    Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }))
}

async fn ask(gateway: &Arc<Gateway>, ups: &Ups, line: &str) -> Seen {
    send(gateway, ups, request(line, &[], "")).await
}

async fn statuses(gateway: &Arc<Gateway>, ups: &Ups, line: &str, times: usize) -> Vec<u16> {
    let mut all = Vec::new();
    for _ in 0..times {
        all.push(ask(gateway, ups, line).await.status);
    }
    all
}

fn states(gateway: &Gateway) -> Vec<(String, State)> {
    gateway.breakers().iter().map(|guard| (guard.name().to_owned(), guard.state())).collect()
}

fn state(gateway: &Gateway) -> State {
    gateway.breakers()[0].state()
}

/// One that has opened.
async fn opened(change: impl FnOnce(&mut Config)) -> Arc<Gateway> {
    let gateway = gateway(change);
    assert_eq!(statuses(&gateway, &both(bad), "GET /things/7", 4).await, [500; 4]);
    assert_eq!(state(&gateway), State::Open);
    gateway
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_is_not_called_until_probes_end_well() {
    let gateway = opened(|_| {}).await;
    let ups = both(good);
    let (head, body) =
        pipeline::handle(&gateway, &ups, request("GET /things/7", &[], ""), &Peer::unknown()).await.into_parts();
    let body = body.collect().await.expect("an answer").to_bytes();
    let retry_after = head.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    assert!(matches!(retry_after, Some(5 | 6)), "{retry_after:?}");
    let want = OPEN.replace("5 s", &format!("{} s", retry_after.unwrap_or_default()));
    assert_eq!((head.status.as_u16(), &body[..]), (503, want.as_bytes()));
    let native = pipeline::handle(&gateway, &ups, call("/test.Echo/Get", &[], framed(0, &[])), &Peer::unknown()).await;
    assert_eq!(native.headers().get("grpc-status").map(|code| code.as_bytes()), Some(&b"14"[..]));
    assert!(native.headers().contains_key("retry-after"));
    assert!(ups.0[0].seen.lock().is_none(), "the upstream is not called");
    advance(6 * SECOND).await;
    assert_eq!(statuses(&gateway, &ups, "GET /things/7", 1).await, [200]);
    assert_eq!(state(&gateway), State::HalfOpen);
    assert_eq!(statuses(&gateway, &ups, "GET /things/7", 1).await, [200]);
    assert_eq!(state(&gateway), State::Closed);
    let mut text = String::new();
    gateway.telemetry().metrics.encode(&mut text).expect("metrics");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("tidegate_breaker")).collect();
    let of = r#"route="test.Echo",upstream="stable""#;
    let entered = |state: &str, times: u32| format!("tidegate_breaker_entered_total{{{of},state=\"{state}\"}} {times}");
    let want = [
        format!("tidegate_breaker_state{{{of},state=\"closed\"}} 1"),
        format!("tidegate_breaker_refused_total{{{of}}} 2"),
        entered("closed", 1),
        entered("open", 1),
        entered("half_open", 1),
        entered("forced_open", 0),
        entered("disabled", 0),
        format!("tidegate_breaker_fallbacks_total{{{of},with=\"answer\"}} 0"),
        format!("tidegate_breaker_fallbacks_total{{{of},with=\"upstream\"}} 0"),
    ];
    assert_eq!(lines, want);
    let whys: Vec<String> = gateway.breakers()[0].changes().iter().map(|told| told.change.why.to_string()).collect();
    assert_eq!(whys, ["4 of 4 calls failed", "the open interval is over", "the probes ended well"]);
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_fails_does_not_take_the_stable_side_with_it() {
    let version = (HeaderName::from_static("x-version"), ValueMatch::Exact("v2".into()));
    let rule = Rule { headers: vec![version], ..Rule::default() };
    let rule = CanaryRule { name: "v2".into(), to: "next".into(), rule, plan: None, place: Place::default() };
    let gateway = gateway(|config| config.routes[0].canary = vec![rule]);
    let ups = Ups([good(), bad()]);
    for _ in 0..4 {
        let v2 = request("GET /things/7", &[("x-version", "v2")], "");
        assert_eq!(send(&gateway, &ups, v2).await.status, 500);
    }
    let want = [("test.Echo/stable".to_owned(), State::Closed), ("test.Echo/next".to_owned(), State::Open)];
    assert_eq!(states(&gateway), want);
    assert_eq!(ask(&gateway, &ups, "GET /things/7").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_the_client_sets_opens_it_for_nobody() {
    let silent = || {
        let mut scripted = good();
        scripted.silent = true;
        scripted
    };
    let gateway = gateway(|config| config.routes[0].timeout = Some(2 * SECOND));
    let ups = both(silent);
    let chat = |lines: &[(&str, &str)]| call("/test.Echo/Chat", lines, framed(0, &[]));
    for _ in 0..10 {
        assert_eq!(code(&gateway, &ups, chat(&[("grpc-timeout", "1m")])).await, "4");
    }
    assert_eq!(state(&gateway), State::Closed);
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(code(&gateway, &ups, chat(&[])).await);
    }
    assert_eq!(codes, ["4", "4", "4", "4", "14", "14"], "of the last eight half are its own");
}

async fn code(gateway: &Arc<Gateway>, ups: &Ups, request: Request<Full<Bytes>>) -> String {
    let answer = pipeline::handle(gateway, ups, request, &Peer::unknown()).await;
    let code = answer.headers().get("grpc-status").expect("nothing but a status");
    code.to_str().expect("a number").to_owned()
}

#[tokio::test(start_paused = true)]
async fn bad_requests_and_methods_that_are_not_there_are_not_held_against_it() {
    let gateway = gateway(|_| {});
    let unimplemented = || Scripted::new(vec![trailers(&[("grpc-status", "12")])]);
    assert_eq!(statuses(&gateway, &both(unimplemented), "GET /things/7", 6).await, [501; 6]);
    assert_eq!(statuses(&gateway, &both(good), "GET /things/x", 6).await, [400; 6]);
    assert_eq!(state(&gateway), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_gives_the_place_of_its_probe_back() {
    let gateway = opened(|_| {}).await;
    advance(6 * SECOND).await;
    let mut silent = good();
    silent.silent = true;
    let waiting = Ups([silent, good()]);
    for _ in 0..5 {
        let left = tokio::time::timeout(SECOND, ask(&gateway, &waiting, "GET /things/7")).await;
        assert!(left.is_err(), "admitted, and waits for the upstream");
    }
    assert_eq!(statuses(&gateway, &both(good), "GET /things/7", 2).await, [200; 2]);
    assert_eq!(state(&gateway), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn streams_are_judged_by_how_they_begin() {
    let gateway = opened(|_| {}).await;
    advance(6 * SECOND).await;
    let mut endless = Scripted::new(vec![data(&[8, 7])]);
    endless.hangs = true;
    let ups = Ups([endless, good()]);
    let watch = || request("GET /things/7:watch", &[], "");
    let _first = pipeline::handle(&gateway, &ups, watch(), &Peer::unknown()).await;
    let _second = pipeline::handle(&gateway, &ups, watch(), &Peer::unknown()).await;
    assert_eq!(state(&gateway), State::Closed, "both are open still");
}

#[tokio::test(start_paused = true)]
async fn plain_requests_are_judged_by_their_status() {
    let plain = |config: &mut Config| {
        config.routes.clear();
        let forward = Forward { upstream: "stable".into(), ..Forward::default() };
        let mut plain = crate::plain::route("/assets/*", Action::Forward(forward));
        plain.breaker = Some(settings().into());
        config.plain.push(plain);
    };
    let gateway = gateway(plain);
    let with = |status: u16| {
        let mut scripted = Scripted::new(vec![data(b"x")]);
        scripted.head = Response::builder().status(status).body(()).expect("a head");
        Ups([scripted, good()])
    };
    let line = "GET /assets/a";
    assert_eq!(statuses(&gateway, &with(404), line, 5).await, [404; 5]);
    assert_eq!(statuses(&gateway, &with(503), line, 4).await, [503; 4]);
    assert_eq!(states(&gateway), [("/assets/*/stable".to_owned(), State::Open)]);
    let seen = ask(&gateway, &with(200), line).await;
    assert_eq!(seen.status, 503);
    assert!(seen.body.contains("is not called for now"), "{}", seen.body);
}

#[tokio::test(start_paused = true)]
async fn it_outlives_changes_of_the_config_and_takes_on_new_settings() {
    let gateway = opened(|_| {}).await;
    let metrics = Arc::clone(&gateway.telemetry().metrics);
    gateway.apply(compile(&metrics, |config| config.routes[0].max_body = Some(7)));
    assert_eq!(state(&gateway), State::Open);
    let calm = Settings { half_open: 1, ..settings() };
    gateway.apply(compile(&metrics, |config| config.routes[0].breaker = Some(calm.into())));
    assert_eq!(statuses(&gateway, &both(good), "GET /things/7", 1).await, [503]);
    advance(6 * SECOND).await;
    assert_eq!(statuses(&gateway, &both(good), "GET /things/7", 1).await, [200]);
    assert_eq!(state(&gateway), State::Closed, "one probe is enough now");
    gateway.apply(compile(&metrics, |config| config.routes[0].breaker = None));
    assert_eq!(states(&gateway), []);
    assert_eq!(statuses(&gateway, &both(bad), "GET /things/7", 6).await, [500; 6]);
}

#[tokio::test(start_paused = true)]
async fn commands_open_close_and_disable_it() {
    let gateway = gateway(|_| {});
    let guard = Arc::clone(&gateway.breakers()[0]);
    guard.command(None, Command::Open).expect("done");
    let seen = ask(&gateway, &both(good), "GET /things/7").await;
    assert_eq!((seen.status, seen.body), (503, OPEN.replace("5 s", "1 s")));
    guard.command(None, Command::Disable).expect("done");
    assert_eq!(statuses(&gateway, &both(bad), "GET /things/7", 8).await, [500; 8]);
    guard.command(None, Command::Close).expect("done");
    assert_eq!(statuses(&gateway, &both(bad), "GET /things/7", 5).await, [500, 500, 500, 500, 503]);
}
