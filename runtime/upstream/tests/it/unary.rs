use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use parking_lot::Mutex;
use std::sync::Arc;
use tidegate_upstream::{Call, Class, Kind, Origin, RequestBody, Retry};

use crate::support::{Asked, Read, Server, ask, failures, figures, get, ok_trailers, post, read};

/// Answers with the request's body.
async fn echo(mut asked: Asked) {
    let body = asked.read().await.unwrap();
    asked.answer(body);
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_and_its_answer_too() {
    let seen = Arc::new(Mutex::new(None));
    let note = Arc::clone(&seen);
    let server = Server::start(move |mut asked: Asked| {
        let note = Arc::clone(&note);
        async move {
            let body = asked.read().await.unwrap();
            let head = asked.request.map(|_| ());
            *note.lock() = Some((head.method().clone(), head.uri().clone(), head.headers().clone(), body));
            let mut response = Response::builder().status(418);
            response.headers_mut().unwrap().insert("x-answer", "42".parse().unwrap());
            let mut stream = asked.respond.send_response(response.body(()).unwrap(), false).unwrap();
            stream.send_data("hello".into(), false).unwrap();
            stream.send_trailers(ok_trailers()).unwrap();
        }
    })
    .await;
    let upstream = server.upstream();

    let request = Request::post("/shop.v1.Orders/Get?x=1")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(RequestBody::from(Bytes::from_static(b"ping")))
        .unwrap();
    let (head, body) = upstream.call(request, None).await.unwrap().into_parts();
    assert_eq!(body.endpoint(), server.address.to_string());
    let answer = read(body).await.unwrap();

    let expected = HeaderMap::from_iter([("x-answer".parse().unwrap(), "42".parse().unwrap())]);
    assert_eq!((head.status.as_u16(), head.headers), (418, expected));
    assert_eq!(answer, Read { data: b"hello".into(), trailers: Some(ok_trailers()) });

    let (method, uri, headers, sent) = seen.lock().take().unwrap();
    assert_eq!((method.as_str(), sent.as_slice()), ("POST", &b"ping"[..]));
    assert_eq!(uri.to_string(), format!("http://{}/shop.v1.Orders/Get?x=1", server.address));
    let expected = HeaderMap::from_iter([
        ("content-type".parse().unwrap(), "application/grpc".parse().unwrap()),
        ("te".parse().unwrap(), "trailers".parse().unwrap()),
    ]);
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn an_authority_of_the_caller_stays() {
    let server = Server::start(|asked: Asked| async {
        let uri = asked.request.uri().to_string();
        asked.answer(uri);
    })
    .await;
    let answer = ask(&server.upstream(), get("http://orders.internal/x")).await.unwrap();
    assert_eq!(answer.data, b"http://orders.internal/x");
}

#[tokio::test]
async fn bodies_of_any_size_arrive_whole() {
    let server = Server::start(echo).await;
    let upstream = server.upstream();
    for size in [0, 1, 255, 256, 16_384, 16_385, 65_535, 65_536, 1_000_000] {
        let body = Bytes::from_iter((0..size).map(|i| (i % 251) as u8));
        let answer = ask(&upstream, post("/", body.clone())).await.unwrap();
        assert!(answer.data == body, "{size} bytes came back as {}", answer.data.len());
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_answer_without_a_body_ends_with_its_head() {
    let server = Server::start(|mut asked: Asked| async move {
        let mut response = Response::new(());
        response.headers_mut().insert("grpc-status", "5".parse().unwrap());
        asked.respond.send_response(response, true).unwrap();
    })
    .await;
    let upstream = server.upstream();
    let response = upstream.call(get("/"), None).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "5");
    assert!(http_body::Body::is_end_stream(response.body()));
    assert_eq!(read(response.into_body()).await.unwrap(), Read::default());
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    let server = Server::start(echo).await;
    let upstream = server.upstream();
    let calls: Vec<_> = (0..100_u8)
        .map(|i| {
            let upstream = upstream.clone();
            tokio::spawn(async move { ask(&upstream, post("/", Bytes::from(vec![i; 300]))).await })
        })
        .collect();
    for (i, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap().data, vec![i; 300]);
    }
    let figures = figures(&upstream);
    assert_eq!((figures.requests, figures.in_flight, figures.waiting, figures.connections_opened), (100, 0, 0, 1));
    assert_eq!((server.connections(), failures(&upstream)), (1, vec![]));
}

#[tokio::test]
async fn a_request_that_http2_forbids_is_the_callers_fault() {
    let server = Server::start(echo).await;
    let upstream = server.upstream();
    let request = Request::get("/").header("connection", "close").body(RequestBody::empty());
    let error = upstream.call(request.unwrap(), None).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::BadRequest(_)), "{error:?}");
    assert_eq!(
        (error.class(), error.origin(), error.retry(), error.not_sent()),
        (Class::Internal, Origin::Gateway, Retry::Never, true)
    );
    // It costs nobody the connection.
    assert_eq!(ask(&upstream, post("/", Bytes::from("x"))).await.unwrap().data, b"x");
    assert_eq!((server.connections(), figures(&upstream).in_flight), (1, 0));
}

#[tokio::test]
async fn a_reset_stream_fails_with_the_peers_reason() {
    let server = Server::start(|mut asked: Asked| async move {
        asked.respond.send_reset(h2::Reason::ENHANCE_YOUR_CALM);
    })
    .await;
    let upstream = server.upstream();
    let error = ask(&upstream, get("/")).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Reset(h2::Reason::ENHANCE_YOUR_CALM)), "{error:?}");
    assert_eq!(
        (error.class(), error.origin(), error.retry(), error.not_sent(), error.endpoint()),
        (Class::Exhausted, Origin::Upstream, Retry::IfIdempotent, false, Some(server.address.to_string().as_str()))
    );
    assert_eq!((failures(&upstream), figures(&upstream).resent), (vec![("reset", 1)], 0));
}

#[tokio::test]
async fn an_oversized_head_is_a_broken_protocol() {
    let server = Server::start(|mut asked: Asked| async move {
        let mut response = Response::new(());
        let value = "x".repeat(tidegate_upstream::config::HEADER_LIST_MAX_BYTES as usize);
        response.headers_mut().insert("x-large", value.parse().unwrap());
        asked.respond.send_response(response, true).unwrap();
    })
    .await;
    let upstream = server.upstream();
    let error = ask(&upstream, get("/")).await.unwrap_err();
    assert!(error.is_bad_reply(), "{error:?}");
    assert_eq!((error.class(), figures(&upstream).in_flight), (Class::Internal, 0));
}
