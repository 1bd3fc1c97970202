use std::{pin::pin, sync::Arc, time::Duration};

use h2::Reason;
use tidegate_telemetry::{clock, random};
use tidegate_upstream::{Call, Class, Retry};
use tokio::sync::{Notify, mpsc};

use crate::support::{
    Asked, Server, ask, data, failures, fed, figures, get, in_ms, next, next_data, ok_trailers, poll_once, post, reset,
    until,
};

/// A server that never answers `/hang`, begins to answer `/begin` and never ends, and says how each
/// stream was reset.
async fn server() -> (Server, mpsc::UnboundedReceiver<Option<Reason>>) {
    let (resets, seen) = mpsc::unbounded_channel();
    let mut builder = h2::server::Builder::new();
    // A burst of cancellations is what is tested here, not what the server thinks of it.
    builder.max_pending_accept_reset_streams(usize::MAX).max_local_error_reset_streams(None);
    let server = Server::with(builder, move |mut asked: Asked| {
        let resets = resets.clone();
        async move {
            let path = asked.request.uri().path().to_owned();
            if path == "/answer" {
                return asked.answer("pong");
            }
            let mut stream = (path == "/begin").then(|| asked.begin());
            if let Some(stream) = &mut stream {
                stream.send_data("begun".into(), false).unwrap();
            }
            // First that it is there.
            let _ = resets.send(None);
            let reset = match &mut stream {
                Some(stream) => reset(stream).await,
                None => asked.reset().await,
            };
            // The test may have seen enough.
            let _ = resets.send(Some(reset));
        }
    })
    .await;
    (server, seen)
}

#[tokio::test]
async fn dropping_a_call_resets_its_stream() {
    let (server, mut seen) = server().await;
    let upstream = server.upstream();
    let calling = upstream.clone();
    let call = tokio::spawn(async move { calling.call(get("/hang"), None).await });
    assert_eq!(seen.recv().await, Some(None));
    assert_eq!(figures(&upstream).in_flight, 1);
    call.abort();
    assert_eq!(seen.recv().await, Some(Some(Reason::CANCEL)));
    assert_eq!((figures(&upstream).in_flight, failures(&upstream)), (0, vec![]));
}

#[tokio::test]
async fn dropping_a_body_resets_its_stream() {
    let (server, mut seen) = server().await;
    let upstream = server.upstream();
    let mut body = upstream.call(get("/begin"), None).await.unwrap().into_body();
    assert_eq!(next_data(&mut body).await, "begun");
    assert_eq!(seen.recv().await, Some(None));
    drop(body);
    assert_eq!(figures(&upstream).in_flight, 0);
    assert_eq!(seen.recv().await, Some(Some(Reason::CANCEL)));
}

#[tokio::test]
async fn dropping_a_call_whose_body_streams_resets_its_stream() {
    let (server, mut seen) = server().await;
    let upstream = server.upstream();
    let (hand, body) = fed();
    hand.send(data("a beginning")).unwrap();
    let calling = upstream.clone();
    let call = tokio::spawn(async move { calling.call(post("/hang", body), None).await });
    assert_eq!(seen.recv().await, Some(None));
    call.abort();
    assert_eq!(seen.recv().await, Some(Some(Reason::CANCEL)));
    // The source is let go, too.
    hand.closed().await;
    assert_eq!(figures(&upstream).in_flight, 0);
}

#[tokio::test]
async fn the_deadline_ends_the_wait_for_a_head() {
    let (server, mut seen) = server().await;
    let upstream = server.upstream();
    ask(&upstream, get("/answer")).await.unwrap();
    let error = upstream.call(get("/hang"), in_ms(30)).await.unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    assert_eq!((error.class(), error.retry()), (Class::Deadline, Retry::Never));
    assert_eq!((seen.recv().await, seen.recv().await), (Some(None), Some(Some(Reason::CANCEL))));
    assert_eq!((figures(&upstream).in_flight, failures(&upstream)), (0, vec![("deadline", 1)]));
}

#[tokio::test]
async fn the_deadline_ends_a_body_that_waits() {
    let (server, mut seen) = server().await;
    let upstream = server.upstream();
    ask(&upstream, get("/answer")).await.unwrap();
    let mut body = upstream.call(get("/begin"), in_ms(400)).await.unwrap().into_body();
    assert_eq!(next_data(&mut body).await, "begun");
    let error = next(&mut body).await.unwrap().unwrap_err();
    assert!(error.is_deadline() && !error.not_sent(), "{error:?}");
    assert!(next(&mut body).await.is_none());
    assert_eq!((seen.recv().await, seen.recv().await), (Some(None), Some(Some(Reason::CANCEL))));
    assert_eq!((figures(&upstream).in_flight, failures(&upstream)), (0, vec![("deadline", 1)]));
}

