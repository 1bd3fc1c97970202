//! The reply's side: its body as it comes, and how it ended.

use super::super::{ReplyError, refuse_call, stopping};
use super::refuse_over;
use crate::answer::Refusal;
use crate::exchange::Exchange;
use crate::idle::Watch;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tidegate_upstream::CallError;

/// Passes a reply's body on, and ends the exchange with it. A body that breaks off has no way to say so:
/// it must not end as if it were whole.
#[derive(Debug)]
pub(crate) struct Pass<R> {
    upstream: R,
    exchange: Exchange,
    status: StatusCode,
    /// What `content-length` says is still to come: nobody asks once more behind the last byte.
    left: Option<u64>,
    watch: Watch,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// It broke off; what was handed on goes out first.
    Broken,
    Ended,
}

impl<R> Pass<R> {
    /// The client takes nothing: the reply ends for that.
    pub(crate) fn abandon(&mut self) {
        self.exchange.end_stalled();
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.state == State::Ended
    }
}

impl<R> Pass<R>
where
    R: Body<Data = Bytes, Error = CallError> + Unpin,
{
    pub(crate) fn new(upstream: R, status: StatusCode, left: Option<u64>, exchange: Exchange, watch: Watch) -> Self {
        Self { upstream, exchange, status, left, watch, state: State::Open }
    }

    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReplyError>>> {
        match self.state {
            State::Open => {}
            State::Broken => {
                self.state = State::Ended;
                return Poll::Ready(Some(Err(ReplyError)));
            }
            State::Ended => return Poll::Ready(None),
        }
        if self.exchange.must_end() {
            return self.fail(&stopping(), context);
        }
        match Pin::new(&mut self.upstream).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.watch.moved();
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.exchange.sent(bytes);
                self.left = self.left.map(|left| left.saturating_sub(bytes as u64));
                if self.left == Some(0) || frame.is_trailers() || self.upstream.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => self.fail(&refuse_call(error), context),
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let over = ready!(self.watch.poll_over(context));
                self.fail(&refuse_over(over), context)
            }
        }
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.exchange.end_plain(self.status, None);
    }

    /// A failure discards what is not flushed yet: once around, so that it goes out before.
    fn fail(&mut self, refusal: &Refusal, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReplyError>>> {
        self.state = State::Broken;
        self.exchange.end_plain(self.status, Some(refusal));
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
