//! Sending a body that is a stream: pulled as the peer's windows allow, on a task of its own, so
//! that a reply that nobody reads does not hold up the request, nor the other way round.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body, Frame};
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use crate::{BodyError, RequestBody};

/// An upload under way. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Upload {
    task: AbortHandle,
    failure: Failure,
}

/// Where an upload leaves the error of its source.
pub(crate) type Failure = Arc<Mutex<Option<BodyError>>>;

/// Why an upload ends early.
enum Stop {
    /// The source failed.
    Source(BodyError),
    /// The stream is closed; whoever reads the reply learns why.
    Closed,
}

// === impl Upload ===

impl Upload {
    pub(crate) fn start(body: RequestBody, stream: SendStream<Bytes>) -> Self {
        let failure = Failure::default();
        let task = tokio::spawn(run(body, stream, Arc::clone(&failure)));
        Self { task: task.abort_handle(), failure }
    }

    /// The error of the source, if that is what ended the stream.
    pub(crate) fn take_failure(&self) -> Option<BodyError> {
        self.failure.lock().take()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut body: RequestBody, mut stream: SendStream<Bytes>, failure: Failure) {
    match pump(&mut body, &mut stream).await {
        Ok(()) | Err(Stop::Closed) => {}
        Err(Stop::Source(error)) => {
            // First the reason, then the reset that makes the other side look for one.
            *failure.lock() = Some(error);
            stream.send_reset(Reason::CANCEL);
        }
    }
}

async fn pump(body: &mut RequestBody, stream: &mut SendStream<Bytes>) -> Result<(), Stop> {
    while !body.is_end_stream() {
        // Nothing is pulled that could not be sent.
        stream.reserve_capacity(1);
        poll_fn(|cx| poll_capacity(stream, cx)).await?;
        let Some(frame) = poll_fn(|cx| poll_source(body, stream, cx)).await? else { break };
        match frame.into_data() {
            Ok(data) => {
                // An empty piece sends nothing, and so could not say that it is the last.
                let ends = body.is_end_stream() && !data.is_empty();
                send(stream, data, ends).await?;
                if ends {
                    return Ok(());
                }
            }
            Err(frame) => {
                let Ok(trailers) = frame.into_trailers() else { continue };
                return stream.send_trailers(trailers).map_err(|_| Stop::Closed);
            }
        }
    }
    stream.send_data(Bytes::new(), true).map_err(|_| Stop::Closed)
}

/// Sends a piece, in parts as the peer takes them.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes, ends: bool) -> Result<(), Stop> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let capacity = poll_fn(|cx| poll_capacity(stream, cx)).await?;
        let part = data.split_to(capacity.min(data.len()));
        stream.send_data(part, ends && data.is_empty()).map_err(|_| Stop::Closed)?;
    }
    Ok(())
}

/// How much may be sent, once it is something.
fn poll_capacity(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Result<usize, Stop>> {
    loop {
        if stream.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(Stop::Closed));
        }
        let capacity = stream.capacity();
        if capacity > 0 {
            return Poll::Ready(Ok(capacity));
        }
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Poll::Ready(Err(Stop::Closed)),
        }
    }
}

fn poll_source(
    body: &mut RequestBody,
    stream: &mut SendStream<Bytes>,
    cx: &mut Context<'_>,
) -> Poll<Result<Option<Frame<Bytes>>, Stop>> {
    if stream.poll_reset(cx).is_ready() {
        return Poll::Ready(Err(Stop::Closed));
    }
    Pin::new(body).poll_frame(cx).map(|frame| frame.transpose().map_err(Stop::Source))
}
