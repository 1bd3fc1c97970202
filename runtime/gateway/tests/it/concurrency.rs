//! Limits of calls in flight: who waits, who is refused, and what is given back. In virtual time.

use crate::native::call;
use crate::plain::route as plain_route;
use crate::rig::{ECHO, Scripted, data, framed, request, schema, send, trailers};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::config::{Action, Config, Forward, HostPattern, Priority, PriorityHeader, SchemaSource, Trust};
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, Peer, Single, Snapshot, Telemetry, pipeline};
use tidegate_telemetry::metrics::Metrics;
use tidegate_traffic::bulkhead::{Limit, Settings};
use tidegate_traffic::priority::{Class, Shares};
use tokio::task::JoinHandle;

const SECOND: Duration = Duration::from_secs(1);

fn limit(max: u32, queue: u32) -> Settings {
    Settings { limit: Limit::Fixed(max), queue, wait: SECOND, shares: Shares::EVEN }
}

fn compile(metrics: &Metrics, change: impl FnOnce(&mut Config)) -> Snapshot {
    let mut config = Config {
        upstreams: vec![crate::rig::upstream("up", SchemaSource::None)],
        routes: vec![crate::rig::route("test.Echo", HostPattern::Any, "up")],
        ..Config::default()
    };
    let forward = Forward { upstream: "up".into(), ..Forward::default() };
    config.plain.push(plain_route("/web/*", Action::Forward(forward)));
    change(&mut config);
    let schemas = Schemas::from([("up".to_owned(), schema(&[("echo.proto", ECHO)]))]);
    Snapshot::compile(config, &schemas, metrics, 1).expect("the config compiles")
}

fn gateway(change: impl FnOnce(&mut Config)) -> Arc<Gateway> {
    let metrics = Arc::new(Metrics::new("0", 1));
    let snapshot = compile(&metrics, change);
    Arc::new(Gateway::new(snapshot, Telemetry { metrics, access_log: None, tracer: None }))
}

/// A gateway with this limit of its upstream.
fn limited(max: u32, queue: u32) -> Arc<Gateway> {
    gateway(|config| config.upstreams[0].protection.concurrency = Some(limit(max, queue)))
}

fn good() -> Arc<Single<Scripted>> {
    Arc::new(Single(Scripted::unary(&[8, 7])))
}

/// Never answers.
fn silent() -> Arc<Single<Scripted>> {
    let mut scripted = Scripted::unary(&[8, 7]);
    scripted.silent = true;
    Arc::new(Single(scripted))
}

/// Calls in flight, and those that wait.
fn levels(gateway: &Gateway) -> Vec<(u32, u32)> {
    gateway.gates().iter().map(|gate| (gate.levels().in_flight, gate.levels().queued)).collect()
}

/// Asks in a task of its own, which has come to wait for something when this returns.
async fn asks(gateway: &Arc<Gateway>, upstream: &Arc<Single<Scripted>>, line: &'static str) -> JoinHandle<u16> {
    let (gateway, upstream) = (Arc::clone(gateway), Arc::clone(upstream));
    let task = tokio::spawn(async move { send(&gateway, &*upstream, request(line, &[], "")).await.status });
    tokio::task::yield_now().await;
    task
}

async fn leaves(task: JoinHandle<u16>) {
    task.abort();
    assert!(task.await.is_err(), "it had no answer");
}

async fn ask(gateway: &Arc<Gateway>, upstream: &Single<Scripted>, line: &str) -> u16 {
    send(gateway, upstream, request(line, &[], "")).await.status
}

