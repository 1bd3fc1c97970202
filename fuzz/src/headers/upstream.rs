//! An upstream that answers with the headers that it was given.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, request};
use http_body::{Body, Frame};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tidegate_upstream::{Call, CallError, RequestBody};

/// Answers with one empty message.
pub(super) struct Scripted {
    headers: HeaderMap,
    trailers: HeaderMap,
    seen: Mutex<Option<request::Parts>>,
}

/// Its reply's body.
pub(super) struct Frames(VecDeque<Frame<Bytes>>);

// === impl Scripted ===

impl Scripted {
    /// `headers` and `trailers` get what gRPC needs, unless they have it.
    pub(super) fn new(mut headers: HeaderMap, mut trailers: HeaderMap) -> Self {
        headers.entry("content-type").or_insert(HeaderValue::from_static("application/grpc"));
        trailers.entry("grpc-status").or_insert(HeaderValue::from_static("0"));
        Self { headers, trailers, seen: Mutex::default() }
    }

    /// What it was asked, if it was.
    pub(super) fn request(&self) -> Option<request::Parts> {
        self.seen.lock().take()
    }
}

impl Call for Scripted {
    type Body = Frames;

    async fn call(&self, request: Request<RequestBody>, _: Option<Instant>) -> Result<Response<Frames>, CallError> {
        *self.seen.lock() = Some(request.into_parts().0);
        let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(self.trailers.clone())];
        let mut response = Response::new(Frames(frames.into()));
        *response.headers_mut() = self.headers.clone();
        Ok(response)
    }

    fn endpoint(_: &Frames) -> Option<&str> {
        None
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}
