//! A body that may be so long, and must come at a rate.

use crate::config::limits;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tidegate_telemetry::clock;
use tokio::time::Sleep;

/// Why a [`Limited`] body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyLimit {
    /// More than so many bytes came.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    /// Less came than the least rate asks for.
    #[error("the body came too slowly")]
    TooSlow,
    /// It came in very many tiny pieces.
    #[error("the body came in too many tiny pieces")]
    Scattered,
}

/// Pieces below this size are tiny: reading them costs more than sending them.
const TINY_BYTES: usize = 64;
/// A body may have so many tiny pieces at once. One that a program writes byte by byte has a few thousand.
const TINY_MAX: u32 = 16 * 1024;
/// Those that are forgiven every second: more than anybody types.
const FORGIVEN_PER_SECOND: f64 = 100.0;
/// After so many it is looked how much time has passed.
const LOOK_EVERY: u32 = 1024;

/// A body within limits; what is beyond them is an error that holds a [`BodyLimit`].
///
/// It reads the clock, and has a timer, only once a piece of it does not come at once.
pub(crate) struct Limited<B> {
    body: B,
    limits: limits::Body,
    received: usize,
    tiny: u32,
    /// When tiny pieces were forgiven last.
    forgiven_at: Option<Instant>,
    clock: Option<Clock>,
}

struct Clock {
    began: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl<B> Limited<B> {
    pub(crate) fn new(body: B, limits: limits::Body) -> Self {
        Self { body, limits, received: 0, tiny: 0, forgiven_at: None, clock: None }
    }

    /// Counts a tiny piece; whether there may be one more.
    fn takes_tiny(&mut self) -> bool {
        self.tiny += 1;
        if self.tiny.is_multiple_of(LOOK_EVERY) {
            let now = clock::now();
            let since = self.forgiven_at.replace(now).map(|at| now.saturating_duration_since(at));
            let forgiven = since.map_or(0.0, |since| since.as_secs_f64() * FORGIVEN_PER_SECOND);
            self.tiny = self.tiny.saturating_sub(forgiven as u32);
        }
        self.tiny <= TINY_MAX
    }

    /// When it will have come too slowly if nothing more comes: what came has earned its time.
    fn due(&self, began: Instant) -> Instant {
        let millis = (self.received as u64).saturating_mul(1000) / self.limits.min_rate.max(1);
        let earned = self.limits.timeout.saturating_add(Duration::from_millis(millis));
        began.checked_add(earned).unwrap_or_else(|| began + Duration::from_secs(86_400))
    }

    /// Ready when it came too slowly.
    fn poll_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let began = self.clock.as_ref().map_or_else(clock::now, |clock| clock.began);
        let due = self.due(began);
        let clock =
            self.clock.get_or_insert_with(|| Clock { began, alarm: Box::pin(tokio::time::sleep_until(due.into())) });
        loop {
            std::task::ready!(clock.alarm.as_mut().poll(context));
            if due <= clock::now() {
                return Poll::Ready(());
            }
            clock.alarm.as_mut().reset(due.into());
        }
    }
}

impl<B> Body for Limited<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let len = frame.data_ref().map_or(0, Bytes::len);
                self.received += len;
                if len < TINY_BYTES && !self.takes_tiny() {
                    return Poll::Ready(Some(Err(BodyLimit::Scattered.into())));
                }
                if self.received > self.limits.max_bytes {
                    return Poll::Ready(Some(Err(BodyLimit::TooLong(self.limits.max_bytes).into())));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => self.poll_slow(context).map(|()| Some(Err(BodyLimit::TooSlow.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for Limited<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited")
            .field("limits", &self.limits)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
