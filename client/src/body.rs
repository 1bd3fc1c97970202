//! The body of an answer that went through a layer.

use crate::deadline::Deadline;
use crate::protocol::Protocol;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep_until};

/// The error of a body, whatever it is.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Waits for the end of a body. Dropped without being told, the body was not read to its end.
pub(crate) trait Ending: Send {
    /// It ended with these trailers, or with none.
    fn ended(self: Box<Self>, trailers: Option<&HeaderMap>);

    /// It broke off.
    fn broke(self: Box<Self>);
}

pin_project! {
    /// The body of an answer that went through a layer: that of the service, or none. What the layer holds for the
    /// call is held until its end.
    pub struct Body<B> {
        #[pin]
        inner: Option<B>,
        ending: Option<Box<dyn Ending>>,
        late: Option<Late>,
        over: bool,
    }
}

/// The end of a call that takes too long.
struct Late {
    protocol: Protocol,
    sleep: Pin<Box<Sleep>>,
}

/// The deadline passed while the answer came. A gRPC client sees `DEADLINE_EXCEEDED` in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LateBody;

impl fmt::Display for LateBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline passed before the answer ended")
    }
}

impl Error for LateBody {}

// === impl Body ===

impl<B> Body<B> {
    /// No body: the answer of a layer.
    pub(crate) fn none() -> Self {
        Self { inner: None, ending: None, late: None, over: true }
    }

    pub(crate) fn new(inner: B) -> Self {
        Self { inner: Some(inner), ending: None, late: None, over: false }
    }

    /// What is told of its end.
    pub(crate) fn with_ending(self, ending: impl Ending + 'static) -> Self {
        Self { ending: Some(Box::new(ending)), ..self }
    }

    /// It ends by then.
    pub(crate) fn with_deadline(self, protocol: Protocol, deadline: Deadline) -> Self {
        let sleep = Box::pin(sleep_until(deadline.0));
        Self { late: Some(Late { protocol, sleep }), ..self }
    }
}

impl<B> HttpBody for Body<B>
where
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        if *this.over {
            return Poll::Ready(None);
        }
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let polled = inner.poll_frame(context);
        if let (Poll::Pending, Some(late)) = (&polled, this.late.as_mut())
            && late.sleep.as_mut().poll(context).is_ready()
        {
            *this.over = true;
            // What serves the call stops with it.
            this.inner.set(None);
            if let Some(ending) = this.ending.take() {
                ending.broke();
            }
            return Poll::Ready(Some(match late.protocol.late_trailers() {
                Some(trailers) => Ok(Frame::trailers(trailers)),
                None => Err(LateBody.into()),
            }));
        }
        let Poll::Ready(frame) = polled else { return Poll::Pending };
        let frame = frame.map(|frame| frame.map_err(Into::into));
        match &frame {
            Some(Ok(frame)) if !frame.is_trailers() => {
                // Nobody asks once more behind the last byte of a known length.
                if this.inner.as_ref().as_pin_ref().is_some_and(|inner| inner.is_end_stream())
                    && let Some(ending) = this.ending.take()
                {
                    ending.ended(None);
                }
            }
            Some(Ok(frame)) => {
                if let Some(ending) = this.ending.take() {
                    ending.ended(frame.trailers_ref());
                }
            }
            Some(Err(_)) => {
                *this.over = true;
                if let Some(ending) = this.ending.take() {
                    ending.broke();
                }
            }
            None => {
                *this.over = true;
                if let Some(ending) = this.ending.take() {
                    ending.ended(None);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) if !self.over => inner.size_hint(),
            _ => SizeHint::with_exact(0),
        }
    }
}

impl<B> fmt::Debug for Body<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("own", &self.inner.is_none()).finish_non_exhaustive()
    }
}
