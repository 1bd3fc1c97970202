//! Every request ends once, and is counted under the status it ended with.

use crate::rig::{Scripted, Stopped, data, echo, request, send};
use http_body_util::BodyExt;
use std::future::Future;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tidegate_gateway::{Gateway, Peer, Single, pipeline};

/// The series of the request histogram that counted something: `route method status code` and how often.
pub(crate) fn counted(gateway: &Arc<Gateway>) -> Vec<(String, String)> {
    let mut text = String::new();
    gateway.telemetry().metrics.encode(&mut text).expect("text");
    let lines = text.lines().filter_map(|line| line.strip_prefix("tidegate_request_duration_seconds_count{"));
    lines.filter_map(|line| line.split_once("} ")).map(|(labels, count)| (labels.into(), count.into())).collect()
}

fn labels(route: &str, method: &str, status: u16, code: &str) -> String {
    format!(r#"route="{route}",method="{method}",status_code="{status}",grpc_code="{code}""#)
}

#[tokio::test]
async fn answers_count_under_route_method_and_status() {
    let gateway = echo();
    let up = Single(Scripted::unary(b""));
    send(&gateway, &up, request("GET /things/1", &[], "")).await;
    send(&gateway, &up, request("GET /things/2", &[], "")).await;
    send(&gateway, &up, request("GET /nothing", &[], "")).await;
    let mut got = counted(&gateway);
    got.sort();
    let want = [
        (labels("(none)", "(any)", 404, "NOT_FOUND"), "1".into()),
        (labels("/things/{id}", "GET", 200, "OK"), "2".into()),
    ];
    assert_eq!(got, want);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_499() {
    let gateway = echo();
    let mut scripted = Scripted::unary(b"");
    scripted.silent = true;
    let up = Single(scripted);
    let peer = Peer::unknown();
    {
        let mut call = Box::pin(pipeline::handle(&gateway, &up, request("GET /things/1", &[], ""), &peer));
        assert!(matches!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    }
    assert_eq!(counted(&gateway), [(labels("/things/{id}", "GET", 499, "CANCELLED"), "1".into())]);
    assert_eq!(gateway.telemetry().metrics.in_flight().get(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_is_499_and_cancels_the_call() {
    let gateway = echo();
    let mut scripted = Scripted::new(vec![data(b"\x08\x01")]);
    scripted.hangs = true;
    let up = Single(scripted);
    let response = pipeline::handle(&gateway, &up, request("GET /things/1:watch", &[], ""), &Peer::unknown()).await;
    let mut body = response.into_body();
    let first = body.frame().await.expect("a frame").expect("no error");
    assert_eq!(first.data_ref().map(|data| &data[..]), Some(&br#"[{"id":1}"#[..]));
    drop(body);
    assert_eq!(counted(&gateway), [(labels("/things/{id}:watch", "GET", 499, "CANCELLED"), "1".into())]);
    assert_eq!(*up.0.cancelled.lock(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_within_its_body_is_499_and_one_that_frames_it_badly_400() {
    for (kind, status, code) in [
        (ErrorKind::UnexpectedEof, 499, "CANCELLED"),
        (ErrorKind::ConnectionReset, 499, "CANCELLED"),
        (ErrorKind::InvalidInput, 400, "INVALID_ARGUMENT"),
    ] {
        let gateway = echo();
        let asked = request("PUT /things/7", &[], "").map(|_| Stopped(Some(kind)));
        let seen = send(&gateway, &Single(Scripted::unary(b"")), asked).await;
        assert_eq!(seen.status, status, "{kind}");
        assert_eq!(counted(&gateway), [(labels("/things/{id}", "PUT", status, code), "1".into())]);
    }
}
