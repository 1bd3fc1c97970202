//! Several schemas at a time, one after the other, and none yet.

use crate::rig::{self, Scripted, Seen, data, headers, json, request, schema, send, trailers, upstream};
use http_body::Frame;
use http_body_util::BodyExt;
use std::sync::Arc;
use tidegate_gateway::config::{Config, HostPattern, Reflection, Route, SchemaSource, Upstream};
use tidegate_gateway::snapshot::Schemas;
use tidegate_gateway::{Gateway, Peer, Single, Snapshot, Telemetry, pipeline};
use tidegate_telemetry::metrics::Metrics;
use tidegate_transcode::{Code, Detail, Status};

/// A service whose messages have a field of this name.
fn thing(service: &str, field: &str) -> Arc<tidegate_protojson::Schema> {
    let path = service.to_ascii_lowercase();
    schema(&[(
        "thing.proto",
        &format!(
            r#"syntax = "proto3";
package test;
import "google/api/annotations.proto";
service {service} {{
  rpc Get(Thing) returns (Thing) {{ option (google.api.http) = {{ get: "/{path}" }}; }}
  rpc Watch(Thing) returns (stream Thing) {{ option (google.api.http) = {{ get: "/{path}:watch" }}; }}
}}
message Thing {{ int32 {field} = 1; }}
"#
        ),
    )])
}

fn route(service: &str, host: &str, upstream: &str) -> Route {
    let host = if host.is_empty() { HostPattern::Any } else { HostPattern::Exact(host.into()) };
    rig::route(&format!("test.{service}"), host, upstream)
}

struct Rig {
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    gateway: Arc<Gateway>,
}

impl Rig {
    fn new(upstreams: Vec<Upstream>, routes: Vec<Route>, schemas: &[(&str, &Arc<tidegate_protojson::Schema>)]) -> Self {
        let config = Arc::new(Config { upstreams, routes, ..Config::default() });
        let metrics = Arc::new(Metrics::new("0", 1));
        let snapshot = compile(&config, &metrics, 1, schemas);
        let telemetry = Telemetry { metrics: Arc::clone(&metrics), access_log: None, tracer: None };
        Self { config, metrics, gateway: Arc::new(Gateway::new(snapshot, telemetry)) }
    }

    fn replace(&self, schemas: &[(&str, &Arc<tidegate_protojson::Schema>)]) {
        self.gateway.replace(compile(&self.config, &self.metrics, 2, schemas)).expect("the config is the same");
    }

    async fn get(&self, uri: &str) -> Seen {
        let one = Scripted::unary(b"\x08\x01");
        send(&self.gateway, &Single(one), request(&format!("GET {uri}"), &[], "")).await
    }
}

fn compile(
    config: &Arc<Config>,
    metrics: &Metrics,
    generation: u64,
    schemas: &[(&str, &Arc<tidegate_protojson::Schema>)],
) -> Snapshot {
    let schemas: Schemas = schemas.iter().map(|(name, schema)| ((*name).to_owned(), Arc::clone(schema))).collect();
    Snapshot::compile(Arc::clone(config), &schemas, metrics, generation).expect("the config compiles")
}

/// Whether a hint about this upstream waits to be taken.
async fn hinted(gateway: &Gateway, upstream: usize) -> bool {
    let hints = Arc::clone(gateway.snapshot().schema_hints());
    tokio::select! {
        biased;
        () = hints.wait(upstream) => true,
        () = std::future::ready(()) => false,
    }
}

fn reflection() -> SchemaSource {
    SchemaSource::Reflection(Reflection::default())
}

fn unknown() -> Seen {
    let body = r#"{"code":14,"message":"what is served here is not known yet: a service has not told its schema"}"#;
    Seen {
        status: 503,
        headers: headers(&[("retry-after", "1"), ("content-type", "application/json")]),
        body: body.into(),
    }
}

