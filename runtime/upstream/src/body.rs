//! The body of a request: one piece of memory, or a stream that is pulled.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The error of a body's source, whatever it is.
pub type BodyError = Box<dyn Error + Send + Sync>;

/// The body of a request.
///
/// What is in memory is sent in the fewest frames and can be sent again; a stream is pulled only as
/// fast as the peer takes it, and can be sent once.
pub struct RequestBody(Source);

enum Source {
    Empty,
    Bytes(Bytes),
    Stream(Pin<Box<dyn Pull + Send>>),
}

/// How a body is sent.
pub(crate) enum Parts {
    /// All of it, known now.
    Whole(Bytes),
    /// By a task of its own.
    Stream(RequestBody),
}

/// A body whose error is made opaque.
trait Pull {
    fn poll_pull(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>>;

    fn is_at_end(&self) -> bool;

    fn hint(&self) -> SizeHint;
}

// === impl RequestBody ===

impl RequestBody {
    /// No body at all.
    #[must_use]
    pub fn empty() -> Self {
        Self(Source::Empty)
    }

    /// A body that is pulled from `body`, frame by frame, trailers included. If its source fails the
    /// call fails with [`Kind::RequestBody`](crate::Kind::RequestBody), and the stream is reset.
    #[must_use]
    pub fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BodyError>> + Send + 'static,
    {
        Self(Source::Stream(Box::pin(body)))
    }

    /// The bytes, if all of them are in memory.
    #[must_use]
    pub fn whole(&self) -> Option<&Bytes> {
        match &self.0 {
            Source::Bytes(bytes) => Some(bytes),
            Source::Empty | Source::Stream(_) => None,
        }
    }

    /// The bytes of a body that is in memory.
    #[must_use]
    pub fn in_memory(&self) -> Option<usize> {
        match &self.0 {
            Source::Empty => Some(0),
            Source::Bytes(bytes) => Some(bytes.len()),
            Source::Stream(_) => None,
        }
    }

    /// The same body once more, if it is in memory; the bytes are shared, not copied.
    #[must_use]
    pub fn share(&self) -> Option<Self> {
        match &self.0 {
            Source::Empty => Some(Self(Source::Empty)),
            Source::Bytes(bytes) => Some(Self(Source::Bytes(bytes.clone()))),
            Source::Stream(_) => None,
        }
    }

    pub(crate) fn into_parts(self) -> Parts {
        match self.0 {
            Source::Empty => Parts::Whole(Bytes::new()),
            Source::Bytes(bytes) => Parts::Whole(bytes),
            Source::Stream(_) => Parts::Stream(self),
        }
    }
}

/// All of the body; the bytes are shared, not copied.
impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self(if bytes.is_empty() { Source::Empty } else { Source::Bytes(bytes) })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Source::Empty => Poll::Ready(None),
            Source::Bytes(bytes) => {
                let frame = Frame::data(std::mem::take(bytes));
                self.0 = Source::Empty;
                Poll::Ready(Some(Ok(frame)))
            }
            Source::Stream(body) => body.as_mut().poll_pull(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Empty => true,
            Source::Bytes(_) => false,
            Source::Stream(body) => body.is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Empty => SizeHint::with_exact(0),
            Source::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Stream(body) => body.hint(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Empty => "RequestBody::Empty",
            Source::Bytes(_) => "RequestBody::Bytes",
            Source::Stream(_) => "RequestBody::Stream",
        })
    }
}

// === impl Pull ===

impl<B: Body<Data = Bytes, Error: Into<BodyError>>> Pull for B {
    fn poll_pull(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.poll_frame(cx).map_err(Into::into)
    }

    fn is_at_end(&self) -> bool {
        self.is_end_stream()
    }

    fn hint(&self) -> SizeHint {
        self.size_hint()
    }
}
