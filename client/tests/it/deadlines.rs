//! Deadlines: whose counts, who is told, and what becomes of what is late.

use crate::{Frames, SECOND, get, now, read, status};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty};
use std::convert::Infallible;
use std::time::Duration;
use tidegate_client::{Cause, Deadline, DeadlineLayer, Protocol, Refused};
use tower::{Layer as _, ServiceExt as _, service_fn};

fn grpc(timeout: Option<Duration>) -> DeadlineLayer {
    let layer = DeadlineLayer::new(Protocol::Grpc);
    timeout.map_or(layer, |timeout| layer.timeout(timeout))
}

fn asking(timeout: Option<&str>) -> Request<Empty<Bytes>> {
    let mut request = get();
    if let Some(timeout) = timeout {
        request.headers_mut().insert("grpc-timeout", timeout.parse().expect("a value"));
    }
    request
}

/// What a service sees of its deadline: the header, and what is left by its extensions and by the task.
async fn seen(
    layer: DeadlineLayer,
    request: Request<Empty<Bytes>>,
) -> (Option<String>, Option<Duration>, Option<Duration>) {
    let service = service_fn(|request: Request<_>| async move {
        let said = request.headers().get("grpc-timeout").map(|value| value.to_str().expect("text").to_owned());
        let told = (said, Deadline::of(&request).map(Deadline::left), Deadline::current().map(Deadline::left));
        let mut answer = Response::new(Frames::default());
        answer.extensions_mut().insert(told);
        Ok::<_, Infallible>(answer)
    });
    let answer = layer.layer(service).oneshot(request).await.expect("no error");
    answer.extensions().get().cloned().expect("what it saw")
}

#[tokio::test(start_paused = true)]
async fn the_earliest_of_all_deadlines_counts_and_is_told() {
    let own = Some(3 * SECOND);
    let told = |text: &str, left: Duration| (Some(text.to_owned()), Some(left), Some(left));
    assert_eq!(seen(grpc(own), asking(None)).await, told("3000000u", 3 * SECOND));
    assert_eq!(seen(grpc(own), asking(Some("2S"))).await, told("2000000u", 2 * SECOND));
    assert_eq!(seen(grpc(own), asking(Some("1H"))).await, told("3000000u", 3 * SECOND));
    assert_eq!(seen(grpc(None), asking(Some("50m"))).await, told("50000000n", Duration::from_millis(50)));
    assert_eq!(seen(grpc(None), asking(None)).await, (None, None, None));
    assert_eq!(seen(grpc(None), asking(Some("soon"))).await, (Some("soon".into()), None, None));
    let outer = Deadline::after(SECOND).expect("a second");
    assert_eq!(outer.scope(seen(grpc(own), asking(None))).await, told("1000000u", SECOND));
    let http = DeadlineLayer::new(Protocol::Http).timeout(SECOND);
    assert_eq!(seen(http, get()).await, (None, Some(SECOND), Some(SECOND)));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_late_is_dropped_and_answered() {
    let silent = service_fn(|_: Request<_>| std::future::pending::<Result<Response<Frames>, Infallible>>());
    for (protocol, answer) in [(Protocol::Http, (504, None)), (Protocol::Grpc, (200, Some("4".to_owned())))] {
        let layer = DeadlineLayer::new(protocol).timeout(SECOND);
        let began = now();
        let late = layer.layer(silent).oneshot(get()).await.expect("no error");
        assert_eq!(began.elapsed(), SECOND);
        assert_eq!(Refused::of(&late).map(|refused| refused.cause), Some(Cause::Deadline));
        assert_eq!(read(late).await, answer);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stalls_ends_by_the_deadline() {
    let stalls = service_fn(|_: Request<_>| async {
        let frames = [Frame::data(Bytes::from_static(b"begun"))].into();
        Ok::<_, Infallible>(Response::new(Frames { frames, hangs: true }))
    });
    let answer = grpc(Some(SECOND)).layer(stalls).oneshot(get()).await.expect("no error");
    let began = now();
    let collected = answer.into_body().collect().await.expect("it ends in order");
    assert_eq!(began.elapsed(), SECOND);
    let trailers = collected.trailers().cloned().expect("a status");
    assert_eq!(trailers["grpc-status"], "4");
    assert_eq!(collected.to_bytes(), "begun");
    let http = DeadlineLayer::new(Protocol::Http).timeout(SECOND);
    let http = http.layer(stalls).oneshot(get()).await.expect("no error");
    let error = http.into_body().collect().await.expect_err("it breaks off").to_string();
    assert_eq!(error, "the deadline passed before the answer ended");
}

#[tokio::test(start_paused = true)]
async fn without_a_deadline_nothing_ends() {
    let service = service_fn(|_: Request<_>| async {
        tokio::time::sleep(1000 * SECOND).await;
        Ok::<_, Infallible>(status(200))
    });
    let answer = DeadlineLayer::new(Protocol::Http).layer(service).oneshot(get()).await.expect("no error");
    assert_eq!(read(answer).await, (200, None));
}
