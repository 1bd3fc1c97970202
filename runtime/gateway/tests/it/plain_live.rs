//! Plain routes over sockets, where it matters when what arrives: each byte is chosen by a test.

use crate::live::serve_gateway;
use crate::plain::{forward, route};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_gateway::config::{Action, Config, Forward, Upgrade};
use tidegate_gateway::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A gateway before an upstream that a test plays itself.
struct Stage {
    gateway: SocketAddr,
    upstream: TcpListener,
    server: Option<Server>,
}

impl Stage {
    async fn new(forward: Forward) -> Self {
        Self::with(forward, |_| {}).await
    }

    async fn with(forward: Forward, change: impl FnOnce(&mut Config)) -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = upstream.local_addr().expect("an address");
        let (gateway, server) = serve_gateway(address, |config| {
            let endpoints = std::mem::take(&mut config.upstreams[0].pool.endpoints);
            config.upstreams[0].pool = tidegate_upstream::Config::h1("up", endpoints);
            config.routes.clear();
            config.plain.push(route("/*", Action::Forward(forward)));
            change(config);
        });
        Self { gateway, upstream, server: Some(server) }
    }

    async fn client(&self) -> End {
        End(TcpStream::connect(self.gateway).await.expect("the gateway listens"))
    }

    /// The next connection of the gateway to the upstream.
    async fn accept(&self) -> End {
        End(self.upstream.accept().await.expect("a connection").0)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Its workers are threads of their own, which end without us.
        if let Some(server) = self.server.take() {
            std::thread::spawn(move || server.shutdown());
        }
    }
}

/// One end of a connection.
struct End(TcpStream);

impl End {
    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("written");
    }

    /// The lines of a head, without the empty one.
    async fn head(&mut self) -> Vec<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("a head"));
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        head.trim_end().split("\r\n").map(str::to_owned).collect()
    }

    /// Exactly these bytes come next.
    async fn hears(&mut self, text: &str) {
        let mut bytes = vec![0; text.len()];
        self.0.read_exact(&mut bytes).await.expect("so many bytes");
        assert_eq!(String::from_utf8_lossy(&bytes), text);
    }

    /// Nothing more comes: the other side closed.
    async fn is_closed(&mut self) {
        let mut rest = Vec::new();
        // A reset is a close too.
        let _ = self.0.read_to_end(&mut rest).await;
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: shop\r\n\r\n";

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let stage = Stage::new(forward()).await;
    let mut client = stage.client().await;
    client.say(GET).await;
    let mut upstream = stage.accept().await;
    for turn in 0..3 {
        assert_eq!(upstream.head().await[..2], ["get / http/1.1", "host: shop"]);
        upstream.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let head = client.head().await;
        assert!(head[0] == "http/1.1 200 ok" && head.contains(&"content-length: 2".into()), "{turn}: {head:?}");
        client.hears("ok").await;
        client.say(GET).await;
    }
}

