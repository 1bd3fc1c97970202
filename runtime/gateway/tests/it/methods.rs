//! HEAD and OPTIONS, which few rules are for.

use crate::rig::{Scripted, Seen, ask, data, gateway, headers, json, request, send, trailers};
use std::sync::Arc;
use tidegate_gateway::{Gateway, Single};

/// The same headers and no body.
fn head_of(mut seen: Seen) -> Seen {
    let length = std::mem::take(&mut seen.body).len();
    seen.headers.insert("content-length", length.into());
    seen
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let scripted = || Scripted::unary(b"\x08\x07");
    let (get, _) = ask(scripted(), request("GET /things/7", &[], "")).await;
    assert_eq!(get, json(200, r#"{"id":7}"#));
    let (head, upstreams) = ask(scripted(), request("HEAD /things/7", &[], "")).await;
    assert_eq!(head, head_of(get));
    assert_eq!(upstreams.0.request().0.uri.path(), "/test.Echo/Get", "the call is made");

    // Errors as well, of the service and of the gateway.
    let failing = || Scripted::new(vec![trailers(&[("grpc-status", "5"), ("grpc-message", "no")])]);
    let (get, _) = ask(failing(), request("GET /things/7", &[], "")).await;
    assert_eq!(get, json(404, r#"{"code":5,"message":"no"}"#));
    assert_eq!(ask(failing(), request("HEAD /things/7", &[], "")).await.0, head_of(get));
    let (get, _) = ask(scripted(), request("GET /nothing", &[], "")).await;
    assert_eq!(ask(scripted(), request("HEAD /nothing", &[], "")).await.0, head_of(get));
}

#[tokio::test]
async fn of_a_stream_head_gets_the_headers_and_the_call_is_cancelled() {
    let mut scripted = Scripted::new(vec![data(b"\x08\x01")]);
    scripted.hangs = true;
    let cancelled = Arc::clone(&scripted.cancelled);
    let (seen, _) = ask(scripted, request("HEAD /things/1:watch", &[("accept", "text/event-stream")], "")).await;
    let want = headers(&[("content-type", "text/event-stream")]);
    assert_eq!(seen, Seen { status: 200, headers: want, body: String::new() });
    assert_eq!(*cancelled.lock(), 1);
}

fn allowed(allow: &'static str) -> Seen {
    Seen { status: 204, headers: headers(&[("allow", allow)]), body: String::new() }
}

#[tokio::test]
async fn options_tells_which_methods_there_are() {
    let options = |uri: &str| {
        let request = request(&format!("OPTIONS {uri}"), &[], "");
        async move { ask(Scripted::unary(b""), request).await.0 }
    };
    assert_eq!(options("/things/7").await, allowed("GET, HEAD, OPTIONS, PUT"));
    assert_eq!(options("/things:upload").await, allowed("OPTIONS, POST"));
    assert_eq!(options("*").await, allowed("GET, HEAD, OPTIONS, POST, PUT"));
    assert_eq!(options("/nothing").await, json(404, r#"{"code":5,"message":"nothing is served at /nothing"}"#));
}

/// Rules for HEAD, OPTIONS and every method.
fn custom() -> Arc<Gateway> {
    let text = r#"syntax = "proto3";
package test;
import "google/api/annotations.proto";
service Custom {
  rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: "/both" }; }
  rpc Peek(Thing) returns (Thing) {
    option (google.api.http) = {
      custom { kind: "HEAD" path: "/both" }
      additional_bindings { custom { kind: "OPTIONS" path: "/both" } }
    };
  }
  rpc Any(Thing) returns (Thing) { option (google.api.http) = { custom { kind: "*" path: "/any" } }; }
}
message Thing { int32 id = 1; }
"#;
    gateway(&[("custom.proto", text)], &["test.Custom"], |_| {})
}

#[tokio::test]
async fn rules_for_head_and_options_come_first() {
    let gateway = custom();
    let mut called = Vec::new();
    for line in ["HEAD /both", "OPTIONS /both", "GET /both", "OPTIONS /any", "HEAD /any"] {
        let upstreams = Single(Scripted::unary(b"\x08\x07"));
        let seen = send(&gateway, &upstreams, request(line, &[], "")).await;
        let rpc = upstreams.0.request().0.uri.path().to_owned();
        called.push(format!("{line} {rpc} {} {}", seen.status, seen.body));
    }
    assert_eq!(
        called,
        [
            "HEAD /both /test.Custom/Peek 200 ",
            r#"OPTIONS /both /test.Custom/Peek 200 {"id":7}"#,
            r#"GET /both /test.Custom/Get 200 {"id":7}"#,
            r#"OPTIONS /any /test.Custom/Any 200 {"id":7}"#,
            "HEAD /any /test.Custom/Any 200 ",
        ]
    );
}
