use std::{future::poll_fn, sync::Arc};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body, Frame};
use parking_lot::Mutex;
use tidegate_upstream::{Call, Class, Config, Kind, Origin, RequestBody, Retry, config};
use tokio::sync::mpsc;

use crate::support::{
    Asked, Broken, Read, Server, ask, data, failures, fed, figures, get, next, next_data, ok_trailers, post, read,
    reset,
};

const WINDOW: usize = config::STREAM_WINDOW_BYTES as usize;
const CHUNK: usize = 8 * 1024;

/// Sends `total` bytes as fast as the client lets it, and says how much it has sent whenever it is
/// held up.
async fn send_all(mut stream: SendStream<Bytes>, total: usize, held_up: mpsc::UnboundedSender<usize>) {
    let mut sent = 0;
    while sent < total {
        stream.reserve_capacity(CHUNK);
        let room = poll_fn(|cx| {
            if stream.capacity() == 0 {
                let capacity = stream.poll_capacity(cx);
                if capacity.is_pending() {
                    held_up.send(sent).unwrap();
                }
                return capacity.map(|capacity| capacity.unwrap().unwrap());
            }
            std::task::Poll::Ready(stream.capacity())
        })
        .await;
        let part = room.min(CHUNK).min(total - sent);
        stream.send_data(Bytes::from(vec![7; part]), false).unwrap();
        sent += part;
    }
    stream.send_trailers(ok_trailers()).unwrap();
}

#[tokio::test]
async fn a_peer_is_held_up_until_what_it_sent_is_read() {
    const TOTAL: usize = 10 * WINDOW;
    let (held_up, mut report) = mpsc::unbounded_channel();
    let server = Server::start(move |mut asked: Asked| {
        let held_up = held_up.clone();
        async move {
            if asked.request.uri().path() == "/stream" {
                send_all(asked.begin(), TOTAL, held_up).await;
            } else {
                asked.answer("pong");
            }
        }
    })
    .await;
    let upstream = server.upstream();
    let mut body = upstream.call(get("/stream"), None).await.unwrap().into_body();

    assert_eq!(report.recv().await, Some(WINDOW));
    // Another call on the same connection goes there and back, and still nothing more was sent.
    assert_eq!(ask(&upstream, get("/ping")).await.unwrap().data, b"pong");
    assert_eq!((report.try_recv().ok(), server.connections()), (None, 1));

    let first = next_data(&mut body).await.len();
    let rest = read(body).await.unwrap();
    assert_eq!((first + rest.data.len(), rest.trailers), (TOTAL, Some(ok_trailers())));
    while let Ok(sent) = report.try_recv() {
        assert!(sent > WINDOW, "the window was opened before anything was read");
    }
}

#[tokio::test]
async fn readers_that_do_not_read_do_not_hold_up_others() {
    let (held_up, mut report) = mpsc::unbounded_channel();
    let server = Server::start(move |mut asked: Asked| {
        let held_up = held_up.clone();
        async move {
            if asked.request.uri().path() == "/stream" {
                send_all(asked.begin(), 2 * WINDOW, held_up).await;
            } else {
                asked.answer("pong");
            }
        }
    })
    .await;
    let upstream = server.upstream();
    let mut stuck = Vec::new();
    for _ in 1..config::STREAMS_MAX {
        stuck.push(upstream.call(get("/stream"), None).await.unwrap());
    }
    for _ in &stuck {
        assert_eq!(report.recv().await, Some(WINDOW));
    }
    assert_eq!(ask(&upstream, get("/ping")).await.unwrap().data, b"pong");
    assert_eq!((server.connections(), figures(&upstream).in_flight), (1, 99));
}

