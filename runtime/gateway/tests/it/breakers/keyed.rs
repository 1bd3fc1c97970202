//! Breakers by key: who is kept away, and who is not.

use super::{bad, both, call, code, compile, gateway, good, request, send, settings, state, states, statuses};
use crate::rig::framed;
use bytes::Bytes;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::sync::Arc;
use tidegate_gateway::Gateway;
use tidegate_gateway::breakers::{Command, CommandError, KeyState};
use tidegate_gateway::config::{Breaker, BreakerKey, Config, Place};
use tidegate_gateway::snapshot::{Schemas, Snapshot};
use tidegate_telemetry::metrics::Metrics;
use tidegate_traffic::breaker::State;

const TENANT: &str = "x-tenant";

fn by(key: BreakerKey, max_keys: usize) -> impl FnOnce(&mut Config) {
    move |config| config.routes[0].breaker = Some(Breaker { key, max_keys, ..settings().into() })
}

fn header() -> BreakerKey {
    BreakerKey::Header(TENANT.parse().expect("a name"))
}

fn field(path: &str) -> BreakerKey {
    BreakerKey::Field { path: path.into(), place: Place { line: 7, column: 9 } }
}

async fn of_tenant(gateway: &Arc<Gateway>, ups: &super::Ups, tenant: &str, times: usize) -> Vec<u16> {
    let mut all = Vec::new();
    for _ in 0..times {
        all.push(send(gateway, ups, request("GET /things/7", &[(TENANT, tenant)], "")).await.status);
    }
    all
}

