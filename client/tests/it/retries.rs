//! Retries: which calls are made again, with what, and how often.

use crate::{Frames, SECOND, get, grpc, grpc_in_head, now, read, status};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tidegate_client::breaker::Settings as BreakerSettings;
use tidegate_client::retry::{Budget, Settings};
use tidegate_client::{BreakerLayer, DeadlineLayer, Protocol, Replay, RetryLayer, Share};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};

/// What the service does, one try after the other; `None` is no answer at all.
type Script = Vec<Option<Response<Frames>>>;

/// What the service saw of each try: its body, and how often the call was made before.
type Seen = Vec<(String, Option<String>)>;

/// Makes a call of a service that does this, and tells what came of it.
async fn made<B>(layer: RetryLayer, request: Request<B>, script: Script) -> ((u16, Option<String>), Seen)
where
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug + Send> + Unpin + Send + 'static,
{
    let (seen, script) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(VecDeque::from(script))));
    let tries = Arc::clone(&seen);
    let service = service_fn(move |request: Request<Replay<B>>| {
        let (tries, script) = (Arc::clone(&tries), Arc::clone(&script));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("the body").to_bytes();
            let before =
                head.headers.get("grpc-previous-rpc-attempts").map(|value| value.to_str().expect("text").into());
            tries.lock().push((String::from_utf8(body.into()).expect("text"), before));
            let answer = script.lock().pop_front().expect("no more tries than that");
            match answer {
                Some(answer) => Ok::<_, Infallible>(answer),
                None => std::future::pending().await,
            }
        }
    });
    let answer = layer.layer(service).oneshot(request).await.expect("no error");
    let answer = read(answer).await;
    let seen = seen.lock().clone();
    (answer, seen)
}

fn tries(attempts: u32) -> Settings {
    Settings { attempts, ..Settings::default() }
}

fn http(settings: Settings) -> RetryLayer {
    RetryLayer::new(Protocol::Http, settings).budget(rich())
}

/// A budget that allows some retries: there were first tries before.
fn rich() -> Arc<Budget> {
    let budget = Budget::new(Share::ALL);
    (0..100).for_each(|_| budget.deposit(Duration::ZERO));
    Arc::new(budget)
}

fn put(body: &str) -> Request<Full<Bytes>> {
    Request::put("/").body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request")
}