#[tokio::test]
async fn events_arrive_as_they_are_sent() {
    let stage = Stage::new(forward()).await;
    let mut client = stage.client().await;
    client.say(GET).await;
    let mut upstream = stage.accept().await;
    upstream.head().await;
    upstream.say("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let head = client.head().await;
    assert!(head.contains(&"content-type: text/event-stream".into()), "{head:?}");
    for n in 0..3 {
        // The next one is sent only when this one was read.
        upstream.say(&format!("9\r\ndata: {n}\n\n\r\n")).await;
        client.hears(&format!("9\r\ndata: {n}\n\n\r\n")).await;
    }
    upstream.say("0\r\n\r\n").await;
    client.hears("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_request_is_sent_on_as_it_comes_and_answered_meanwhile() {
    let stage = Stage::new(forward()).await;
    let mut client = stage.client().await;
    client.say("POST / HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let mut upstream = stage.accept().await;
    let head = upstream.head().await;
    assert!(head.contains(&"transfer-encoding: chunked".into()), "{head:?}");
    upstream.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.head().await;
    for piece in ["3\r\none\r\n", "3\r\ntwo\r\n"] {
        client.say(piece).await;
        upstream.hears(piece).await;
        upstream.say(piece).await;
        client.hears(piece).await;
    }
    client.say("0\r\n\r\n").await;
    upstream.hears("0\r\n\r\n").await;
    upstream.say("0\r\n\r\n").await;
    client.hears("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_call() {
    let stage = Stage::new(forward()).await;
    let mut client = stage.client().await;
    client.say(GET).await;
    let mut upstream = stage.accept().await;
    upstream.head().await;
    drop(client);
    upstream.is_closed().await;
}

#[tokio::test]
async fn a_reply_that_breaks_off_does_not_look_whole() {
    let stage = Stage::new(forward()).await;
    for (head, got) in [("content-length: 9", "half"), ("transfer-encoding: chunked", "4\r\nhalf\r\n")] {
        let mut client = stage.client().await;
        client.say(GET).await;
        let mut upstream = stage.accept().await;
        upstream.head().await;
        upstream.say(&format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{got}")).await;
        client.head().await;
        client.hears(got).await;
        drop(upstream);
        client.is_closed().await;
    }
}

const ASK: &str = "GET /chat HTTP/1.1\r\nhost: shop\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn websocket() -> Forward {
    Forward { upgrades: vec![Upgrade::WebSocket], ..forward() }
}

/// A client and an upstream that have become one connection.
async fn tunnel(stage: &Stage) -> (End, End) {
    let mut client = stage.client().await;
    client.say(ASK).await;
    let mut upstream = stage.accept().await;
    let head = upstream.head().await;
    assert_eq!(head[0], "get /chat http/1.1");
    for line in ["connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"] {
        assert!(head.contains(&line.into()), "{line} in {head:?}");
    }
    upstream.say(SWITCH).await;
    let head = client.head().await;
    assert_eq!(head[0], "http/1.1 101 switching protocols");
    for line in ["connection: upgrade", "upgrade: websocket", "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="] {
        assert!(head.contains(&line.into()), "{line} in {head:?}");
    }
    (client, upstream)
}

#[tokio::test]
async fn a_websocket_is_carried_both_ways() {
    let stage = Stage::new(websocket()).await;
    let (mut client, mut upstream) = tunnel(&stage).await;
    // Frames of RFC 6455, section 5.7, and bytes that are no HTTP.
    for frame in ["\u{1}\u{5}Hello", "GET / HTTP/1.1\r\n\r\n", "\0\0\0"] {
        client.say(frame).await;
        upstream.hears(frame).await;
        upstream.say(frame).await;
        client.hears(frame).await;
    }
    let large = "x".repeat(1 << 20);
    let (mut near, mut far) = (client, upstream);
    tokio::join!(near.say(&large), far.hears(&large));
    tokio::join!(far.say(&large), near.hears(&large));
    drop(near);
    far.is_closed().await;
}

#[tokio::test]
async fn what_follows_the_switch_at_once_is_not_lost() {
    let stage = Stage::new(websocket()).await;
    let mut client = stage.client().await;
    // Sent too early, but not to be read as a request.
    client.say(&format!("{ASK}early")).await;
    let mut upstream = stage.accept().await;
    upstream.head().await;
    upstream.say(&format!("{SWITCH}hello")).await;
    client.head().await;
    client.hears("hello").await;
    upstream.hears("early").await;
    drop(upstream);
    client.is_closed().await;
}

#[tokio::test]
async fn nothing_is_carried_before_the_upstream_has_switched() {
    let stage = Stage::new(websocket()).await;
    let mut client = stage.client().await;
    client.say(&format!("{ASK}GET /smuggled HTTP/1.1\r\nhost: shop\r\n\r\n")).await;
    let mut upstream = stage.accept().await;
    upstream.head().await;
    upstream.say("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno").await;
    assert_eq!(client.head().await[0], "http/1.1 400 bad request");
    client.hears("no").await;
    upstream.is_closed().await;
    // What came behind it is the client's next request, and is served as one.
    let mut upstream = stage.accept().await;
    assert_eq!(upstream.head().await[0], "get /smuggled http/1.1");
}

#[tokio::test]
async fn a_route_that_allows_no_upgrade_refuses_it() {
    let stage = Stage::new(forward()).await;
    let mut client = stage.client().await;
    client.say(ASK).await;
    assert_eq!(client.head().await[0], "http/1.1 403 forbidden");
    client.hears(r#"{"code":7,"message":"this route does not change the protocol to WebSocket"}"#).await;
    let stage = Stage::new(websocket()).await;
    let mut client = stage.client().await;
    client.say(&ASK.replace("WebSocket", "tcp")).await;
    assert_eq!(client.head().await[0], "http/1.1 403 forbidden");
}

#[tokio::test]
async fn an_offer_of_h2c_is_no_upgrade() {
    let stage = Stage::new(websocket()).await;
    let mut client = stage.client().await;
    client.say("GET / HTTP/1.1\r\nhost: shop\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n").await;
    let mut upstream = stage.accept().await;
    let head = upstream.head().await;
    assert!(!head.iter().any(|line| line.starts_with("upgrade") || line.starts_with("http2-settings")), "{head:?}");
    upstream.say("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(client.head().await[0], "http/1.1 204 no content");
}

#[tokio::test]
async fn an_upstream_may_not_switch_unasked() {
    let stage = Stage::new(websocket()).await;
    let mut client = stage.client().await;
    client.say(GET).await;
    let mut upstream = stage.accept().await;
    upstream.head().await;
    upstream.say(SWITCH).await;
    assert_eq!(client.head().await[0], "http/1.1 502 bad gateway");
    upstream.is_closed().await;
}

#[tokio::test]
async fn a_tunnel_ends_with_the_drain() {
    let mut stage = Stage::with(websocket(), |config| config.drain = Duration::from_millis(50)).await;
    let (mut client, mut upstream) = tunnel(&stage).await;
    let server = stage.server.take().expect("it runs");
    let stopped = std::thread::spawn(move || server.shutdown());
    tokio::join!(client.is_closed(), upstream.is_closed());
    drop((client, upstream));
    tokio::task::spawn_blocking(|| stopped.join()).await.expect("a thread").expect("it stops");
}

#[tokio::test]
async fn a_client_of_http2_reaches_an_upstream_of_http1() {
    let stage = Stage::new(forward()).await;
    let socket = TcpStream::connect(stage.gateway).await.expect("the gateway listens");
    let io = TokioIo::new(socket);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("HTTP/2");
    tokio::spawn(connection);
    let (feed, pieces) = mpsc::unbounded_channel::<Result<http_body::Frame<Bytes>, std::convert::Infallible>>();
    let body = StreamBody::new(tokio_stream::wrappers::UnboundedReceiverStream::new(pieces));
    let request = http::Request::post("http://shop/x").body(body).expect("a request");
    let reply = tokio::spawn(async move { sender.send_request(request).await.expect("a reply") });
    let mut upstream = stage.accept().await;
    let head = upstream.head().await;
    assert_eq!(head[0], "post /x http/1.1");
    assert!(head.contains(&"host: shop".into()) && head.contains(&"transfer-encoding: chunked".into()), "{head:?}");
    upstream.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n2\r\nok\r\n").await;
    let mut reply = reply.await.expect("no panic");
    feed.send(Ok(http_body::Frame::data(Bytes::from_static(b"hi")))).expect("it is read");
    upstream.hears("2\r\nhi\r\n").await;
    drop(feed);
    upstream.hears("0\r\n\r\n").await;
    let first = reply.body_mut().frame().await.expect("a frame").expect("data");
    assert_eq!(first.into_data().ok(), Some(Bytes::from_static(b"ok")));
    upstream.say("0\r\nx-end: 1\r\n\r\n").await;
    let end = reply.into_body().collect().await.expect("whole");
    assert_eq!(end.trailers().map(|trailers| trailers["x-end"].as_bytes()), Some(&b"1"[..]));
}

#[tokio::test]
async fn a_client_of_http1_reaches_an_upstream_of_http2() {
    let stage = Stage::with(forward(), |config| {
        let endpoints = std::mem::take(&mut config.upstreams[0].pool.endpoints);
        config.upstreams[0].pool = tidegate_upstream::Config::new("up", endpoints);
    })
    .await;
    let mut client = stage.client().await;
    client.say("POST /x?y HTTP/1.1\r\nhost: shop\r\ncontent-length: 2\r\n\r\nhi").await;
    let upstream = stage.accept().await;
    let service = hyper::service::service_fn(async |request: http::Request<hyper::body::Incoming>| {
        let line = format!("{} {}", request.method(), request.uri());
        let body = request.into_body().collect().await?.to_bytes();
        let text = format!("{line} {}", String::from_utf8_lossy(&body));
        Ok::<_, hyper::Error>(http::Response::new(Full::new(Bytes::from(text))))
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    tokio::spawn(server.serve_connection(TokioIo::new(upstream.0), service));
    assert_eq!(client.head().await[0], "http/1.1 200 ok");
    client.hears("POST http://shop/x?y hi").await;
}
