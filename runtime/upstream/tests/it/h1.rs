//! HTTP/1.1 against a server whose every byte a test chooses.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use http::Response;
use http_body::Body as _;
use tidegate_upstream::{Call, Class, Config, Endpoint, Kind, RequestBody, ResponseBody, Retry, Upstream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use crate::support::{
    Broken, Read, ask, data, endpoint, failures, fed, figures, get, in_ms, next_data, post, read, until,
};

/// Starts a server that hands each connection, and its number from 0, to a task.
async fn server<F>(serve: impl Fn(usize, Wire) -> F + Send + 'static) -> Endpoint
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(number, Wire(socket)));
        }
    });
    endpoint(address)
}

/// The server's end of a connection.
struct Wire(TcpStream);

impl Wire {
    /// A request's head, in lower case.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.0.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return String::new(),
            }
        }
        String::from_utf8(head).unwrap().to_lowercase()
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Waits until the other side closes; whatever comes before is returned.
    async fn closed(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is a close too.
        let _ = self.0.read_to_end(&mut rest).await;
        rest
    }
}

fn upstream(endpoint: Endpoint) -> Upstream {
    Upstream::new(Config::h1("test", vec![endpoint]))
}

async fn reply(upstream: &Upstream, path: &str) -> Response<ResponseBody> {
    upstream.call(get(path), in_ms(20_000)).await.unwrap()
}

fn body(text: &str) -> Read {
    Read { data: text.into(), trailers: None }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn requests_follow_each_other_on_one_connection() {
    let server = server(|number, mut wire| async move {
        for turn in 0.. {
            let head = wire.head().await;
            let text = format!("{number} {turn} {}", head.replace("\r\n", "|"));
            wire.say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())).await;
        }
    })
    .await;
    let upstream = upstream(server.clone());
    let first = ask(&upstream, get("http://shop.example/a?b=c")).await.unwrap();
    assert_eq!(first, body("0 0 get /a?b=c http/1.1|host: shop.example||"));
    let second = ask(&upstream, post("/x", Bytes::from("hi"))).await.unwrap();
    // Of a request without a host it is the endpoint's.
    let want = format!("0 1 post /x http/1.1|host: {server}|content-length: 2||");
    assert_eq!(second, body(&want));
    let figures = figures(&upstream);
    assert_eq!(
        (figures.requests, figures.connections_opened, figures.connections_open, figures.in_flight),
        (2, 1, 1, 0)
    );
}

#[tokio::test]
async fn a_reply_is_read_as_it_comes_with_its_trailers() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let server = server(move |_, mut wire| {
        let gate = Arc::clone(&gate);
        async move {
            wire.head().await;
            wire.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").await;
            gate.acquire().await.unwrap().forget();
            wire.say("6\r\nsecond\r\n0\r\nx-end: 1\r\n\r\n").await;
            wire.head().await;
            wire.say(OK).await;
        }
    })
    .await;
    let upstream = upstream(server);
    let mut stream = reply(&upstream, "/").await.into_body();
    assert_eq!(next_data(&mut stream).await, "first");
    opened.add_permits(1);
    let rest = read(stream).await.unwrap();
    assert_eq!((rest.data, rest.trailers.unwrap()["x-end"].as_bytes()), (b"second".to_vec(), &b"1"[..]));
    assert_eq!(ask(&upstream, get("/")).await.unwrap(), body("ok"));
    assert_eq!(figures(&upstream).connections_opened, 1);
}

#[tokio::test]
async fn a_reply_may_begin_before_the_request_ends() {
    let server = server(|_, mut wire| async move {
        wire.head().await;
        wire.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        // Chunks come back as they came, framing and all.
        let mut bytes = [0; 256];
        while let Ok(count @ 1..) = wire.0.read(&mut bytes).await {
            wire.0.write_all(&bytes[..count]).await.unwrap();
        }
    })
    .await;
    let upstream = upstream(server);
    let (hand, request) = fed();
    let mut stream = upstream.call(post("/", request), in_ms(20_000)).await.unwrap().into_body();
    for word in ["one", "two"] {
        hand.send(data(word)).unwrap();
        assert_eq!(next_data(&mut stream).await, word);
    }
    drop(hand);
    assert_eq!(read(stream).await.unwrap(), Read::default());
    until(|| figures(&upstream).connections_open == 0).await;
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_not_used() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = server(move |_, mut wire| {
        let tell = tell.clone();
        async move {
            let length = wire.head().await.contains("content-length: 4");
            assert!(length);
            let mut body = [0; 4];
            wire.0.read_exact(&mut body).await.unwrap();
            wire.say(OK).await;
            drop(wire);
            tell.send(()).unwrap();
        }
    })
    .await;
    let upstream = upstream(server);
    for _ in 0..20 {
        assert_eq!(ask(&upstream, post("/", Bytes::from("once"))).await.unwrap(), body("ok"));
        told.recv().await.unwrap();
        // What happened before this connection was accepted has been seen when it is.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (_kept, _accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    }
    assert_eq!(failures(&upstream), vec![]);
}

#[tokio::test]
async fn a_request_that_may_have_been_seen_is_not_sent_again() {
    let server = server(|number, mut wire| async move {
        wire.head().await;
        if number == 0 {
            wire.say(OK).await;
            wire.head().await;
        }
        // Closed without an answer.
    })
    .await;
    let upstream = upstream(server);
    assert_eq!(ask(&upstream, get("/")).await.unwrap(), body("ok"));
    let error = ask(&upstream, get("/")).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::ConnectionLost(_)), "{error:?}");
    assert_eq!((error.class(), error.retry(), error.not_sent()), (Class::Unavailable, Retry::IfIdempotent, false));
    assert_eq!((figures(&upstream).resent, figures(&upstream).connections_open), (0, 0));
}

