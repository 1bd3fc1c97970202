use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, request::Builder};
use http_body::{Body, Frame, SizeHint};

use super::{Failed, Sending};
use crate::{RequestBody, body::Parts};

/// A body of these frames, which says that it has this length.
struct Script(Vec<Frame<Bytes>>, Option<u64>);

impl Body for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready((!self.0.is_empty()).then(|| Ok(self.0.remove(0))))
    }

    fn size_hint(&self) -> SizeHint {
        self.1.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// What is sent of a request.
fn sent(head: Builder, body: Parts) -> Result<String, Failed> {
    let (head, ()) = head.body(()).expect("a request").into_parts();
    let authority = "endpoint:80".parse().expect("an authority");
    let mut sending = Sending::new(&head, body, Some(&authority));
    let mut socket = Vec::new();
    let polled = sending.poll(&mut socket, &mut Context::from_waker(Waker::noop()));
    let Poll::Ready(polled) = polled else { panic!("nothing is waited for") };
    polled.map(|()| String::from_utf8(socket).expect("text").replace("\r\n", "|"))
}

fn whole(text: &'static str) -> Parts {
    Parts::Whole(Bytes::from_static(text.as_bytes()))
}

fn stream(frames: &[&'static str], length: Option<u64>) -> Parts {
    with_trailers(frames, length, None)
}

fn with_trailers(frames: &[&'static str], length: Option<u64>, trailers: Option<HeaderMap>) -> Parts {
    let data = frames.iter().map(|text| Frame::data(Bytes::from_static(text.as_bytes())));
    let frames = data.chain(trailers.map(Frame::trailers)).collect();
    Parts::Stream(RequestBody::stream(Script(frames, length)))
}

#[test]
fn a_request_has_a_host_and_one_length() {
    let cases = [
        (Request::get("/a?b"), whole(""), "GET /a?b HTTP/1.1|host: endpoint:80||"),
        (Request::get("http://shop/a").header("x", "1"), whole(""), "GET /a HTTP/1.1|host: shop|x: 1||"),
        (Request::get("http://shop/a").header("host", "b"), whole(""), "GET /a HTTP/1.1|host: b||"),
        (Request::post("/").header("host", "b"), whole("hi"), "POST / HTTP/1.1|host: b|content-length: 2||hi"),
        (
            Request::post("/").header("host", "b").header("content-length", "0"),
            whole(""),
            "POST / HTTP/1.1|host: b|content-length: 0||",
        ),
        (
            Request::post("/").header("host", "b").header("content-length", "9").header("transfer-encoding", "x"),
            whole("hi"),
            "POST / HTTP/1.1|host: b|content-length: 2||hi",
        ),
    ];
    for (head, body, want) in cases {
        assert_eq!(sent(head, body).expect("it is sent"), want);
    }
}

#[test]
fn a_body_that_is_pulled_has_its_length_or_chunks() {
    let post = || Request::post("/").header("host", "b");
    let told = || post().header("content-length", "4");
    let cases = [
        (told(), stream(&["bo", "dy"], None), "content-length: 4||body"),
        (told(), stream(&["bo", "dymore", "x"], None), "content-length: 4||body"),
        (post(), stream(&["body"], Some(4)), "content-length: 4||body"),
        (post(), stream(&["bo", "", "dy to the end"], None), "transfer-encoding: chunked||2|bo|d|dy to the end|0||"),
        (post(), stream(&[], None), "transfer-encoding: chunked||0||"),
    ];
    for (head, body, want) in cases {
        assert_eq!(sent(head, body).expect("it is sent"), format!("POST / HTTP/1.1|host: b|{want}"));
    }
    assert!(matches!(sent(told(), stream(&["bo"], None)), Err(Failed::Short)));
}

#[test]
fn only_trailers_that_were_announced_are_sent() {
    let trailers = || {
        let mut trailers = HeaderMap::new();
        for name in ["x-sum", "x-other", "content-length"] {
            trailers.insert(name, HeaderValue::from_static("7"));
        }
        Some(trailers)
    };
    let head = || Request::post("/").header("host", "b").header("trailer", "X-Sum, content-length");
    let got = sent(head(), with_trailers(&["a"], None, trailers())).expect("it is sent");
    let want = "POST / HTTP/1.1|host: b|trailer: X-Sum, content-length|transfer-encoding: chunked||1|a|0|x-sum: 7||";
    assert_eq!(got, want);
    let got = sent(head(), with_trailers(&["a"], Some(1), trailers())).expect("it is sent");
    assert_eq!(got, "POST / HTTP/1.1|host: b|trailer: X-Sum, content-length|content-length: 1||a");
}

#[test]
fn data_of_any_size_goes_out_as_it_is() {
    for size in [1, 4_096, 4_097, 100_000] {
        let text: &'static str = "x".repeat(size).leak();
        let (head, body) = (Request::post("/").header("host", "b"), stream(&[text, "y"], None));
        let want = format!("POST / HTTP/1.1|host: b|transfer-encoding: chunked||{size:x}|{text}|1|y|0||");
        assert!(sent(head, body).expect("it is sent") == want, "{size}");
    }
}
