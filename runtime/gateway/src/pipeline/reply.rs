//! The response's body, whole or streamed.

use super::native::{Pass, refuse_over};
use super::plain;
use super::stopping;
use super::stream::Source;
use crate::exchange::Exchange;
use crate::idle::Watch;
use crate::local;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use tidegate_upstream::CallError;

/// The most that is handed on at once: what a client's window, or its socket, does not take stays here,
/// where its exchange sees that it is stuck.
const PIECE_BYTES: usize = 64 * 1024;

/// A reply that is larger keeps its exchange until the client has taken it.
pub(crate) const LARGE_BYTES: usize = 16 * 1024;

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
    /// Headers alone. Without a length: to a native client every header is metadata.
    Nothing,
    Whole(Bytes),
    Large(Box<Large>),
    Stream(Box<Stream<R>>),
    Native(Box<Pass<R>>),
    Plain(Box<plain::Pass<R>>),
    /// Nothing: the connection is handed over behind the head.
    Handover(Box<plain::Handover>),
    Local(Box<local::Reply>),
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
    /// A stream that is silent for too long ends.
    watch: Watch,
    /// The failure to come was held back once.
    held_back: bool,
}

impl<R> ReplyBody<R> {
    pub(crate) fn nothing() -> Self {
        Self(Kind::Nothing)
    }

    pub(crate) fn whole(body: Bytes) -> Self {
        Self(Kind::Whole(body))
    }

    pub(crate) fn large(body: Bytes, exchange: Exchange) -> Self {
        Self(Kind::Large(Box::new(Large { rest: body, exchange })))
    }

    pub(crate) fn native(pass: Pass<R>) -> Self {
        Self(Kind::Native(Box::new(pass)))
    }

    pub(crate) fn plain(pass: plain::Pass<R>) -> Self {
        Self(Kind::Plain(Box::new(pass)))
    }

    pub(crate) fn handover(handover: plain::Handover) -> Self {
        Self(Kind::Handover(Box::new(handover)))
    }

    /// What the connection becomes behind this reply, once.
    pub(crate) fn take_handover(&mut self) -> Option<Box<plain::Handover>> {
        match std::mem::replace(&mut self.0, Kind::Nothing) {
            Kind::Handover(handover) => Some(handover),
            other => {
                self.0 = other;
                None
            }
        }
    }

    pub(crate) fn local(reply: local::Reply) -> Self {
        Self(Kind::Local(Box::new(reply)))
    }

    pub(crate) fn stream(source: Source<R>, exchange: Exchange) -> Self {
        let watch = exchange.watch();
        Self(Kind::Stream(Box::new(Stream { source, exchange, watch, held_back: false })))
    }
}

impl<R> ReplyBody<R> {
    /// The client takes nothing: what ends with this body ends for that.
    pub(crate) fn abandon(&mut self) {
        match &mut self.0 {
            Kind::Nothing | Kind::Whole(_) | Kind::Handover(_) => {}
            Kind::Plain(pass) => pass.abandon(),
            Kind::Large(large) => large.exchange.end_stalled(),
            Kind::Stream(stream) => stream.exchange.end_stalled(),
            Kind::Native(pass) => pass.abandon(),
            Kind::Local(reply) => reply.abandon(),
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
            Kind::Native(pass) => return pass.poll_frame(context).map(|frame| frame.map(Ok)),
            Kind::Local(reply) => return reply.poll_frame(context).map(|frame| frame.map(Ok)),
            Kind::Plain(pass) => return pass.poll_frame(context),
            Kind::Nothing | Kind::Handover(_) => Poll::Ready(None),
            Kind::Whole(body) if body.is_empty() => Poll::Ready(None),
            Kind::Whole(body) => Poll::Ready(Some(Ok(std::mem::take(body)))),
            Kind::Large(large) => Poll::Ready(large.next_piece().map(Ok)),
            Kind::Stream(stream) => stream.poll_piece(context),
        };
        piece.map(|piece| piece.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Nothing | Kind::Handover(_) => true,
            Kind::Plain(pass) => pass.is_end_stream(),
            Kind::Whole(body) => body.is_empty(),
            Kind::Large(large) => large.rest.is_empty(),
            Kind::Stream(_) => false,
            Kind::Native(pass) => pass.is_end_stream(),
            Kind::Local(reply) => reply.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(body) => SizeHint::with_exact(body.len() as u64),
            Kind::Large(large) => SizeHint::with_exact(large.rest.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

impl Large {
    fn next_piece(&mut self) -> Option<Bytes> {
        if self.rest.is_empty() {
            return None;
        }
        Some(self.rest.split_to(self.rest.len().min(PIECE_BYTES)))
    }
}

impl Drop for Large {
    /// Nobody asks once more when the length is known: whoever drops it after the last piece has sent that.
    fn drop(&mut self) {
        if self.rest.is_empty() {
            self.exchange.end_large();
        }
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
        if piece.is_pending()
            && let Poll::Ready(over) = self.watch.poll_over(context)
        {
            self.source.fail(&refuse_over(over));
            piece = self.source.poll_next(context);
        }
        match &piece {
            Poll::Ready(Some(data)) => {
                self.watch.moved();
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
}
