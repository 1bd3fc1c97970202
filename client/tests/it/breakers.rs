//! Breakers: whose failures open them, and what never keeps a place.

use crate::{Frames, SECOND, get, grpc, grpc_in_head, read, status};
use http::{Request, Response};
use parking_lot::Mutex;
use std::convert::Infallible;
use std::sync::Arc;
use tidegate_client::breaker::{Settings, State, Window};
use tidegate_client::{BreakerLayer, Cause, Classify, Judged, Protocol, Refused, Share, by_beginning};
use tokio::time::advance;
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

/// Half of at least four; two probes.
fn settings() -> Settings {
    Settings { window: Window::Calls(8), min_calls: 4, half_open: 2, ..Settings::default() }
}

/// Makes a call of a service that answers so, and reads the answer to its end.
async fn call<C>(layer: &BreakerLayer<C>, answer: impl Fn() -> Response<Frames> + Clone + Send) -> (u16, Option<String>)
where
    C: Classify<Infallible> + Clone + Send + 'static,
{
    let service = service_fn(move |_: Request<_>| std::future::ready(Ok::<_, Infallible>(answer())));
    read(layer.layer(service).oneshot(get()).await.expect("no error")).await
}

async fn opened(protocol: Protocol) -> BreakerLayer {
    let layer = BreakerLayer::new(protocol, settings());
    for _ in 0..4 {
        call(&layer, || if protocol == Protocol::Http { status(500) } else { grpc("13") }).await;
    }
    assert_eq!(layer.state(), State::Open);
    layer
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_not_called_until_probes_end_well() {
    let layer = opened(Protocol::Http).await;
    let never =
        service_fn(|_: Request<_>| async { panic!("it is not called") as Result<Response<Frames>, Infallible> });
    let answer = layer.layer(never).oneshot(get()).await.expect("no error");
    let refused = *Refused::of(&answer).expect("the layer's answer");
    assert_eq!(refused.cause, Cause::Breaker(State::Open));
    assert!(refused.retry_after.is_some_and(|after| (5 * SECOND..=6 * SECOND).contains(&after)), "{refused:?}");
    let retry_after = answer.headers()["retry-after"].to_str().expect("a number").to_owned();
    assert!(["5", "6"].contains(&retry_after.as_str()), "{retry_after}");
    assert_eq!(read(answer).await, (503, None));
    advance(6 * SECOND).await;
    assert_eq!(call(&layer, || status(200)).await, (200, None));
    assert_eq!(layer.state(), State::HalfOpen);
    assert_eq!(call(&layer, || status(404)).await, (404, None), "the service says no: that is no failure");
    assert_eq!(layer.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_status_behind_the_message_counts_as_one_in_the_head() {
    for (answer, opens) in [
        (
            grpc as fn(&'static str) -> _,
            [("13", true), ("2", true), ("14", true), ("4", true), ("15", true), ("0", false)],
        ),
        (grpc_in_head, [("13", true), ("99", true), ("5", false), ("8", false), ("12", false), ("16", false)]),
    ] {
        for (code, opens) in opens {
            let layer = BreakerLayer::new(Protocol::Grpc, settings());
            for _ in 0..4 {
                call(&layer, move || answer(code)).await;
            }
            assert_eq!(layer.state() == State::Open, opens, "{code}");
        }
    }
    let layer = opened(Protocol::Grpc).await;
    assert_eq!(call(&layer, || grpc("0")).await, (200, Some("14".into())));
    let layer = BreakerLayer::new(Protocol::Grpc, settings());
    for _ in 0..4 {
        call(&layer, || Response::new(Frames::default())).await;
    }
    assert_eq!(layer.state(), State::Open, "an answer without a status broke off");
    let layer = BreakerLayer::new(Protocol::Grpc, settings());
    let empty = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(Response::new(Frames::default())) });
    let unread: Vec<_> = [(); 4].map(|()| layer.layer(empty).oneshot(get())).into();
    for answer in unread {
        drop(answer.await);
    }
    assert_eq!(layer.state(), State::Open, "whether anybody looks for it or not");
}

#[tokio::test(start_paused = true)]
async fn errors_count_and_reach_the_caller() {
    let layer = BreakerLayer::new(Protocol::Http, settings());
    for _ in 0..4 {
        let broken = service_fn(|_: Request<_>| async { Err::<Response<Frames>, _>("broken") });
        assert_eq!(layer.layer(broken).oneshot(get()).await.map(drop), Err("broken"));
    }
    assert_eq!(layer.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn callers_that_leave_give_the_places_of_their_probes_back() {
    let layer = opened(Protocol::Grpc).await;
    advance(6 * SECOND).await;
    for _ in 0..5 {
        let silent = service_fn(|_: Request<_>| std::future::pending::<Result<Response<Frames>, Infallible>>());
        let left = tokio::time::timeout(SECOND, layer.layer(silent).oneshot(get())).await;
        assert!(left.is_err(), "it was admitted, and waits");
        // An answer that nobody reads to its end.
        let service = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(grpc("0")) });
        drop(layer.layer(service).oneshot(get()).await);
        let layer = layer.clone();
        let panics = async move {
            let panics =
                service_fn(|_: Request<_>| async { panic!("on purpose") as Result<Response<Frames>, Infallible> });
            layer.layer(panics).oneshot(get()).await.map(drop)
        };
        assert!(tokio::spawn(panics).await.expect_err("it panics").is_panic());
    }
    assert_eq!(layer.state(), State::HalfOpen);
    assert_eq!(call(&layer, || grpc("0")).await.1.as_deref(), Some("0"));
    assert_eq!(call(&layer, || grpc("0")).await.1.as_deref(), Some("0"));
    assert_eq!(layer.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_it_and_a_stream_may_be_judged_by_its_beginning() {
    let slow = Settings { slow_call: SECOND, slow_rate: Share::percent(50), ..settings() };
    let stream = |layer: BreakerLayer<_>| async move {
        let service = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(grpc("0")) });
        let answer = layer.layer(service).oneshot(get()).await.expect("no error");
        advance(2 * SECOND).await;
        read(answer).await;
    };
    let layer = BreakerLayer::new(Protocol::Grpc, slow);
    for _ in 0..4 {
        stream(layer.clone().classify(by_beginning(Protocol::Grpc))).await;
    }
    assert_eq!(layer.state(), State::Closed);
    let service = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(grpc("0")) });
    for _ in 0..4 {
        let answer = layer.layer(service).oneshot(get()).await.expect("no error");
        advance(2 * SECOND).await;
        read(answer).await;
    }
    assert_eq!(layer.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn what_is_a_failure_may_be_said_otherwise_and_changes_are_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let layer = BreakerLayer::new(Protocol::Http, settings())
        .on_change(move |change| listener.lock().push(change.why.to_string()))
        .classify(|head: &http::response::Parts| match head.status.as_u16() {
            429 => Judged::Failed,
            500.. => Judged::Nothing,
            _ => Judged::Well,
        });
    for _ in 0..8 {
        call(&layer, || status(500)).await;
    }
    assert_eq!(layer.state(), State::Closed);
    for _ in 0..4 {
        call(&layer, || status(429)).await;
    }
    assert_eq!(layer.state(), State::Open);
    layer.close();
    layer.force_open();
    assert_eq!(call(&layer, || status(200)).await.0, 503);
    layer.disable();
    assert_eq!(call(&layer, || status(429)).await.0, 429);
    let want = ["4 of 4 calls failed", "by command", "by command", "by command"];
    assert_eq!(*told.lock(), want);
}

#[tokio::test(start_paused = true)]
async fn services_of_one_layer_have_one_breaker() {
    let layer = BreakerLayer::new(Protocol::Http, settings());
    let service = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(status(500)) });
    let (mut one, mut other) = (layer.layer(service), layer.clone().layer(service));
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(one.ready().await.expect("ready").call(get()).await.expect("no error").status().as_u16());
        seen.push(other.ready().await.expect("ready").call(get()).await.expect("no error").status().as_u16());
    }
    assert_eq!(seen, [500, 500, 500, 500, 503, 503]);
}