#[tokio::test]
async fn unread_small_messages_cost_nobody_the_connection() {
    const MESSAGE: usize = 40;
    const MESSAGES: usize = WINDOW / MESSAGE;
    let server = Server::start(|mut asked: Asked| async move {
        let mut stream = asked.begin();
        for _ in 0..MESSAGES {
            stream.send_data(Bytes::from_static(&[1; MESSAGE]), false).unwrap();
        }
        stream.send_trailers(ok_trailers()).unwrap();
    })
    .await;
    let upstream = server.upstream();
    let mut unread = Vec::new();
    for _ in 0..20 {
        unread.push(upstream.call(get("/"), None).await.unwrap().into_body());
    }
    for body in unread {
        let read = read(body).await.unwrap();
        assert_eq!((read.data.len(), read.trailers), (MESSAGE * MESSAGES, Some(ok_trailers())));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_request_is_pulled_no_faster_than_the_peer_reads() {
    const SERVER_WINDOW: usize = 65_535;
    /// A part of the window, so that nothing is left of the last one that fits.
    const PIECE: usize = SERVER_WINDOW / 15;
    /// A body without end that counts what is pulled.
    struct Endless(Arc<Mutex<usize>>);

    impl Body for Endless {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            *self.0.lock() += PIECE;
            std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[9; PIECE])))))
        }
    }

    let (arrived, mut report) = mpsc::unbounded_channel();
    let (read_on, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = Arc::new(Mutex::new(Some(wait)));
    let server = Server::start(move |mut asked: Asked| {
        let (arrived, wait) = (arrived.clone(), wait.lock().take());
        async move {
            let mut taken = 0;
            while taken < SERVER_WINDOW {
                taken += asked.request.body_mut().data().await.unwrap().unwrap().len();
            }
            arrived.send(taken).unwrap();
            wait.unwrap().await.unwrap();
            // All that came is given back at once: as much again may come.
            let flow = asked.request.body_mut().flow_control();
            flow.release_capacity(taken).unwrap();
            while taken < 2 * SERVER_WINDOW {
                taken += asked.request.body_mut().data().await.unwrap().unwrap().len();
            }
            arrived.send(taken).unwrap();
            asked.answer("enough");
        }
    })
    .await;
    let upstream = server.upstream();
    let pulled = Arc::new(Mutex::new(0));
    let body = RequestBody::stream(Endless(Arc::clone(&pulled)));
    let call = tokio::spawn({
        let upstream = upstream.clone();
        async move { ask(&upstream, post("/", body)).await }
    });

    // What is pulled is what was sent.
    assert_eq!(report.recv().await, Some(SERVER_WINDOW));
    assert_eq!(*pulled.lock(), SERVER_WINDOW);
    read_on.send(()).unwrap();
    assert_eq!(report.recv().await, Some(2 * SERVER_WINDOW));
    assert_eq!(*pulled.lock(), 2 * SERVER_WINDOW);
    // The answer came before the request's end, which is given up.
    assert_eq!(call.await.unwrap().unwrap().data, b"enough");
    assert_eq!(figures(&upstream).in_flight, 0);
}

#[tokio::test]
async fn both_directions_stream_at_once() {
    let server = Server::start(|mut asked: Asked| async move {
        let mut answer = asked.begin();
        while let Some(data) = asked.request.body_mut().data().await {
            answer.send_data(data.unwrap(), false).unwrap();
        }
        let trailers = asked.request.body_mut().trailers().await.unwrap();
        answer.send_trailers(trailers.unwrap()).unwrap();
    })
    .await;
    let (hand, body) = fed();
    let mut answer = server.upstream().call(post("/", body), None).await.unwrap().into_body();
    for message in ["one", "two", "three"] {
        hand.send(data(message)).unwrap();
        assert_eq!(next_data(&mut answer).await, message);
    }
    hand.send(Ok(Frame::trailers(ok_trailers()))).unwrap();
    assert_eq!(read(answer).await.unwrap(), Read { data: vec![], trailers: Some(ok_trailers()) });
}

#[tokio::test]
async fn a_stream_of_any_pieces_arrives_whole() {
    let server = Server::start(|mut asked: Asked| async move {
        let body = asked.read().await.unwrap();
        asked.answer(body);
    })
    .await;
    let (hand, body) = fed();
    let pieces: Vec<Bytes> = [0, 1, 70_000, 0, 16_384, 200_000, 3]
        .iter()
        .enumerate()
        .map(|(i, size)| Bytes::from(vec![i as u8; *size]))
        .collect();
    let expected = pieces.concat();
    pieces.into_iter().for_each(|piece| hand.send(data(piece)).unwrap());
    drop(hand);
    let answer = ask(&server.upstream(), post("/", body)).await.unwrap();
    assert!(answer.data == expected, "{} bytes", answer.data.len());
}