#[tokio::test(start_paused = true)]
async fn so_many_calls_are_in_flight_so_many_wait_and_the_rest_is_told_to_come_back() {
    let gateway = limited(2, 1);
    let (hangs, good) = (silent(), good());
    let first = asks(&gateway, &hangs, "GET /things/7").await;
    let second = asks(&gateway, &hangs, "GET /web/a").await;
    let waits = asks(&gateway, &good, "GET /things/7").await;
    assert_eq!(levels(&gateway), [(2, 1)]);
    let refused = send(&gateway, &*good, request("GET /things/7", &[], "")).await;
    assert_eq!(refused.body, r#"{"code":14,"message":"too many calls wait: try again in 1 s"}"#);
    let retry_after = refused.headers.get("retry-after").map(|value| value.as_bytes());
    assert_eq!((refused.status, retry_after), (503, Some(&b"1"[..])));
    leaves(first).await;
    assert_eq!(waits.await.expect("no panic"), 200);
    leaves(second).await;
    assert_eq!(levels(&gateway), [(0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_refused_and_who_has_a_deadline_is_told_of_it() {
    let gateway = limited(1, 2);
    let hangs = silent();
    let _first = asks(&gateway, &hangs, "GET /things/7").await;
    let began = tidegate_telemetry::clock::now();
    let seen = send(&gateway, &*hangs, request("GET /things/7", &[], "")).await;
    assert_eq!(seen.body, r#"{"code":14,"message":"the call waited too long for others to end: try again in 1 s"}"#);
    assert_eq!((seen.status, (tidegate_telemetry::clock::now() - began).as_millis() / 10), (503, 100));
    let hurries = request("GET /things/7", &[("x-request-timeout", "0.3")], "");
    let seen = send(&gateway, &*hangs, hurries).await;
    assert_eq!(seen.body, r#"{"code":4,"message":"the deadline passed before the call could be made"}"#);
    assert_eq!((seen.status, levels(&gateway)), (504, vec![(1, 0)]));
}

#[tokio::test(start_paused = true)]
async fn native_calls_are_refused_in_their_own_way() {
    let gateway = limited(1, 0);
    let hangs = silent();
    let _first = asks(&gateway, &hangs, "GET /things/7").await;
    let refused =
        pipeline::handle(&gateway, &*hangs, call("/test.Echo/Get", &[], framed(0, &[])), &Peer::unknown()).await;
    let value = |name: &str| refused.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
    assert_eq!(value("grpc-status"), Some("14".into()));
    assert_eq!(value("grpc-message"), Some("too many calls are in flight: try again in 1 s".into()));
    assert_eq!(value("retry-after"), Some("1".into()));
}

#[tokio::test(start_paused = true)]
async fn a_call_has_its_place_until_its_reply_has_ended() {
    let gateway = limited(9, 0);
    let mut endless = Scripted::new(vec![data(&[8, 7])]);
    endless.hangs = true;
    let endless = Single(endless);
    let stream = pipeline::handle(&gateway, &endless, request("GET /things/7:watch", &[], ""), &Peer::unknown()).await;
    let native = call("/test.Echo/Watch", &[], framed(0, &[]));
    let native = pipeline::handle(&gateway, &endless, native, &Peer::unknown()).await;
    let plain = pipeline::handle(&gateway, &endless, request("GET /web/a", &[], ""), &Peer::unknown()).await;
    assert_eq!(levels(&gateway), [(3, 0)]);
    drop((stream, native, plain));
    assert_eq!(levels(&gateway), [(0, 0)]);
    let whole = pipeline::handle(&gateway, &*good(), request("GET /things/7", &[], ""), &Peer::unknown()).await;
    assert_eq!(levels(&gateway), [(0, 0)], "the upstream has said all");
    drop(whole);
}

#[tokio::test(start_paused = true)]
async fn a_route_has_a_limit_of_its_own_before_that_of_the_upstream() {
    let gateway = gateway(|config| {
        config.routes[0].resilience.concurrency = Some(limit(1, 0));
        config.upstreams[0].protection.concurrency = Some(limit(2, 0));
    });
    let hangs = silent();
    let _first = asks(&gateway, &hangs, "GET /things/7").await;
    assert_eq!(ask(&gateway, &hangs, "GET /things/7").await, 503);
    let _second = asks(&gateway, &hangs, "GET /web/a").await;
    assert_eq!(ask(&gateway, &hangs, "GET /web/a").await, 503);
    assert_eq!(levels(&gateway), [(1, 0), (2, 0)]);
}

#[tokio::test(start_paused = true)]
async fn what_the_breaker_refuses_has_no_place() {
    let gateway = gateway(|config| {
        config.upstreams[0].protection.concurrency = Some(limit(1, 0));
        config.routes[0].breaker = Some(Default::default());
    });
    gateway.breakers()[0].command(None, tidegate_gateway::breakers::Command::Open).expect("it has no keys");
    for _ in 0..3 {
        assert_eq!(ask(&gateway, &good(), "GET /things/7").await, 503);
    }
    assert_eq!(levels(&gateway), [(0, 0)]);
}

/// One of each class may be in flight beside those below.
fn classed() -> Arc<Gateway> {
    let name = "x-tier".parse().expect("a name");
    let values = vec![("vip".to_owned(), Class::Critical), ("batch".to_owned(), Class::Low)];
    let priority = Priority { class: Class::Normal, header: Some(PriorityHeader { name, values }) };
    gateway(|config| {
        config.upstreams[0].protection.concurrency = Some(limit(10, 0));
        config.routes[0].resilience.priority = Some(priority);
    })
}

async fn fills(gateway: &Arc<Gateway>, peer: &Peer, tier: &'static str) -> usize {
    let mut admitted = 0;
    for _ in 0..12 {
        let (gateway, peer, hangs) = (Arc::clone(gateway), peer.clone(), silent());
        let task = tokio::spawn(async move {
            let ask = request("GET /things/7", &[("x-tier", tier)], "");
            let answer = pipeline::handle(&gateway, &*hangs, ask, &peer).await;
            answer.into_body().collect().await.map(drop)
        });
        tokio::task::yield_now().await;
        admitted += usize::from(!task.is_finished());
    }
    admitted
}

#[tokio::test(start_paused = true)]
async fn as_it_fills_lower_classes_are_refused_first_as_trusted_peers_say() {
    let gateway = classed();
    let trust = Trust { peers: vec!["192.0.2.0/24".parse().expect("a network")], identity_headers: Vec::new() };
    let trusted = Peer::new(([192, 0, 2, 1], 9).into()).with_trust(&Arc::new(trust));
    let mut admitted = Vec::new();
    for tier in ["batch", "other", "vip"] {
        admitted.push(fills(&gateway, &trusted, tier).await);
    }
    assert_eq!(admitted, [7, 2, 1]);
    let untrusted = classed();
    assert_eq!(fills(&untrusted, &Peer::unknown(), "vip").await, 9, "a normal one");
}

#[tokio::test(start_paused = true)]
async fn it_outlives_changes_of_the_config_and_takes_on_new_settings() {
    let gateway = limited(1, 0);
    let hangs = silent();
    let first = asks(&gateway, &hangs, "GET /things/7").await;
    let metrics = Arc::clone(&gateway.telemetry().metrics);
    let with = |max| {
        let snapshot = compile(&metrics, |config| config.upstreams[0].protection.concurrency = Some(limit(max, 0)));
        gateway.apply(snapshot);
    };
    with(1);
    assert_eq!((ask(&gateway, &hangs, "GET /things/7").await, levels(&gateway)), (503, vec![(1, 0)]));
    with(2);
    assert_eq!(ask(&gateway, &good(), "GET /things/7").await, 200);
    leaves(first).await;
    assert_eq!(levels(&gateway), [(0, 0)]);
    gateway.apply(compile(&metrics, |_| {}));
    assert_eq!(levels(&gateway), []);
}

#[tokio::test(start_paused = true)]
async fn levels_and_refusals_are_counted() {
    let gateway = limited(1, 0);
    let hangs = silent();
    let _first = asks(&gateway, &hangs, "GET /things/7").await;
    assert_eq!(ask(&gateway, &hangs, "GET /things/7").await, 503);
    let mut text = String::new();
    gateway.telemetry().metrics.encode(&mut text).expect("metrics");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("tidegate_concurrency")).collect();
    let of = r#"of="upstream",name="up""#;
    let refused = |reason: &str, times: u32| {
        format!("tidegate_concurrency_refused_total{{{of},reason=\"{reason}\",class=\"normal\"}} {times}")
    };
    let want = [
        format!("tidegate_concurrency_in_flight{{{of}}} 1"),
        format!("tidegate_concurrency_limit{{{of}}} 1"),
        format!("tidegate_concurrency_queued{{{of}}} 0"),
        format!("tidegate_concurrency_queue_limit{{{of}}} 0"),
        refused("limit", 1),
        refused("queue", 0),
        refused("deadline", 0),
        refused("waited", 0),
        refused("displaced", 0),
    ];
    assert_eq!(lines, want);
}

#[tokio::test(start_paused = true)]
async fn a_trailer_of_a_failed_call_gives_its_place_back_too() {
    let gateway = limited(1, 0);
    let bad = Single(Scripted::new(vec![trailers(&[("grpc-status", "13")])]));
    for _ in 0..3 {
        assert_eq!(ask(&gateway, &bad, "GET /things/7").await, 500);
    }
    assert_eq!(levels(&gateway), [(0, 0)]);
}
