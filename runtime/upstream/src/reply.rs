//! The body of a response, over either protocol.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{
    CallError,
    exchange::StreamBody,
    h1::{self, Tunnel},
};

/// The body of an [`Upstream`](crate::Upstream)'s response.
///
/// It is read from the network as it is read here. Trailers are its last frame. Dropping it before its
/// end resets its stream, or closes its connection where that carries nothing else.
pub struct ResponseBody(Kind);

enum Kind {
    H1(h1::ReplyBody),
    H2(StreamBody),
}

impl ResponseBody {
    /// The address of the endpoint that sends it.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        match &self.0 {
            Kind::H1(body) => body.endpoint(),
            Kind::H2(body) => body.endpoint(),
        }
    }

    /// Another deadline than the one that the call had, if it had one.
    pub(crate) fn set_deadline(&mut self, at: Option<Instant>) {
        match &mut self.0 {
            Kind::H1(body) => body.set_deadline(at),
            Kind::H2(body) => body.set_deadline(at),
        }
    }

    /// What is left of the exchange if the response was 101, once.
    pub fn take_tunnel(&mut self) -> Option<Tunnel> {
        match &mut self.0 {
            Kind::H1(body) => body.take_tunnel(),
            Kind::H2(_) => None,
        }
    }
}

impl From<h1::ReplyBody> for ResponseBody {
    fn from(body: h1::ReplyBody) -> Self {
        Self(Kind::H1(body))
    }
}

impl From<StreamBody> for ResponseBody {
    fn from(body: StreamBody) -> Self {
        Self(Kind::H2(body))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        match &mut self.0 {
            Kind::H1(body) => Pin::new(body).poll_frame(cx),
            Kind::H2(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::H1(body) => body.is_end_stream(),
            Kind::H2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::H1(body) => body.size_hint(),
            Kind::H2(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("endpoint", &self.endpoint())
            .field("ended", &self.is_end_stream())
            .finish_non_exhaustive()
    }
}
