//! The response's body, whole or streamed.

use super::stopping;
use super::stream::{Source, silent};
use crate::answer::{Answer, Refusal};
use crate::exchange::Exchange;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tidegate_telemetry::clock;
use tidegate_upstream::CallError;
use tokio::time::Sleep;

/// The most that is handed on at once: what a client's window, or its socket, does not take stays here,
/// where its exchange sees that it is stuck.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;

/// The upstream's stream broke off, and the body has no way to say so: a `google.api.HttpBody`.
///
/// Any other stream says in its own framing what went wrong. This one must not end as if it were
/// whole: an h1 connection closes without the last chunk, an h2 stream is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream from upstream broke off")]
pub struct ReplyError;

/// The body of a response.
#[derive(Debug)]
pub struct ReplyBody<R>(Kind<R>);

#[derive(Debug)]
enum Kind<R> {
    Whole(Bytes),
    Large(Box<Large>),
    Stream(Box<Stream<R>>),
}

/// A reply of several pieces, with the exchange that ends with the last.
#[derive(Debug)]
struct Large {
    rest: Bytes,
    exchange: Exchange,
}

/// A stream, with the exchange that ends with it.
#[derive(Debug)]
struct Stream<R> {
    source: Source<R>,
    exchange: Exchange,
    /// When the last piece came: a stream that is silent for too long ends.
    active: Instant,
    idle_timeout: Duration,
    alarm: Pin<Box<Sleep>>,
    /// The failure to come was held back once.
    held_back: bool,
}

impl<R> ReplyBody<R> {
    pub(crate) fn whole(body: Bytes) -> Self {
        Self(Kind::Whole(body))
    }

    pub(crate) fn large(body: Bytes, exchange: Exchange) -> Self {
        Self(Kind::Large(Box::new(Large { rest: body, exchange })))
    }

    pub(crate) fn stream(source: Source<R>, exchange: Exchange, idle_timeout: Duration) -> Self {
        let active = clock::now();
        let first = exchange.deadline().map_or(active + idle_timeout, |deadline| deadline.min(active + idle_timeout));
        let alarm = Box::pin(tokio::time::sleep_until(first.into()));
        Self(Kind::Stream(Box::new(Stream { source, exchange, active, idle_timeout, alarm, held_back: false })))
    }
}

impl<R> ReplyBody<R> {
    /// The client takes nothing: what ends with this body ends for that.
    pub(crate) fn abandon(&mut self) {
        match &mut self.0 {
            Kind::Whole(_) => {}
            Kind::Large(large) => large.exchange.end_stalled(),
            Kind::Stream(stream) => stream.exchange.end_stalled(),
        }
    }
}

impl<R> Body for ReplyBody<R>
where
    R: Body<Data = Bytes, Error = CallError> + Unpin,
{
    type Data = Bytes;
    type Error = ReplyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplyError>>> {
        let piece = match &mut self.0 {
            Kind::Whole(body) if body.is_empty() => Poll::Ready(None),
            Kind::Whole(body) => Poll::Ready(Some(Ok(std::mem::take(body)))),
            Kind::Large(large) => Poll::Ready(large.next_piece().map(Ok)),
            Kind::Stream(stream) => stream.poll_piece(context),
        };
        piece.map(|piece| piece.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(body) => body.is_empty(),
            Kind::Large(large) => large.rest.is_empty(),
            Kind::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(body) => SizeHint::with_exact(body.len() as u64),
            Kind::Large(large) => SizeHint::with_exact(large.rest.len() as u64),
            Kind::Stream(_) => SizeHint::default(),
        }
    }
}

impl Large {
    fn next_piece(&mut self) -> Option<Bytes> {
        if self.rest.is_empty() {
            return None;
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        if self.rest.is_empty() {
            self.exchange.end_large();
        }
        Some(piece)
    }
}

impl<R> Stream<R>
where
    R: Body<Data = Bytes, Error = CallError> + Unpin,
{
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ReplyError>>> {
        if self.exchange.must_end() {
            self.source.end_early(&stopping());
        }
        let mut piece = self.source.poll_next(context);
        if piece.is_pending() && self.poll_alarm(context).is_ready() {
            piece = self.source.poll_next(context);
        }
        match &piece {
            Poll::Ready(Some(data)) => {
                self.active = clock::now();
                self.exchange.sent(data.len());
            }
            Poll::Ready(None) => {
                if let Some(ending) = self.source.ending() {
                    self.exchange.end_stream(ending.code, ending.reason);
                }
                if self.source.is_cut() {
                    // A failure discards what is not flushed yet: once around, so that it goes out before.
                    if !std::mem::replace(&mut self.held_back, true) {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    return Poll::Ready(Some(Err(ReplyError)));
                }
            }
            Poll::Pending => {}
        }
        piece.map(|piece| piece.map(Ok))
    }

    /// Ready when the deadline passed or the stream was silent for too long: its end is then written.
    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.alarm.as_mut().poll(context).is_ready() {
            let now = clock::now();
            let idle_end = self.active + self.idle_timeout;
            if self.exchange.deadline().is_some_and(|deadline| deadline <= now) {
                self.source.fail(&Refusal::new(Answer::Deadline, "the deadline passed before the stream ended"));
                return Poll::Ready(());
            }
            if idle_end <= now {
                self.source.fail(&silent(self.idle_timeout));
                return Poll::Ready(());
            }
            let next = self.exchange.deadline().map_or(idle_end, |deadline| deadline.min(idle_end));
            self.alarm.as_mut().reset(next.into());
        }
        Poll::Pending
    }
}
