//! The body of a request that may be sent again.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The body of a request that went through a [`RetryLayer`](crate::RetryLayer): bytes that can be sent again, or what
    /// comes, once. First what was read before the call was made, then what stopped the reading, then the rest.
    pub struct Replay<B: Body> {
        read: Option<Bytes>,
        trailers: Option<HeaderMap>,
        error: Option<B::Error>,
        #[pin]
        rest: Option<B>,
    }
}

impl<B: Body + Unpin> Replay<B> {
    /// What comes, unread.
    pub(crate) fn once(body: B) -> Self {
        Self { read: None, trailers: None, error: None, rest: Some(body) }
    }

    /// Reads a body of at most so many bytes whole; a longer one can be sent once.
    pub(crate) async fn read(mut body: B, most: usize) -> Self {
        let (mut read, mut trailers) = (BytesMut::new(), None);
        while !body.is_end_stream() {
            match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                None => break,
                Some(Err(error)) => return Self { read: some(read), trailers, error: Some(error), rest: None },
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(mut data) => {
                        while data.has_remaining() {
                            let chunk = data.chunk();
                            read.extend_from_slice(chunk);
                            let taken = chunk.len();
                            data.advance(taken);
                        }
                        if read.len() > most {
                            return Self { read: some(read), trailers, error: None, rest: Some(body) };
                        }
                    }
                    Err(frame) => trailers = frame.into_trailers().ok(),
                },
            }
        }
        Self { read: some(read), trailers, error: None, rest: None }
    }

    /// The same again, if it is all here.
    pub(crate) fn again(&self) -> Option<Self> {
        let whole = self.rest.is_none() && self.error.is_none();
        whole.then(|| Self { read: self.read.clone(), trailers: self.trailers.clone(), error: None, rest: None })
    }
}

fn some(read: BytesMut) -> Option<Bytes> {
    Some(read.freeze()).filter(|read| !read.is_empty())
}

impl<B: Body<Data = Bytes>> Body for Replay<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if let Some(read) = this.read.take() {
            return Poll::Ready(Some(Ok(Frame::data(read))));
        }
        if let Some(trailers) = this.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if let Some(error) = this.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match this.rest.as_pin_mut() {
            Some(rest) => rest.poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        let read = self.read.is_none() && self.trailers.is_none() && self.error.is_none();
        read && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |read| read.len() as u64);
        let mut hint = match (&self.rest, &self.error) {
            (Some(rest), _) => rest.size_hint(),
            (None, Some(_)) => SizeHint::default(),
            (None, None) => return SizeHint::with_exact(read),
        };
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + read);
        }
        hint.set_lower(hint.lower() + read);
        hint
    }
}

impl<B: Body> fmt::Debug for Replay<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("whole", &self.rest.is_none()).finish_non_exhaustive()
    }
}