fn nothing(path: &str) -> Seen {
    json(404, &format!(r#"{{"code":5,"message":"nothing is served at {path}"}}"#))
}

#[tokio::test]
async fn until_a_schema_has_come_its_routes_are_503_and_others_are_served() {
    let upstreams = vec![
        upstream("a", SchemaSource::None),
        upstream("b", SchemaSource::Like("c".into())),
        upstream("c", reflection()),
    ];
    let routes = vec![route("A", "", "a"), route("B", "b.test", "b"), route("A", "b.test", "a")];
    let a = thing("A", "id");
    let rig = Rig::new(upstreams, routes, &[("a", &a)]);
    assert_eq!(rig.get("http://a.test/a").await, json(200, r#"{"id":1}"#));
    assert_eq!(rig.get("http://a.test/b").await, nothing("/b"));
    assert_eq!(rig.get("http://b.test/a").await, json(200, r#"{"id":1}"#));
    assert_eq!(rig.get("http://b.test/b").await, unknown());
    assert_eq!(rig.get("http://b.test/c").await, unknown());

    // Messages of native gRPC are not looked into: it needs no schema.
    let upstreams = Single(Scripted::unary(b"\x08\x01"));
    let native = request("POST http://b.test/test.B/Get", &[("content-type", "application/grpc")], "");
    assert_eq!(send(&rig.gateway, &upstreams, native).await.status, 200);
    assert_eq!(upstreams.0.request().0.uri, "http://b/test.B/Get");

    // Who fetches schemas is told whose is wanted: that at the end of `like`.
    assert!(hinted(&rig.gateway, 2).await);

    let b = thing("B", "number");
    rig.replace(&[("a", &a), ("b", &b), ("c", &b)]);
    assert_eq!(rig.get("http://b.test/a").await, json(200, r#"{"id":1}"#));
    assert_eq!(rig.get("http://b.test/b").await, json(200, r#"{"number":1}"#));
    assert_eq!(rig.get("http://b.test/c").await, nothing("/c"));
}

#[tokio::test]
async fn one_service_on_two_upstreams_has_two_schemas() {
    let upstreams = vec![upstream("old", SchemaSource::None), upstream("new", SchemaSource::None)];
    let routes = vec![route("A", "", "old"), route("A", "new.test", "new")];
    let (old, new) = (thing("A", "id"), thing("A", "number"));
    let rig = Rig::new(upstreams, routes, &[("old", &old), ("new", &new)]);
    assert_eq!(rig.get("http://old.test/a").await, json(200, r#"{"id":1}"#));
    assert_eq!(rig.get("http://new.test/a").await, json(200, r#"{"number":1}"#));

    // Details of errors as well are what their own upstream calls them.
    let failed = |host: &str| {
        let detail = Detail { type_url: "type.googleapis.com/test.Thing".into(), value: b"\x08\x07".to_vec().into() };
        let status = Status { details: vec![detail], ..Status::new(Code::Aborted, "no") };
        let mut trailers = http::HeaderMap::new();
        status.write_trailers(&mut trailers);
        let upstreams = Single(Scripted::new(vec![Frame::trailers(trailers)]));
        let request = request(&format!("GET http://{host}/a"), &[], "");
        let gateway = Arc::clone(&rig.gateway);
        async move { send(&gateway, &upstreams, request).await.body }
    };
    let body = |field: &str| {
        let detail = format!(r#"{{"@type":"type.googleapis.com/test.Thing","{field}":7}}"#);
        format!(r#"{{"code":10,"message":"no","details":[{detail}]}}"#)
    };
    assert_eq!(failed("old.test").await, body("id"));
    assert_eq!(failed("new.test").await, body("number"));
}

#[tokio::test]
async fn a_request_that_has_begun_keeps_its_schema() {
    let rig = Rig::new(vec![upstream("a", reflection())], vec![route("A", "", "a")], &[("a", &thing("A", "id"))]);
    let frames = || vec![data(b"\x08\x01"), data(b"\x08\x02"), trailers(&[("grpc-status", "0")])];
    let watch = || request("GET /a:watch", &[], "");
    let old = pipeline::handle(&rig.gateway, &Single(Scripted::new(frames())), watch(), &Peer::unknown()).await;
    rig.replace(&[("a", &thing("A", "number"))]);
    let body = old.into_body().collect().await.expect("the stream ends in order").to_bytes();
    assert_eq!(body, r#"[{"id":1},{"id":2}]"#);
    let new = send(&rig.gateway, &Single(Scripted::new(frames())), watch()).await;
    assert_eq!(new, json(200, r#"[{"number":1},{"number":2}]"#));
}

#[tokio::test]
async fn only_a_snapshot_of_the_same_config_is_taken() {
    let new = || {
        let schema = thing("A", "id");
        Rig::new(vec![upstream("a", reflection())], vec![route("A", "", "a")], &[("a", &schema)])
    };
    let (one, other) = (new(), new());
    let snapshot = compile(&other.config, &other.metrics, 2, &[]);
    assert!(one.gateway.replace(snapshot).is_err());
    assert_eq!(one.gateway.snapshot().generation, 1);
}

#[tokio::test]
async fn a_method_that_the_upstream_does_not_have_makes_its_schema_doubtful() {
    let rig = Rig::new(vec![upstream("a", reflection())], vec![route("A", "", "a")], &[("a", &thing("A", "id"))]);
    let upstreams = Single(Scripted::new(vec![trailers(&[("grpc-status", "12")])]));
    let seen = send(&rig.gateway, &upstreams, request("GET /a", &[], "")).await;
    assert_eq!(seen, json(501, r#"{"code":12,"message":""}"#));
    assert!(hinted(&rig.gateway, 0).await);
}

/// A config that names one host alone serves it, and nothing else.
#[tokio::test]
async fn the_only_host_of_a_config_is_served_and_no_other() {
    for (host, other) in
        [(HostPattern::Exact("api.test".into()), "www.api.test"), (HostPattern::Suffix(".api.test".into()), "api.test")]
    {
        let served = if other == "api.test" { "www.api.test" } else { "api.test" };
        let routes = vec![rig::route("test.One", host, "up")];
        let rig = Rig::new(vec![upstream("up", SchemaSource::None)], routes, &[("up", &thing("One", "one"))]);
        assert_eq!(rig.get(&format!("http://{served}/one")).await, json(200, r#"{"one":1}"#));
        assert_eq!(rig.get(&format!("http://{other}/one")).await.status, 404);
        let options = async |host: &str| {
            let request = request(&format!("OPTIONS http://{host}/one"), &[], "");
            send(&rig.gateway, &Single(Scripted::unary(b"")), request).await.status
        };
        assert_eq!((options(served).await, options(other).await), (204, 404));
        let called = async |host: &str| {
            let mut call = request("POST /test.One/Get", &[("host", host), ("content-type", "application/grpc")], "");
            *call.version_mut() = http::Version::HTTP_2;
            send(&rig.gateway, &Single(Scripted::unary(b"\x08\x01")), call).await.headers.contains_key("grpc-status")
        };
        assert_eq!(
            (called(served).await, called(other).await),
            (false, true),
            "the status of a call that is not routed stands in the head"
        );
    }
}
