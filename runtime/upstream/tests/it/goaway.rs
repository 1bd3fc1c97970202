use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use bytes::Bytes;
use h2::Reason;
use tidegate_upstream::{Call, Class, Config, Kind, Resent, Retry, Upstream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    Asked, Order, Server, ask, data, endpoint, failures, fed, figures, get, post, read, reset, until,
};

#[tokio::test]
async fn no_request_is_lost_while_connections_go_away_under_load() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::start(move |mut asked: Asked| {
        let count = Arc::clone(&count);
        async move {
            let body = asked.read().await.unwrap();
            count.fetch_add(1, SeqCst);
            asked.answer(body);
        }
    })
    .await;
    // Few streams, so that there are several connections to go away.
    let upstream = Upstream::new(Config { streams_max: 8, ..server.config() });
    let workers: Vec<_> = (0..32_u8)
        .map(|worker| {
            let upstream = upstream.clone();
            tokio::spawn(async move {
                for i in 0..100 {
                    let body = Bytes::from(vec![worker, i]);
                    let answer = ask(&upstream, post("/", body.clone())).await;
                    assert_eq!(answer.unwrap().data, body);
                }
            })
        })
        .collect();
    for order in 1..=20 {
        until(|| asked.load(SeqCst) >= order * 150).await;
        server.orders.send(Order::GoAway(order)).unwrap();
    }
    for worker in workers {
        worker.await.unwrap();
    }
    // Each exactly once, however often it was sent.
    assert_eq!(asked.load(SeqCst), 3_200);
    let figures = figures(&upstream);
    assert_eq!((figures.requests, figures.in_flight), (3_200, 0));
    assert_eq!(failures(&upstream), []);
    assert!(figures.goaways > 0 && server.connections() > 4, "{figures:?}");
}

#[tokio::test]
async fn what_was_begun_on_a_connection_that_goes_away_is_finished() {
    let server = Server::start(|mut asked: Asked| async move {
        let body = asked.read().await.unwrap();
        let connection = asked.connection;
        asked.answer([&body[..], connection.to_string().as_bytes()].concat());
    })
    .await;
    let upstream = server.upstream();
    ask(&upstream, get("/")).await.unwrap();
    let (hand, body) = fed();
    let calling = upstream.clone();
    let begun = tokio::spawn(async move { ask(&calling, post("/", body)).await });
    hand.send(data("begun on ")).unwrap();
    until(|| figures(&upstream).in_flight == 1).await;
    server.orders.send(Order::GoAway(1)).unwrap();
    // A new one goes elsewhere, as soon as the news is here.
    while ask(&upstream, get("/")).await.unwrap().data == b"0" {}
    drop(hand);
    assert_eq!(begun.await.unwrap().unwrap().data, b"begun on 0");
    assert_eq!((server.connections(), failures(&upstream)), (2, vec![]));
}

/// Speaks just enough HTTP/2 to be talked to: empty SETTINGS, and whatever else it is told to say
/// when the first request is there (its HEADERS have come).
async fn blunt(mut socket: TcpStream, frames: &[u8]) -> TcpStream {
    let empty_settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    socket.write_all(&empty_settings).await.unwrap();
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).await.unwrap();
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        socket.read_exact(&mut payload).await.unwrap();
        if head[3] == 1 {
            break;
        }
    }
    socket.write_all(frames).await.unwrap();
    socket
}

/// A GOAWAY frame.
fn goaway(last_stream: u32, reason: Reason) -> Vec<u8> {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend(last_stream.to_be_bytes());
    frame.extend(u32::from(reason).to_be_bytes());
    frame
}

#[tokio::test]
async fn a_request_that_a_goaway_disowns_is_sent_again_elsewhere() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream::new(Config::new("test", vec![endpoint(listener.local_addr().unwrap())]));
    let calling = upstream.clone();
    let call = tokio::spawn(async move { ask(&calling, post("/", Bytes::from("hello"))).await });

    let (socket, _) = listener.accept().await.unwrap();
    // Whatever its reason, what is above its last stream was not looked at.
    let _socket = blunt(socket, &goaway(0, Reason::ENHANCE_YOUR_CALM)).await;
    let _server = Server::on(listener, h2::server::Builder::new(), |mut asked: Asked| async move {
        let body = asked.read().await.unwrap();
        asked.answer(body);
    });
    assert_eq!(call.await.unwrap().unwrap().data, b"hello");
    let figures = figures(&upstream);
    assert_eq!((figures.resent, figures.goaways, figures.connections_opened), (1, 1, 2));
    assert_eq!(failures(&upstream), []);
}

#[tokio::test]
async fn a_request_that_a_goaway_disowns_whose_body_streamed_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream::new(Config::new("test", vec![endpoint(listener.local_addr().unwrap())]));
    let calling = upstream.clone();
    let (_hand, body) = fed();
    let call = tokio::spawn(async move { ask(&calling, post("/", body)).await });
    let (socket, _) = listener.accept().await.unwrap();
    let _socket = blunt(socket, &goaway(0, Reason::NO_ERROR)).await;
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), Kind::GoAway(Reason::NO_ERROR)), "{error:?}");
    assert_eq!((error.not_sent(), error.retry(), error.class()), (true, Retry::Safe, Class::Unavailable));
}

