//! Headers in both directions.

use crate::rig::{Scripted, ask, data, request, trailers};

#[tokio::test]
async fn ids_and_allowed_headers_pass_and_the_rest_is_ours() {
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let lines = [
        ("host", "api.test:80"),
        ("x-request-id", "abc-1"),
        ("traceparent", traceparent),
        ("tracestate", "a=b"),
        ("x-env", "blue"),
        ("x-forwarded-for", "6.6.6.6"),
        ("cookie", "secret"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-request-timeout", "2"),
    ];
    let (_, up) = ask(Scripted::unary(b""), request("GET /things/7", &lines, "")).await;
    let (head, _) = up.0.request();
    let mut got: Vec<String> =
        head.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect();
    got.sort();
    let timeout =
        got.iter().position(|line| line.starts_with("grpc-timeout: ")).map(|at| got.remove(at)).expect("a deadline");
    let millis: u64 = timeout["grpc-timeout: ".len()..].trim_end_matches('m').parse().expect("milliseconds");
    assert!((1_000..=2_000).contains(&millis), "{timeout}");
    let mut want = vec![
        "content-type: application/grpc".to_owned(),
        "te: trailers".into(),
        format!("traceparent: {traceparent}"),
        "tracestate: a=b".into(),
        concat!("user-agent: tidegate/", env!("CARGO_PKG_VERSION")).into(),
        "x-env: blue".into(),
        "x-forwarded-for: unknown".into(),
        "x-forwarded-host: api.test:80".into(),
        "x-forwarded-proto: http".into(),
        "x-request-id: abc-1".into(),
    ];
    want.sort();
    assert_eq!(got, want);
}

#[tokio::test]
async fn a_request_without_ids_gets_well_formed_ones() {
    let (_, up) =
        ask(Scripted::unary(b""), request("GET /things/7", &[("x-request-id", "bad id"), ("traceparent", "junk")], ""))
            .await;
    let (head, _) = up.0.request();
    let id = head.headers["x-request-id"].to_str().expect("text").to_owned();
    let trace = head.headers["traceparent"].to_str().expect("text").to_owned();
    assert!(id.len() == 36 && tidegate_telemetry::request_id::is_well_formed(id.as_bytes()), "{id}");
    assert!(tidegate_telemetry::trace_context::TraceContext::parse(trace.as_bytes()).is_ok(), "{trace}");
}

#[tokio::test]
async fn a_header_that_metadata_cannot_carry_is_400() {
    let (seen, _) = ask(Scripted::unary(b""), request("GET /things/7", &[("x-name", "J\u{fc}")], "")).await;
    let want = r#"{"code":3,"message":"header `x-name` holds a character that gRPC metadata cannot carry (printable ASCII only)"}"#;
    assert_eq!((seen.status, seen.body.as_str()), (400, want));
}

#[tokio::test]
async fn reply_metadata_becomes_headers_in_success_and_in_failure() {
    let mut ok = Scripted::new(vec![data(b""), trailers(&[("grpc-status", "0"), ("x-last", "z")])]);
    ok.head.headers_mut().insert("x-first", "a".parse().expect("value"));
    let (seen, _) = ask(ok, request("GET /things/7", &[], "")).await;
    assert_eq!(
        (&seen.headers["x-first"], &seen.headers["x-last"], seen.status),
        (&"a".parse().expect("value"), &"z".parse().expect("value"), 200)
    );
    let failed =
        Scripted::new(vec![trailers(&[("grpc-status", "5"), ("grpc-message", "no%20thing"), ("x-last", "z")])]);
    let (seen, _) = ask(failed, request("GET /things/7", &[], "")).await;
    assert_eq!((seen.status, seen.body.as_str()), (404, r#"{"code":5,"message":"no thing"}"#));
    assert_eq!(seen.headers["x-last"], "z");
    assert!(!seen.headers.contains_key("grpc-status"));
}
