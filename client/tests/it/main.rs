//! The layers around services of all kinds; on a held clock where time matters, over sockets where the wire does.

mod breakers;
mod bulkheads;
mod deadlines;
mod limits;
mod over_axum;
mod over_tonic;
mod retries;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Empty};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// The held clock.
#[expect(clippy::disallowed_methods, reason = "the layers go by this clock")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// A body of these frames that ends, or hangs behind the last.
#[derive(Debug, Default)]
struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    hangs: bool,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.frames.pop_front() {
            None if self.hangs => Poll::Pending,
            frame => Poll::Ready(frame.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && !self.hangs
    }
}

/// An answer with this status and no body.
fn status(status: u16) -> Response<Frames> {
    Response::builder().status(status).body(Frames::default()).expect("an answer")
}

/// A gRPC reply of one message that ends with this code.
fn grpc(code: &'static str) -> Response<Frames> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static(code));
    let frames = [Frame::data(Bytes::from_static(b"\0\0\0\0\0")), Frame::trailers(trailers)].into();
    Response::new(Frames { frames, hangs: false })
}

/// A gRPC reply whose head is all there is.
fn grpc_in_head(code: &'static str) -> Response<Frames> {
    Response::builder().header("grpc-status", code).body(Frames::default()).expect("an answer")
}

fn get() -> Request<Empty<Bytes>> {
    Request::get("/").body(Empty::new()).expect("a request")
}

/// Reads an answer to its end, as a client does: status, and the code of gRPC if there is one.
async fn read<B>(answer: Response<B>) -> (u16, Option<String>)
where
    B: Body<Error: std::fmt::Debug>,
{
    let (head, body) = answer.into_parts();
    let trailers = body.collect().await.expect("it ends").trailers().cloned().unwrap_or_default();
    let code = |headers: &HeaderMap| Some(headers.get("grpc-status")?.to_str().expect("a number").to_owned());
    (head.status.as_u16(), code(&head.headers).or_else(|| code(&trailers)))
}
