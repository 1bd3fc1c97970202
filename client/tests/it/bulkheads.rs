//! Bulkheads: how many calls are in flight, and that none is forgotten.

use crate::{Frames, SECOND, get, grpc, now, read, status};
use http::{Request, Response};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tidegate_client::bulkhead::{Class, Limit, Settings, Shares, Why};
use tidegate_client::{BulkheadLayer, Cause, DeadlineLayer, Protocol, Refused};
use tokio::sync::Notify;
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};

fn settings(max: u32, queue: u32) -> Settings {
    Settings { limit: Limit::Fixed(max), queue, wait: SECOND, shares: Shares::EVEN }
}

/// A service that answers when it is told to.
fn waiting(
    go: &Arc<Notify>,
) -> impl tower::Service<
    Request<http_body_util::Empty<bytes::Bytes>>,
    Response = Response<Frames>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ use<> {
    let go = Arc::clone(go);
    service_fn(move |_: Request<_>| {
        let go = Arc::clone(&go);
        async move {
            go.notified().await;
            Ok::<_, Infallible>(status(200))
        }
    })
}

fn levels(layer: &BulkheadLayer) -> (u32, u32) {
    let figures = layer.figures();
    (figures.in_flight, figures.queued)
}

#[tokio::test(start_paused = true)]
async fn so_many_are_in_flight_a_few_wait_and_the_rest_is_refused() {
    let (layer, go) = (BulkheadLayer::new(Protocol::Http, settings(2, 1)), Arc::new(Notify::new()));
    let ask = || tokio::spawn(layer.layer(waiting(&go)).oneshot(get()));
    let calls: Vec<_> = (0..3).map(|_| ask()).collect();
    tokio::task::yield_now().await;
    assert_eq!(levels(&layer), (2, 1));
    let refused = ask().await.expect("no panic").expect("no error");
    assert_eq!(Refused::of(&refused).map(|refused| refused.cause), Some(Cause::Bulkhead(Why::Queue)));
    assert_eq!(read(refused).await, (503, None));
    for call in calls {
        go.notify_one();
        read(call.await.expect("no panic").expect("no error")).await;
    }
    assert_eq!(levels(&layer), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_is_in_flight_until_its_answer_was_read_or_dropped() {
    let layer = BulkheadLayer::new(Protocol::Grpc, settings(1, 0));
    let service = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(grpc("0")) });
    let first = layer.layer(service).oneshot(get()).await.expect("no error");
    assert_eq!(levels(&layer), (1, 0));
    let second = layer.layer(service).oneshot(get()).await.expect("no error");
    assert_eq!(read(second).await, (200, Some("14".into())));
    assert_eq!(read(first).await, (200, Some("0".into())));
    assert_eq!(levels(&layer), (0, 0));
    drop(layer.layer(service).oneshot(get()).await);
    assert_eq!(levels(&layer), (0, 0));
    let empty = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(status(204)) });
    let _unread = layer.layer(empty).oneshot(get()).await.expect("no error");
    assert_eq!(levels(&layer), (0, 0), "there is nothing to read");
}

#[tokio::test(start_paused = true)]
async fn callers_that_leave_and_services_that_panic_leave_nothing_behind() {
    let (layer, go) = (BulkheadLayer::new(Protocol::Http, settings(1, 4)), Arc::new(Notify::new()));
    for _ in 0..3 {
        let calls: Vec<_> = (0..5).map(|_| tokio::spawn(layer.layer(waiting(&go)).oneshot(get()))).collect();
        tokio::task::yield_now().await;
        assert_eq!(levels(&layer), (1, 4));
        for call in &calls {
            call.abort();
        }
        for call in calls {
            assert!(call.await.expect_err("it was aborted").is_cancelled());
        }
        assert_eq!(levels(&layer), (0, 0));
        let panics = service_fn(|_: Request<_>| async { panic!("on purpose") as Result<Response<Frames>, Infallible> });
        let call = tokio::spawn(layer.layer(panics).oneshot(get()));
        assert!(call.await.expect_err("it panics").is_panic());
        assert_eq!(levels(&layer), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_they_may() {
    let (layer, go) = (BulkheadLayer::new(Protocol::Http, settings(1, 4)), Arc::new(Notify::new()));
    let first = tokio::spawn(layer.layer(waiting(&go)).oneshot(get()));
    tokio::task::yield_now().await;
    let refused = layer.layer(waiting(&go)).oneshot(get()).await.expect("no error");
    assert_eq!(Refused::of(&refused).map(|refused| refused.cause), Some(Cause::Bulkhead(Why::Waited)));
    assert_eq!(levels(&layer), (1, 0));
    let late = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Protocol::Http).timeout(Duration::from_millis(100)))
        .layer(layer.clone())
        .service(waiting(&go));
    let began = now();
    let refused = late.oneshot(get()).await.expect("no error");
    assert_eq!(Refused::of(&refused).map(|refused| refused.cause), Some(Cause::Bulkhead(Why::Deadline)));
    assert_eq!((began.elapsed(), levels(&layer)), (Duration::from_millis(100), (1, 0)));
    go.notify_one();
    read(first.await.expect("no panic").expect("no error")).await;
}

#[tokio::test(start_paused = true)]
async fn lower_classes_are_refused_first() {
    let settings = Settings { shares: Shares::CLASSES, ..settings(10, 0) };
    let layer = BulkheadLayer::new(Protocol::Http, settings).class(|head| match head.uri.path() {
        "/healthz" => Class::Critical,
        "/batch" => Class::Low,
        _ => Class::Normal,
    });
    let go = Arc::new(Notify::new());
    let ask = |path: &str| {
        let request = Request::get(path).body(http_body_util::Empty::new()).expect("a request");
        tokio::spawn(layer.layer(waiting(&go)).oneshot(request))
    };
    let (mut in_flight, mut kept) = (Vec::new(), Vec::new());
    for (path, admitted) in [("/batch", 7), ("/", 2), ("/healthz", 1)] {
        let calls: Vec<_> = (0..10).map(|_| ask(path)).collect();
        tokio::task::yield_now().await;
        in_flight.push(levels(&layer).0);
        assert_eq!(calls.iter().filter(|call| !call.is_finished()).count(), admitted, "{path}");
        kept.extend(calls);
    }
    assert_eq!(in_flight, [7, 9, 10]);
}