/// A peer that keeps the deadline it was told by `grpc-timeout` resets the stream at about the time at which
/// the deadline passes here: which of the two is seen first is chance.
#[tokio::test]
async fn a_peer_that_cancels_once_the_deadline_has_passed_ends_the_call_for_the_deadline() {
    let told = Arc::new(Notify::new());
    let wait = Arc::clone(&told);
    let server = Server::start(move |mut asked: Asked| {
        let told = Arc::clone(&wait);
        async move {
            let mut stream = asked.begin();
            told.notified().await;
            stream.send_reset(Reason::CANCEL);
        }
    })
    .await;
    let upstream = server.upstream();
    for (deadline, class) in
        [(in_ms(400), Class::Deadline), (in_ms(600_000), Class::Unavailable), (None, Class::Unavailable)]
    {
        let mut body = upstream.call(get("/"), deadline).await.unwrap().into_body();
        told.notify_one();
        if class == Class::Deadline {
            tokio::time::sleep_until(deadline.unwrap().into()).await;
        }
        let error = next(&mut body).await.unwrap().unwrap_err();
        assert_eq!(error.class(), class, "{error:?}");
    }
    assert_eq!(failures(&upstream), [("deadline", 1), ("reset", 2)]);
}

#[tokio::test]
async fn the_deadline_ends_a_body_that_never_waits() {
    let server = Server::start(|mut asked: Asked| async move {
        let mut stream = asked.begin();
        for _ in 0..10 {
            stream.send_data("more".into(), false).unwrap();
        }
        stream.send_trailers(ok_trailers()).unwrap();
    })
    .await;
    let upstream = server.upstream();
    let deadline = in_ms(400).unwrap();
    let mut body = upstream.call(get("/"), Some(deadline)).await.unwrap().into_body();
    assert_eq!(next_data(&mut body).await, "more");
    // All of it has long arrived when it is read on.
    until(|| clock::now() > deadline + Duration::from_millis(50)).await;
    let error = next(&mut body).await.unwrap().unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    assert_eq!(figures(&upstream).in_flight, 0);
}

#[tokio::test]
async fn a_deadline_that_passed_ends_the_call_before_the_answer() {
    let (server, _seen) = server().await;
    let upstream = server.upstream();
    ask(&upstream, get("/answer")).await.unwrap();
    let error = upstream.call(get("/hang"), in_ms(0)).await.unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
}

#[tokio::test]
async fn many_cancellations_leave_nothing_and_cost_nobody_the_connection() {
    let (server, _seen) = server().await;
    let upstream = server.upstream();
    ask(&upstream, get("/answer")).await.unwrap();
    // More than `h2` would forgive by default, both at once and over time.
    for _ in 0..40 {
        let calls: Vec<_> = (0..60)
            .map(|i| {
                let upstream = upstream.clone();
                let polls = random::below(6);
                tokio::spawn(async move {
                    let path = ["/hang", "/begin", "/answer"][i % 3];
                    let mut call = pin!(ask(&upstream, get(path)));
                    for _ in 0..polls {
                        if poll_once(call.as_mut()).await.is_some() {
                            return;
                        }
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        // Some linger until the server has surely looked at them.
        until(|| figures(&upstream).in_flight == 0).await;
        assert_eq!(ask(&upstream, get("/answer")).await.unwrap().data, b"pong");
    }
    assert_eq!((server.connections(), failures(&upstream)), (1, vec![]));
}

#[tokio::test]
async fn a_waiting_call_that_leaves_gives_its_place_to_the_next() {
    let (server, mut seen) = server().await;
    let config = tidegate_upstream::Config { connections_max: 1, streams_max: 1, ..server.config() };
    let upstream = tidegate_upstream::Upstream::new(config);
    let call = |path: &'static str| {
        let upstream = upstream.clone();
        tokio::spawn(async move { ask(&upstream, get(path)).await })
    };
    let first = call("/hang");
    assert_eq!(seen.recv().await, Some(None));
    let second = call("/hang");
    let third = call("/answer");
    until(|| figures(&upstream).waiting == 2).await;
    second.abort();
    until(|| figures(&upstream).waiting == 1).await;
    first.abort();
    assert_eq!(third.await.unwrap().unwrap().data, b"pong");
    assert_eq!(seen.recv().await, Some(Some(Reason::CANCEL)));
    let figures = figures(&upstream);
    assert_eq!((figures.in_flight, figures.waiting), (0, 0));
}

#[tokio::test]
async fn a_call_that_waits_for_a_stream_ends_at_its_deadline() {
    let (server, mut seen) = server().await;
    let config = tidegate_upstream::Config { connections_max: 1, streams_max: 1, ..server.config() };
    let upstream = tidegate_upstream::Upstream::new(config);
    let holding = upstream.clone();
    let _first = tokio::spawn(async move { ask(&holding, get("/hang")).await });
    assert_eq!(seen.recv().await, Some(None));
    let call = upstream.call(get("/answer"), in_ms(20));
    let error = tokio::time::timeout(Duration::from_secs(10), call).await.unwrap().unwrap_err();
    assert!(error.is_deadline() && error.not_sent(), "{error:?}");
    assert_eq!((figures(&upstream).in_flight, figures(&upstream).waiting), (1, 0));
}