/// As clients of HTTP/2 end a stream: by an empty frame that says so.
#[tokio::test]
async fn an_empty_piece_that_is_the_last_ends_the_request() {
    struct Ended(Vec<Bytes>);

    impl Body for Ended {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Ready(self.0.pop().map(Frame::data).map(Ok))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    let server = Server::start(|mut asked: Asked| async move {
        let read = asked.read().await.unwrap();
        asked.answer(read);
    })
    .await;
    let body = RequestBody::stream(Ended(vec![Bytes::new(), Bytes::from_static(b"piece")]));
    assert_eq!(ask(&server.upstream(), post("/", body)).await.unwrap().data, b"piece");
}

#[tokio::test]
async fn a_body_that_fails_resets_the_stream_and_says_why() {
    let (resets, mut seen) = mpsc::unbounded_channel();
    let server = Server::start(move |mut asked: Asked| {
        let resets = resets.clone();
        async move {
            let reset = asked.reset().await;
            resets.send(reset).unwrap();
        }
    })
    .await;
    let upstream = server.upstream();
    let (hand, body) = fed();
    hand.send(data("a beginning")).unwrap();
    hand.send(Err(Broken(7))).unwrap();
    let error = upstream.call(post("/", body), None).await.unwrap_err();
    assert_eq!(
        (error.class(), error.origin(), error.retry(), error.not_sent()),
        (Class::Cancelled, Origin::Downstream, Retry::Never, false)
    );
    let source = error.into_request_body_error().unwrap();
    assert_eq!(source.downcast_ref(), Some(&Broken(7)));
    assert_eq!(seen.recv().await, Some(Reason::CANCEL));
    assert_eq!((figures(&upstream).in_flight, failures(&upstream)), (0, vec![("request_body", 1)]));
}

#[tokio::test]
async fn a_body_that_fails_after_the_head_ends_the_answer_with_its_reason() {
    let server = Server::start(|mut asked: Asked| async move {
        let mut stream = asked.begin();
        stream.send_data("partial".into(), false).unwrap();
        reset(&mut stream).await;
    })
    .await;
    let upstream = server.upstream();
    let (hand, body) = fed();
    let mut answer = upstream.call(post("/", body), None).await.unwrap().into_body();
    assert_eq!(next_data(&mut answer).await, "partial");
    hand.send(Err(Broken(8))).unwrap();
    let error = next(&mut answer).await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), Kind::RequestBody(_)), "{error:?}");
    assert!(next(&mut answer).await.is_none());
    assert_eq!((figures(&upstream).in_flight, failures(&upstream)), (0, vec![("request_body", 1)]));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error_and_not_an_end() {
    let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = Arc::new(Mutex::new(Some(wait)));
    let server = Server::start(move |mut asked: Asked| {
        let wait = wait.lock().take().unwrap();
        async move {
            let mut stream = asked.begin();
            stream.send_data("partial".into(), false).unwrap();
            wait.await.unwrap();
            // A lie that must not be taken for "never reached the application".
            stream.send_reset(Reason::REFUSED_STREAM);
        }
    })
    .await;
    let upstream = server.upstream();
    let mut body = upstream.call(get("/"), None).await.unwrap().into_body();
    assert_eq!(next_data(&mut body).await, "partial");
    go_on.send(()).unwrap();
    let error = next(&mut body).await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), Kind::Reset(Reason::REFUSED_STREAM)), "{error:?}");
    assert_eq!((error.not_sent(), error.retry()), (false, Retry::IfIdempotent));
    assert_eq!((figures(&upstream).resent, failures(&upstream)), (0, vec![("reset", 1)]));
}

#[test]
fn windows_of_all_streams_fit_the_connections() {
    let config = Config::new("test", vec![]);
    assert!(config.connection_window_bytes >= config.streams_max * config.stream_window_bytes);
}
