use std::time::Duration;

use tidegate_telemetry::clock;
use tidegate_upstream::{Call, CallError, Class, Config, ConnectError, Kind, Origin, Retry, Upstream};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket},
};

use crate::support::{Asked, Server, ask, endpoint, failures, figures, get, in_ms};

/// A port that is ours and refuses connections until it listens.
fn port() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

fn connect_error(error: &CallError) -> &ConnectError {
    match error.kind() {
        Kind::Connect(source) | Kind::Down(Some(source)) => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_connection_fails_at_once() {
    let socket = port();
    let address = socket.local_addr().unwrap();
    let upstream = Upstream::new(Config::new("test", vec![endpoint(address)]));
    let began = clock::now();
    for _ in 0..20 {
        let error = upstream.call(get("/"), in_ms(60_000)).await.unwrap_err();
        assert!(matches!(connect_error(&error), ConnectError::Tcp(_)), "{error:?}");
        assert_eq!(
            (error.class(), error.origin(), error.retry(), error.not_sent()),
            (Class::Unavailable, Origin::Upstream, Retry::Safe, true)
        );
        assert_eq!(error.endpoint(), Some(address.to_string().as_str()));
    }
    // Far below the connect timeout of each.
    assert!(clock::now() - began < Duration::from_secs(1));
    let figures = figures(&upstream);
    assert!(figures.connect_failures < 20, "every call tried to connect");
    assert_eq!((figures.in_flight, figures.waiting, figures.connections_open), (0, 0, 0));
}

#[tokio::test]
async fn an_endpoint_that_comes_up_is_used_within_its_pause() {
    let socket = port();
    let upstream = Upstream::new(Config::new("test", vec![endpoint(socket.local_addr().unwrap())]));
    for _ in 0..3 {
        upstream.call(get("/"), None).await.unwrap_err();
    }
    let listener = socket.listen(16).unwrap();
    let _server = Server::on(listener, h2::server::Builder::new(), |asked: Asked| async {
        asked.answer("pong");
    });
    let answer = loop {
        match ask(&upstream, get("/")).await {
            Ok(answer) => break answer,
            Err(error) => assert!(error.not_sent(), "{error:?}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(answer.data, b"pong");
    // The pause is forgotten: the next connection is opened at once.
    assert_eq!(figures(&upstream).connections_opened, 1);
}

#[tokio::test]
async fn all_who_wait_for_a_connection_learn_that_it_failed() {
    let socket = port();
    let upstream = Upstream::new(Config::new("test", vec![endpoint(socket.local_addr().unwrap())]));
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { upstream.call(get("/"), None).await })
        })
        .collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), Kind::Connect(_)), "{error:?}");
    }
    assert_eq!((figures(&upstream).connect_failures, failures(&upstream)), (1, vec![("connect", 10)]));
}

#[tokio::test]
async fn a_peer_that_speaks_another_protocol_is_never_sent_a_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream::new(Config::new("test", vec![endpoint(listener.local_addr().unwrap())]));
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = upstream.call(get("/"), None).await.unwrap_err();
    let source = connect_error(&error);
    assert!(matches!(source, ConnectError::Handshake(_) | ConnectError::ClosedAtOnce), "{error:?}");
    assert!(error.not_sent());
}

#[tokio::test]
async fn a_peer_that_closes_at_once_is_never_sent_a_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream::new(Config::new("test", vec![endpoint(listener.local_addr().unwrap())]));
    tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let error = upstream.call(get("/"), None).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Connect(_)) && error.not_sent(), "{error:?}");
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_given_up_at_the_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config {
        connect_timeout: Duration::from_millis(30),
        ..Config::new("test", vec![endpoint(listener.local_addr().unwrap())])
    };
    let upstream = Upstream::new(config);
    let error = upstream.call(get("/"), None).await.unwrap_err();
    assert!(matches!(connect_error(&error), ConnectError::Timeout), "{error:?}");
    assert!(error.not_sent() && error.class() == Class::Unavailable);
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_given_up_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config {
        connect_timeout: Duration::from_secs(600),
        ..Config::new("test", vec![endpoint(listener.local_addr().unwrap())])
    };
    let upstream = Upstream::new(config);
    let error = upstream.call(get("/"), in_ms(20)).await.unwrap_err();
    assert!(error.is_deadline() && error.not_sent(), "{error:?}");
}

#[tokio::test]
async fn calls_to_an_endpoint_that_was_down_and_is_silent_fail_fast() {
    let socket = port();
    let config = Config {
        connect_timeout: Duration::from_secs(600),
        ..Config::new("test", vec![endpoint(socket.local_addr().unwrap())])
    };
    let upstream = Upstream::new(config);
    upstream.call(get("/"), None).await.unwrap_err();
    // From now on it accepts and says nothing.
    let _listener = socket.listen(16).unwrap();
    let began = clock::now();
    // Long enough for the pause to end, and a call to begin to connect again.
    while clock::now() - began < Duration::from_millis(300) {
        let error = upstream.call(get("/"), in_ms(60_000)).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Down(_)), "{error:?}");
    }
    assert!(clock::now() - began < Duration::from_secs(10));
}
