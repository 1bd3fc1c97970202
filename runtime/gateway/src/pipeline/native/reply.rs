//! The reply's side of a native call.

use super::super::{close::bad_reply, refuse_call, stopping};
use super::refuse_over;
use crate::answer::Refusal;
use crate::exchange::Exchange;
use crate::idle::Watch;
use bytes::Bytes;
use http::header::HeaderMap;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tidegate_transcode::{Code, Status};
use tidegate_upstream::CallError;

/// Passes messages and trailers on, and ends the exchange with the trailers' status.
#[derive(Debug)]
pub(crate) struct Pass<R> {
    upstream: R,
    exchange: Exchange,
    /// The status, if it stands in the head: no trailers need follow.
    in_head: Option<Code>,
    /// Of a stream; a unary call has its deadline.
    watch: Option<Watch>,
    ended: bool,
}

impl<R> Pass<R> {
    /// The client takes nothing: the call ends for that.
    pub(crate) fn abandon(&mut self) {
        self.exchange.end_stalled();
    }
}

impl<R> Pass<R>
where
    R: Body<Data = Bytes, Error = CallError> + Unpin,
{
    pub(crate) fn new(upstream: R, in_head: Option<Code>, exchange: Exchange, watch: Option<Watch>) -> Self {
        Self { upstream, exchange, in_head, watch, ended: false }
    }

    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.exchange.must_end() {
            return self.fail(&stopping());
        }
        let frame = match Pin::new(&mut self.upstream).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => return self.fail(&refuse_call(error)),
            Poll::Ready(None) if let Some(code) = self.in_head => {
                self.ended = true;
                self.exchange.end_stream(code, None);
                return Poll::Ready(None);
            }
            Poll::Ready(None) => return self.fail(&bad_reply("the upstream's stream ended without a grpc-status")),
            Poll::Pending => {
                let Some(watch) = &mut self.watch else { return Poll::Pending };
                let over = ready!(watch.poll_over(context));
                return self.fail(&refuse_over(over));
            }
        };
        match frame.into_data() {
            Ok(data) => {
                if let Some(watch) = &mut self.watch {
                    watch.moved();
                }
                self.exchange.sent(data.len());
                Poll::Ready(Some(Frame::data(data)))
            }
            Err(frame) => self.end(frame.into_trailers().unwrap_or_default()),
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.ended
    }

    /// The trailers are the last thing that is sent.
    fn end(&mut self, trailers: HeaderMap) -> Poll<Option<Frame<Bytes>>> {
        let Some(code) = Status::code_in(&trailers) else {
            return self.fail(&bad_reply("the upstream's stream ended without a grpc-status"));
        };
        self.ended = true;
        self.exchange.end_stream(code, None);
        Poll::Ready(Some(Frame::trailers(trailers)))
    }

    /// Ends the stream for a reason of our own. The upstream's is reset when the body is dropped.
    fn fail(&mut self, refusal: &Refusal) -> Poll<Option<Frame<Bytes>>> {
        let mut trailers = HeaderMap::new();
        refusal.status.write_trailers(&mut trailers);
        self.ended = true;
        self.exchange.end_stream(refusal.status.code, refusal.reason);
        Poll::Ready(Some(Frame::trailers(trailers)))
    }
}
