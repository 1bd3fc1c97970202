//! The body of a request that came over h2.

use super::super::pace::Pace;
use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Gives the client room for more as its data is taken, so that what waits is bounded by the window. Is read in turns.
#[derive(Debug)]
pub(crate) struct RequestBody {
    stream: RecvStream,
    /// What `content-length` says is still to come. The h2 library resets a stream that breaks it.
    length: Option<u64>,
    data_ended: bool,
    pace: Pace,
}

impl RequestBody {
    pub(super) fn new(stream: RecvStream, length: Option<u64>) -> Self {
        Self { stream, length, data_ended: false, pace: Pace::default() }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.data_ended {
            ready!(self.pace.poll(context));
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // It fails only for more than was received.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    self.length = self.length.map(|left| left.saturating_sub(data.len() as u64));
                    let frame = Frame::data(data);
                    self.pace.read(&frame);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.data_ended = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(context));
        Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            _ if self.stream.is_end_stream() => SizeHint::with_exact(0),
            Some(length) => SizeHint::with_exact(length),
            None => SizeHint::default(),
        }
    }
}
