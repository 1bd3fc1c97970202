use std::time::Duration;

use tidegate_upstream::{Call, Config, Keepalive, Kind, Upstream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{Asked, Server, ask, endpoint, figures, get, in_ms, until};

const KEEPALIVE: Keepalive = Keepalive { interval: Duration::from_millis(20), timeout: Duration::from_millis(20) };

#[tokio::test]
async fn a_peer_that_vanished_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = Upstream::new(Config { keepalive: Some(KEEPALIVE), ..Config::new("test", vec![endpoint(address)]) });
    // Says hello, then swallows everything and answers nothing.
    let swallowing = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        let mut swallowed = Vec::new();
        // Ends when the client closes the connection.
        let _ = socket.read_to_end(&mut swallowed).await;
        swallowed
    });
    let error = upstream.call(get("/"), None).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::ConnectionLost(_)), "{error:?}");
    let swallowed = swallowing.await.unwrap();
    let ping_head = [0, 0, 8, 6, 0, 0, 0, 0, 0];
    let pings = swallowed.windows(9).filter(|window| *window == ping_head).count();
    assert_eq!((pings, figures(&upstream).connections_open), (1, 0));
}

#[tokio::test]
async fn a_peer_that_is_slow_to_answer_but_there_is_waited_for() {
    let server = Server::start(|mut asked: Asked| async move {
        asked.reset().await;
    })
    .await;
    let upstream = Upstream::new(Config { keepalive: Some(KEEPALIVE), ..server.config() });
    // Time for a dozen of PINGs.
    let error = upstream.call(get("/"), in_ms(500)).await.unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    assert_eq!((server.connections(), figures(&upstream).connections_open), (1, 1));
}

#[tokio::test]
async fn an_unused_connection_is_closed_and_opened_again_when_needed() {
    let server = Server::start(|asked: Asked| async { asked.answer("pong") }).await;
    let idle_timeout = Some(Duration::from_millis(40));
    let upstream = Upstream::new(Config { idle_timeout, ..server.config() });
    for connections in 1..=2 {
        assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"pong");
        assert_eq!(server.connections(), connections);
        until(|| figures(&upstream).connections_open == 0).await;
    }
}

#[tokio::test]
async fn a_connection_in_use_is_not_idle() {
    let server = Server::start(|mut asked: Asked| async move {
        asked.reset().await;
    })
    .await;
    let idle_timeout = Some(Duration::from_millis(20));
    let upstream = Upstream::new(Config { idle_timeout, keepalive: None, ..server.config() });
    let error = upstream.call(get("/"), in_ms(300)).await.unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    assert_eq!(figures(&upstream).connections_opened, 1);
}
