//! The body of a response on h1: its request is in flight until the client has it all.

use super::super::pace::Pace;
use super::super::patience::InFlight;
use crate::pipeline::{ReplyBody, ReplyError};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use tidegate_upstream::CallError;

/// The body of a request; counts its bytes for its connection, wherever it is read, and is read in turns.
#[derive(Debug)]
pub(super) struct Read {
    body: Incoming,
    bytes: Arc<AtomicUsize>,
    pace: Pace,
}

impl Read {
    pub(super) fn new(body: Incoming, bytes: Arc<AtomicUsize>) -> Self {
        Self { body, bytes, pace: Pace::default() }
    }
}

impl Body for Read {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        ready!(self.pace.poll(context));
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.pace.read(frame);
            self.bytes.fetch_add(frame.data_ref().map_or(0, Bytes::len), Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body, and what is told when it is dropped.
#[derive(Debug)]
pub(super) struct Counted<R> {
    body: ReplyBody<R>,
    in_flight: InFlight,
}

impl<R> Counted<R> {
    pub(super) fn new(body: ReplyBody<R>, in_flight: InFlight) -> Self {
        Self { body, in_flight }
    }
}

impl<R> Body for Counted<R>
where
    R: Body<Data = Bytes, Error = CallError> + Unpin,
{
    type Data = Bytes;
    type Error = ReplyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<R> Drop for Counted<R> {
    fn drop(&mut self) {
        if self.in_flight.is_stalled() {
            self.body.abandon();
        }
    }
}