#[tokio::test]
async fn what_is_given_up_closes_its_connection() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = server(move |_, mut wire| {
        let tell = tell.clone();
        async move {
            if wire.head().await.starts_with("get /half") {
                wire.say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
            }
            assert_eq!(wire.closed().await, b"");
            tell.send(()).unwrap();
        }
    })
    .await;
    let upstream = upstream(server);
    let error = upstream.call(get("/silent"), in_ms(20)).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Deadline), "{error:?}");
    told.recv().await.unwrap();
    let mut stream = reply(&upstream, "/half").await.into_body();
    assert_eq!(next_data(&mut stream).await, "half");
    drop(stream);
    told.recv().await.unwrap();
    // The deadline holds to the end of the body.
    let mut stream = upstream.call(get("/half"), in_ms(50)).await.unwrap().into_body();
    assert_eq!(next_data(&mut stream).await, "half");
    let error = read(stream).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Deadline), "{error:?}");
    told.recv().await.unwrap();
    assert_eq!((figures(&upstream).connections_open, figures(&upstream).in_flight), (0, 0));
}

#[tokio::test]
async fn an_answer_of_101_leaves_the_socket() {
    let server = server(|_, mut wire| async move {
        let head = wire.head().await;
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        wire.say("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello").await;
        assert_eq!(wire.closed().await, b"bye");
    })
    .await;
    let upstream = upstream(server);
    let mut request = get("/");
    request.headers_mut().insert("connection", "upgrade".parse().unwrap());
    request.headers_mut().insert("upgrade", "websocket".parse().unwrap());
    let mut response = upstream.call(request, in_ms(20_000)).await.unwrap();
    assert_eq!(response.status(), 101);
    let mut tunnel = Upstream::take_tunnel(response.body_mut()).unwrap();
    assert!(Upstream::take_tunnel(response.body_mut()).is_none());
    let mut first = tunnel.take_first().to_vec();
    while first.len() < 5 {
        first.push(tunnel.stream().read_u8().await.unwrap());
    }
    assert_eq!(first, b"hello");
    assert_eq!(figures(&upstream).in_flight, 1);
    tunnel.stream().write_all(b"bye").await.unwrap();
    drop(tunnel);
    assert_eq!((figures(&upstream).in_flight, figures(&upstream).connections_open), (0, 0));
}

#[tokio::test]
async fn replies_that_could_be_read_in_two_ways_are_refused() {
    let replies = [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nx y: 1\r\n\r\n",
        "no http at all\r\n\r\n",
    ];
    for text in replies {
        let server = server(move |_, mut wire| async move {
            wire.head().await;
            wire.say(text).await;
        })
        .await;
        let upstream = upstream(server);
        let error = ask(&upstream, get("/")).await.unwrap_err();
        assert!(error.is_bad_reply(), "{text}: {error:?}");
        assert_eq!((error.class(), figures(&upstream).connections_open), (Class::Internal, 0));
    }
}

#[tokio::test]
async fn a_body_that_is_cut_is_an_error() {
    for text in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf",
    ] {
        let server = server(move |_, mut wire| async move {
            wire.head().await;
            wire.say(text).await;
        })
        .await;
        let error = ask(&upstream(server), get("/")).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::ConnectionLost(_)), "{text}: {error:?}");
        assert!(!error.not_sent());
    }
}

#[tokio::test]
async fn what_a_server_says_unasked_reaches_nobody() {
    let server = server(|number, mut wire| async move {
        wire.head().await;
        let more = if number == 0 { "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil" } else { "" };
        wire.say(&format!("{OK}{more}")).await;
        wire.closed().await;
    })
    .await;
    let upstream = upstream(server);
    assert_eq!(ask(&upstream, get("/")).await.unwrap(), body("ok"));
    assert_eq!(ask(&upstream, get("/")).await.unwrap(), body("ok"));
    assert_eq!(figures(&upstream).connections_opened, 2);
}

