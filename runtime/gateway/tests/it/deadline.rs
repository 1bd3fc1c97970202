//! Deadlines and silence, in virtual time.

use crate::rig::{Scripted, Stopped, ask, data, echo, json, request, send};
use tidegate_gateway::Single;

#[tokio::test(start_paused = true)]
async fn a_silent_stream_ends_after_the_idle_timeout_with_an_error_element() {
    let mut scripted = Scripted::new(vec![data(b"\x08\x01")]);
    scripted.hangs = true;
    let (seen, up) = ask(scripted, request("GET /things/1:watch", &[], "")).await;
    let want = r#"[{"id":1},{"error":{"code":4,"message":"the stream was silent for 300 s"}}]"#;
    assert_eq!((seen.status, seen.body.as_str()), (200, want));
    assert_eq!(*up.0.cancelled.lock(), 1);
}

#[tokio::test]
async fn timeouts_that_cannot_be_read_are_400() {
    for (name, value) in [("grpc-timeout", "1x"), ("x-request-timeout", "soon")] {
        let (seen, _) = ask(Scripted::unary(b""), request("GET /things/1", &[(name, value)], "")).await;
        assert_eq!(seen.status, 400, "{name}: {value}");
        assert!(seen.body.contains(name), "{}", seen.body);
    }
}

/// The paused clock jumps to whatever is waited for.
#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the paused clock is the one that the test is about")]
async fn a_body_that_does_not_come_in_time_is_504() {
    for (line, lines, seconds) in [
        ("PUT /things/7", &[][..], 15),
        ("PUT /things/7", &[("x-request-timeout", "2")][..], 2),
        ("GET /things/7:watch", &[][..], 15),
    ] {
        let began = tokio::time::Instant::now();
        let asked = request(line, lines, "").map(|_| Stopped(None));
        let seen = send(&echo(), &Single(Scripted::unary(b"")), asked).await;
        assert_eq!(seen, json(504, r#"{"code":4,"message":"the deadline passed before the request's body came"}"#));
        assert_eq!(began.elapsed().as_secs(), seconds, "{line} {lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_begins_ends_after_the_idle_timeout_with_a_status_line() {
    for silent in [true, false] {
        let mut scripted = Scripted::new(Vec::new());
        (scripted.silent, scripted.hangs) = (silent, true);
        let (seen, _) = ask(scripted, request("GET /things/1:watch", &[], "")).await;
        assert_eq!(seen, json(504, r#"{"code":4,"message":"the stream was silent for 300 s"}"#));
    }
}