/// A server that refuses the first `refusals` requests, and how many it was asked.
async fn refusing(refusals: usize) -> (Server, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = Server::start(move |mut asked: Asked| {
        let count = Arc::clone(&count);
        async move {
            if count.fetch_add(1, SeqCst) < refusals {
                asked.respond.send_reset(Reason::REFUSED_STREAM);
            } else {
                asked.answer("pong");
            }
        }
    })
    .await;
    (server, asked)
}

#[tokio::test]
async fn a_refused_request_is_sent_once_more() {
    let (server, asked) = refusing(1).await;
    let upstream = server.upstream();
    assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"pong");
    assert_eq!((asked.load(SeqCst), figures(&upstream).resent), (2, 1));
    assert_eq!(failures(&upstream), []);
}

#[tokio::test]
async fn an_answer_says_how_often_its_request_was_sent_again() {
    let (server, _) = refusing(1).await;
    let upstream = server.upstream();
    let again = upstream.call(get("/"), None).await.unwrap();
    let once = upstream.call(get("/"), None).await.unwrap();
    assert_eq!((again.extensions().get(), once.extensions().get::<Resent>()), (Some(&Resent(1)), None));
}

#[tokio::test]
async fn a_request_that_is_refused_twice_fails() {
    let (server, asked) = refusing(usize::MAX).await;
    let upstream = server.upstream();
    let error = ask(&upstream, get("/")).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Reset(Reason::REFUSED_STREAM)), "{error:?}");
    assert_eq!((error.not_sent(), error.retry(), error.class()), (true, Retry::Safe, Class::Unavailable));
    assert_eq!((asked.load(SeqCst), figures(&upstream).resent), (2, 1));
    assert_eq!((failures(&upstream), figures(&upstream).in_flight), (vec![("reset", 1)], 0));
}

#[tokio::test]
async fn a_refused_request_whose_body_streams_is_not_sent_again() {
    let (server, asked) = refusing(usize::MAX).await;
    let upstream = server.upstream();
    let (_hand, body) = fed();
    let error = upstream.call(post("/", body), None).await.unwrap_err();
    assert!(error.not_sent(), "{error:?}");
    assert_eq!((asked.load(SeqCst), figures(&upstream).resent), (1, 0));
}

#[tokio::test]
async fn a_refused_request_prefers_another_connection() {
    let used = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let note = Arc::clone(&used);
    let server = Server::start(move |mut asked: Asked| {
        let note = Arc::clone(&note);
        async move {
            if asked.request.uri().path() == "/hang" {
                asked.reset().await;
                return;
            }
            note.lock().push(asked.connection);
            if asked.connection == 0 {
                asked.respond.send_reset(Reason::REFUSED_STREAM);
            } else {
                asked.answer("pong");
            }
        }
    })
    .await;
    let upstream = Upstream::new(Config { streams_max: 2, ..server.config() });
    // Three that hang make two connections; then there is room on both.
    let mut hanging: Vec<_> = (0..3)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { ask(&upstream, get("/hang")).await })
        })
        .collect();
    until(|| figures(&upstream).in_flight == 3).await;
    hanging.remove(0).abort();
    until(|| figures(&upstream).in_flight == 2).await;
    assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"pong");
    assert_eq!(*used.lock(), [0, 1]);
    hanging.into_iter().for_each(|hanging| hanging.abort());
}

#[tokio::test]
async fn a_connection_that_breaks_fails_its_requests_and_the_next_has_a_new_one() {
    let server = Server::start(|mut asked: Asked| async move {
        if asked.request.uri().path() == "/hang" {
            asked.reset().await;
        } else {
            asked.answer("pong");
        }
    })
    .await;
    let upstream = server.upstream();
    ask(&upstream, get("/")).await.unwrap();
    let calling = upstream.clone();
    let hanging = tokio::spawn(async move { calling.call(get("/hang"), None).await });
    until(|| figures(&upstream).in_flight == 1).await;
    server.orders.send(Order::Abort(1)).unwrap();
    let error = hanging.await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), Kind::ConnectionLost(_)), "{error:?}");
    assert_eq!((error.class(), error.retry(), error.not_sent()), (Class::Unavailable, Retry::IfIdempotent, false));
    assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"pong");
    let figures = figures(&upstream);
    assert_eq!((figures.connections_open, figures.connections_opened, figures.in_flight), (1, 2, 0));
}

#[tokio::test]
async fn an_answer_under_way_breaks_with_its_connection() {
    let server = Server::start(|mut asked: Asked| async move {
        let mut stream = asked.begin();
        stream.send_data("partial".into(), false).unwrap();
        reset(&mut stream).await;
    })
    .await;
    let upstream = server.upstream();
    let body = upstream.call(get("/"), None).await.unwrap().into_body();
    server.orders.send(Order::Abort(1)).unwrap();
    let error = read(body).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::ConnectionLost(_)), "{error:?}");
    assert_eq!(figures(&upstream).in_flight, 0);
}
