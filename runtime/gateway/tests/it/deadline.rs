//! Deadlines and silence, in virtual time.

use crate::rig::{Scripted, ask, data, request};

#[tokio::test(start_paused = true)]
async fn a_silent_stream_ends_after_the_idle_timeout_with_an_error_element() {
    let mut scripted = Scripted::new(vec![data(b"\x08\x01")]);
    scripted.hangs = true;
    let (seen, up) = ask(scripted, request("GET /things/1:watch", &[], "")).await;
    let want = r#"[{"id":1},{"error":{"code":4,"message":"the stream was silent for 300 s"}}]"#;
    assert_eq!((seen.status, seen.body.as_str()), (200, want));
    assert_eq!(*up.0.cancelled.lock().expect("not poisoned"), 1);
}

#[tokio::test]
async fn timeouts_that_cannot_be_read_are_400() {
    for (name, value) in [("grpc-timeout", "1x"), ("x-request-timeout", "soon")] {
        let (seen, _) = ask(Scripted::unary(b""), request("GET /things/1", &[(name, value)], "")).await;
        assert_eq!(seen.status, 400, "{name}: {value}");
        assert!(seen.body.contains(name), "{}", seen.body);
    }
}