#[tokio::test(start_paused = true)]
async fn a_call_that_may_be_made_twice_is_made_until_it_succeeds() {
    let script = vec![Some(status(503)), Some(status(502)), Some(status(200))];
    let (answer, seen) = made(http(tries(3)), put("once"), script).await;
    assert_eq!(answer, (200, None));
    assert_eq!(seen, vec![("once".to_owned(), None); 3], "the body is the same each time");
    let (answer, seen) = made(http(tries(2)), get(), vec![Some(status(503)), Some(status(504))]).await;
    assert_eq!((answer, seen.len()), ((504, None), 2), "the last answer is the caller's");
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_made_twice_or_would_fail_again_is_made_once() {
    let post = Request::post("/").body(Full::new(Bytes::from_static(b"buy"))).expect("a request");
    for (request, answer) in [(post.clone(), 503), (put("x"), 500), (put("x"), 404)] {
        let (got, seen) = made(http(tries(3)), request, vec![Some(status(answer))]).await;
        assert_eq!((got, seen.len()), ((answer, None), 1));
    }
    let safe = http(tries(3)).safe(|head| head.uri.path() == "/");
    let (got, seen) = made(safe, post, vec![Some(status(503)), Some(status(200))]).await;
    assert_eq!((got, seen.len()), ((200, None), 2), "unless it is known to be safe");
}

#[tokio::test(start_paused = true)]
async fn calls_of_grpc_are_made_again_by_their_status_and_tell_how_often() {
    let layer = RetryLayer::new(Protocol::Grpc, Settings { idempotent: true, ..tries(3) }).budget(rich());
    let script = vec![Some(grpc_in_head("14")), Some(grpc_in_head("14")), Some(grpc("0"))];
    let (answer, seen) = made(layer.clone(), get(), script).await;
    assert_eq!(answer, (200, Some("0".into())));
    let before: Vec<_> = seen.into_iter().map(|(_, before)| before).collect();
    assert_eq!(before, [None, Some("1".into()), Some("2".into())]);
    let (answer, seen) = made(layer, get(), vec![Some(grpc("14"))]).await;
    assert_eq!((answer.1.as_deref(), seen.len()), (Some("14"), 1), "its answer had begun");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_long_to_keep_is_sent_once_and_whole() {
    let long = "x".repeat(64 * 1024 + 1);
    let (answer, seen) = made(http(tries(3)), put(&long), vec![Some(status(503))]).await;
    assert_eq!((answer, seen), ((503, None), vec![(long, None)]));
    let frames = ["a", "b"].map(|text| Frame::data(Bytes::from_static(text.as_bytes())));
    let pieces = Request::put("/").body(Frames { frames: frames.into(), hangs: false }).expect("a request");
    let (answer, seen) = made(http(tries(2)), pieces, vec![Some(status(503)), Some(status(200))]).await;
    assert_eq!((answer, seen), ((200, None), vec![("ab".to_owned(), None); 2]));
}

#[tokio::test(start_paused = true)]
async fn a_try_that_does_not_end_is_one_that_failed() {
    let settings = Settings { per_try_timeout: Some(SECOND), ..tries(2) };
    let (answer, seen) = made(http(settings.clone()), get(), vec![None, Some(status(200))]).await;
    assert_eq!((answer, seen.len()), ((200, None), 2));
    let (answer, seen) = made(http(settings), get(), vec![None, None]).await;
    assert_eq!((answer, seen.len()), ((504, None), 2));
}

#[tokio::test(start_paused = true)]
async fn the_service_says_when_to_come_again() {
    let pushing = |name: &'static str, value: &'static str| {
        let mut answer = status(503);
        answer.headers_mut().insert(name, http::HeaderValue::from_static(value));
        Some(answer)
    };
    let began = now();
    let (answer, _) = made(http(tries(2)), get(), vec![pushing("retry-after", "3"), Some(status(200))]).await;
    assert_eq!((answer, began.elapsed().as_secs()), ((200, None), 3));
    let (answer, seen) = made(http(tries(2)), get(), vec![pushing("retry-after", "60")]).await;
    assert_eq!((answer, seen.len()), ((503, None), 1), "longer than anybody waits");
    let (_, seen) = made(http(tries(2)), get(), vec![pushing("grpc-retry-pushback-ms", "-1")]).await;
    assert_eq!(seen.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn retries_are_a_share_of_first_tries() {
    let budget = Arc::new(Budget::new(Share::percent(20)));
    let mut sent = 0;
    for _ in 0..100 {
        let layer = http(tries(3)).budget(Arc::clone(&budget));
        let answers = vec![Some(status(503)), Some(status(503)), Some(status(503))];
        sent += made(layer, get(), answers).await.1.len();
    }
    // One a second besides; the pauses of a hundred calls take less than two.
    assert!((120..=123).contains(&sent), "{sent}");
    assert!(budget.refused() >= 70, "{budget:?}");
}

#[tokio::test(start_paused = true)]
async fn no_try_begins_that_could_not_end_by_the_deadline_and_no_refusal_is_tried_again() {
    let calls = Arc::new(Mutex::new(0));
    let count = Arc::clone(&calls);
    let slow = service_fn(move |_: Request<Replay<_>>| {
        *count.lock() += 1;
        async {
            tokio::time::sleep(Duration::from_millis(999)).await;
            Ok::<_, Infallible>(status(503))
        }
    });
    let pauses = Settings { base: SECOND, max: SECOND, ..tries(9) };
    let breaker = BreakerLayer::new(Protocol::Http, BreakerSettings::default());
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Protocol::Http).timeout(SECOND))
        .layer(http(pauses))
        .layer(breaker.clone())
        .service(slow);
    let answer = service.clone().oneshot(get()).await.expect("no error");
    assert_eq!((read(answer).await, *calls.lock()), ((503, None), 1));
    breaker.force_open();
    let answer = service.oneshot(get()).await.expect("no error");
    assert_eq!((read(answer).await, *calls.lock()), ((503, None), 1));
}