fn keys(gateway: &Gateway) -> Vec<(Box<str>, State)> {
    let keys = gateway.breakers()[0].keys().expect("a breaker with keys");
    keys.into_iter().map(|KeyState { key, state, .. }| (key, state)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_tenant_whose_calls_fail_does_not_take_the_others_with_it() {
    let gateway = gateway(by(header(), 10));
    assert_eq!(of_tenant(&gateway, &both(bad), "acme", 6).await, [500, 500, 500, 500, 503, 503]);
    assert_eq!(of_tenant(&gateway, &both(good), "other", 2).await, [200; 2]);
    assert_eq!(statuses(&gateway, &both(good), "GET /things/7", 2).await, [200; 2], "without a tenant");
    assert_eq!(keys(&gateway), [("acme".into(), State::Open), ("other".into(), State::Closed)]);
    let native = |tenant| call("/test.Echo/Get", &[(TENANT, tenant)], framed(0, &[]));
    assert_eq!(code(&gateway, &both(good), native("acme")).await, "14");
    let told: Vec<_> = gateway.breakers()[0].changes().into_iter().map(|told| (told.key, told.change.to)).collect();
    assert_eq!(told, [(Some("acme".into()), State::Open)]);
    let mut text = String::new();
    gateway.telemetry().metrics.encode(&mut text).expect("metrics");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("tidegate_breaker_keys")).collect();
    let of = r#"route="test.Echo",upstream="stable""#;
    let keys = |state: &str, count: u32| format!("tidegate_breaker_keys{{{of},state=\"{state}\"}} {count}");
    let want = [
        keys("closed", 1),
        keys("open", 1),
        keys("half_open", 0),
        keys("forced_open", 0),
        keys("disabled", 0),
        format!("tidegate_breaker_keys_limit{{{of}}} 10"),
    ];
    assert_eq!(lines, want);
    assert!(text.contains(&format!("tidegate_breaker_refused_total{{{of}}} 3\n")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn keys_without_a_place_have_one_breaker_together() {
    let gateway = gateway(by(header(), 1));
    assert_eq!(of_tenant(&gateway, &both(bad), "acme", 4).await, [500; 4]);
    for tenant in ["a", "b", "c", "d"] {
        assert_eq!(of_tenant(&gateway, &both(bad), tenant, 1).await, [500]);
    }
    assert_eq!(of_tenant(&gateway, &both(good), "e", 1).await, [503]);
    assert_eq!(keys(&gateway), [("acme".into(), State::Open)]);
    let long = "x".repeat(129);
    assert_eq!(of_tenant(&gateway, &both(good), &long, 1).await, [503], "a value that is too long has no place");
}

#[tokio::test(start_paused = true)]
async fn a_field_of_the_message_tells_calls_apart_in_either_protocol() {
    let gateway = gateway(by(field("name"), 10));
    let put = |name: &str| request("PUT /things/7", &[], &format!(r#"{{"name":"{name}"}}"#));
    for _ in 0..4 {
        assert_eq!(send(&gateway, &both(bad), put("acme")).await.status, 500);
    }
    assert_eq!(send(&gateway, &both(good), put("acme")).await.status, 503);
    assert_eq!(send(&gateway, &both(good), put("other")).await.status, 200);
    assert_eq!(statuses(&gateway, &both(good), "GET /things/7", 1).await, [200], "the default is a value as well");
    let want = [("".into(), State::Closed), ("acme".into(), State::Open), ("other".into(), State::Closed)];
    assert_eq!(keys(&gateway), want);

    let message = |name: &str| [&[8, 7, 18, u8::try_from(name.len()).expect("short")], name.as_bytes()].concat();
    let native = |name: &str| call("/test.Echo/Put", &[], framed(0, &message(name)));
    assert_eq!(code(&gateway, &both(good), native("acme")).await, "14");
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&message("acme")).expect("compressed");
    let compressed = framed(1, &gzip.finish().expect("compressed"));
    let native = |lines: &[(&str, &str)]| call("/test.Echo/Put", lines, compressed.clone());
    assert_eq!(code(&gateway, &both(good), native(&[("grpc-encoding", "gzip")])).await, "14");
    let other = pipeline_status(&gateway, native(&[])).await;
    assert_eq!(other, 200, "what cannot be read is the service's matter");
}

async fn pipeline_status(gateway: &Arc<Gateway>, request: http::Request<http_body_util::Full<Bytes>>) -> u16 {
    let answer = super::pipeline::handle(gateway, &both(good), request, &super::Peer::unknown()).await;
    assert!(!answer.headers().contains_key("grpc-status"), "{:?}", answer.headers());
    answer.status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn a_field_that_no_method_has_is_an_error_with_its_place() {
    let try_it = |path: &str| {
        let mut config = Config {
            upstreams: vec![super::upstream("stable", super::SchemaSource::None)],
            routes: vec![super::route("test.Echo", super::HostPattern::Any, "stable")],
            ..Config::default()
        };
        by(field(path), 1)(&mut config);
        let schemas = Schemas::from([("stable".to_owned(), super::schema(&[("echo.proto", super::ECHO)]))]);
        let problems = Snapshot::compile(config, &schemas, &Metrics::new("0", 1), 1).expect_err("it is wrong");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].place, Some(Place { line: 7, column: 9 }));
        (problems[0].message.clone(), problems[0].help.clone().unwrap_or_default())
    };
    let none = |path: &str| format!("no method of `test.Echo` takes a message with the field `{path}`");
    let near = "did you mean `name`, a field of `test.Thing`?";
    assert_eq!(try_it("nmae"), (none("nmae"), near.into()));
    assert_eq!(try_it("order.type"), (none("order.type"), "message `test.Thing` has no field `order`".into()));
    let inner = "`name` of `test.Thing` is no message: the path cannot go on behind it";
    assert_eq!(try_it("name.first"), (none("name.first"), inner.into()));
}

#[tokio::test(start_paused = true)]
async fn one_for_the_whole_route_counts_the_calls_to_all_its_upstreams() {
    let gateway = gateway(by(BreakerKey::Route, 0));
    assert_eq!(statuses(&gateway, &both(bad), "GET /things/7", 5).await, [500, 500, 500, 500, 503]);
    assert_eq!(states(&gateway), [("test.Echo/*".to_owned(), State::Open)]);
    assert_eq!(gateway.breakers()[0].keys(), None);
}

#[tokio::test(start_paused = true)]
async fn commands_are_for_one_key_or_for_all_and_those_to_come() {
    let gateway = gateway(by(header(), 2));
    let guard = Arc::clone(&gateway.breakers()[0]);
    guard.command(Some("acme"), Command::Open).expect("a new key");
    assert_eq!(of_tenant(&gateway, &both(good), "acme", 1).await, [503]);
    assert_eq!(of_tenant(&gateway, &both(good), "other", 1).await, [200]);
    guard.command(None, Command::Open).expect("all");
    assert_eq!(of_tenant(&gateway, &both(good), "other", 1).await, [503]);
    assert_eq!(guard.command(Some("third"), Command::Close), Err(CommandError::NoPlace));
    guard.command(None, Command::Close).expect("all");
    assert_eq!(of_tenant(&gateway, &both(good), "acme", 1).await, [200]);
    guard.command(None, Command::Disable).expect("all");
    assert_eq!(of_tenant(&gateway, &both(good), "acme", 1).await, [200]);
    assert_eq!(keys(&gateway), [("acme".into(), State::Disabled), ("other".into(), State::Disabled)]);
    assert_eq!(state(&gateway), State::Disabled);
    let without = super::gateway(|_| {});
    let guard = Arc::clone(&without.breakers()[0]);
    assert_eq!(guard.command(Some("acme"), Command::Open), Err(CommandError::NoKeys));
}

#[tokio::test(start_paused = true)]
async fn keys_outlive_changes_of_the_config_unless_another_key_is_asked_for() {
    let gateway = gateway(by(header(), 10));
    assert_eq!(of_tenant(&gateway, &both(bad), "acme", 4).await, [500; 4]);
    let metrics = Arc::clone(&gateway.telemetry().metrics);
    gateway.apply(compile(&metrics, by(header(), 10)));
    assert_eq!(of_tenant(&gateway, &both(good), "acme", 1).await, [503]);
    gateway.apply(compile(&metrics, by(field("name"), 10)));
    assert_eq!(of_tenant(&gateway, &both(good), "acme", 1).await, [200]);
    assert_eq!(keys(&gateway), [("".into(), State::Closed)]);
}