#[tokio::test]
async fn connections_are_bounded_and_requests_wait_for_one() {
    let server = server(|_, mut wire| async move {
        while !wire.head().await.is_empty() {
            wire.say(OK).await;
        }
    })
    .await;
    let upstream = Upstream::new(Config { connections_max: 2, ..Config::h1("test", vec![server]) });
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { ask(&upstream, get("/")).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), body("ok"));
    }
    let figures = figures(&upstream);
    assert_eq!((figures.connections_opened, figures.connections_limit, figures.waiting), (2, 2, 0));
}

#[tokio::test]
async fn replies_without_a_body_have_none() {
    let server = server(|_, mut wire| async move {
        loop {
            let head = wire.head().await;
            let answer = match head.split(' ').nth(1) {
                Some("/head") => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
                Some("/204") => "HTTP/1.1 204 No Content\r\n\r\n",
                Some("/304") => "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
                _ => "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            };
            wire.say(answer).await;
        }
    })
    .await;
    let upstream = upstream(server);
    for (method, path) in [("HEAD", "/head"), ("GET", "/204"), ("GET", "/304"), ("GET", "/103")] {
        let request = http::Request::builder().method(method).uri(path).body(RequestBody::empty()).unwrap();
        let response = upstream.call(request, in_ms(20_000)).await.unwrap();
        assert!(response.body().is_end_stream(), "{path}");
    }
    assert_eq!((figures(&upstream).connections_opened, figures(&upstream).in_flight), (1, 0));
}

#[tokio::test]
async fn a_server_that_says_when_it_closes_is_believed() {
    let server = server(|_, mut wire| async move {
        while !wire.head().await.is_empty() {
            wire.say("HTTP/1.1 200 OK\r\nkeep-alive: max=5, timeout=0\r\ncontent-length: 2\r\n\r\nok").await;
        }
    })
    .await;
    let upstream = upstream(server);
    for _ in 0..3 {
        assert_eq!(ask(&upstream, get("/")).await.unwrap(), body("ok"));
    }
    assert_eq!(figures(&upstream).connections_opened, 3);
}

#[tokio::test]
async fn a_connection_that_the_server_does_not_keep_is_not_used_again() {
    let replies = [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        // As long as the connection.
        "HTTP/1.1 200 OK\r\n\r\nok",
    ];
    for text in replies {
        let server = server(move |_, mut wire| async move {
            wire.head().await;
            wire.say(text).await;
            wire.0.shutdown().await.unwrap();
            wire.closed().await;
        })
        .await;
        let upstream = upstream(server);
        for _ in 0..2 {
            assert_eq!(ask(&upstream, get("/")).await.unwrap(), body("ok"), "{text}");
        }
        let figures = figures(&upstream);
        assert_eq!((figures.connections_opened, figures.connections_open, figures.in_flight), (2, 0, 0), "{text}");
    }
}

#[tokio::test]
async fn an_upload_that_fails_behind_the_head_of_the_reply_fails_the_call() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = server(move |_, mut wire| {
        let tell = tell.clone();
        async move {
            wire.head().await;
            wire.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await;
            tell.send(wire.closed().await).unwrap();
        }
    })
    .await;
    let upstream = upstream(server);
    let (hand, request) = fed();
    let mut stream = upstream.call(post("/", request), in_ms(20_000)).await.unwrap().into_body();
    assert_eq!(next_data(&mut stream).await, "one");
    hand.send(Err(Broken(1))).unwrap();
    let error = read(stream).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::RequestBody(_)), "{error:?}");
    // It does not look whole.
    assert_eq!(told.recv().await.unwrap(), b"");
    assert_eq!((figures(&upstream).connections_open, figures(&upstream).in_flight), (0, 0));
}

#[tokio::test]
async fn large_bodies_cross_whole_in_both_directions() {
    let server = server(|_, mut wire| async move {
        loop {
            let head = wire.head().await;
            let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: ")) else { return };
            let mut bytes = vec![0; length.parse().unwrap()];
            wire.0.read_exact(&mut bytes).await.unwrap();
            wire.say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len())).await;
            wire.0.write_all(&bytes).await.unwrap();
        }
    })
    .await;
    let upstream = upstream(server);
    for size in [1, 4_096, 4_097, 1_000_000, 10] {
        let bytes: Bytes = (0..size).map(|at: usize| (at % 251) as u8).collect();
        let answer = ask(&upstream, post("/", bytes.clone())).await.unwrap();
        assert!(answer.data == bytes, "{size}");
    }
    assert_eq!(figures(&upstream).connections_opened, 1);
}
