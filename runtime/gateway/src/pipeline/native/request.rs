//! The request's side of a native call.

use super::super::open::refuse_body;
use crate::answer::{Answer, Refusal};
use crate::config::DEFAULT_TIMEOUT;
use crate::exchange::Exchange;
use crate::idle::Upload;
use crate::snapshot::RoutedRpc;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tidegate_telemetry::clock;
use tidegate_upstream::RequestBody;

/// Of a request that is one message, so much is awaited before the call is made: what is in memory
/// needs no task that sends it, and can be sent again if a connection turns out to be closing. A
/// longer one streams.
const WHOLE_BYTES: usize = 64 * 1024;

/// The body of the call: in memory if it is one message and short, else a stream.
pub(super) async fn body<B>(body: B, routed: &RoutedRpc<'_>, exchange: &mut Exchange) -> Result<RequestBody, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut body = body;
    let mut begun = Bytes::new();
    if routed.takes_one_message() {
        let (read, ended) = read_in_time(&mut body, exchange).await?;
        if ended {
            exchange.received(read.len());
            exchange.hold(read.len());
            return Ok(read.into());
        }
        begun = read;
    } else if body.is_end_stream() {
        return Ok(RequestBody::empty());
    }
    let upload = exchange.upload_begins();
    upload.received(begun.len());
    Ok(RequestBody::stream(Streamed { begun, body, upload }))
}

/// Reads a message by the deadline; what is longer than [`WHOLE_BYTES`] is not read to its end. Says which.
pub(crate) async fn read_in_time<B>(body: &mut B, exchange: &Exchange) -> Result<(Bytes, bool), Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut read = pin!(read(body));
    // Most messages are there already, and need no timer.
    if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(read.as_mut().poll(context))).await {
        return done;
    }
    let limit = exchange.deadline().unwrap_or_else(|| clock::now() + DEFAULT_TIMEOUT);
    let read = tokio::time::timeout_at(limit.into(), read).await;
    let late = || Refusal::new(Answer::Deadline, "the deadline passed before the request's message came");
    read.unwrap_or_else(|_| Err(late()))
}

/// Reads until the end, or until there is too much to wait for it; says which.
async fn read<B>(body: &mut B) -> Result<(Bytes, bool), Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    loop {
        let read = first.len() + more.len();
        if body.is_end_stream() || read > WHOLE_BYTES {
            let ended = body.is_end_stream();
            return Ok((if more.is_empty() { first } else { more.freeze() }, ended));
        }
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
        let Some(frame) = frame else {
            return Ok((if more.is_empty() { first } else { more.freeze() }, true));
        };
        // Trailers of a request mean nothing in gRPC.
        let Ok(data) = frame.map_err(|error| refuse_body(&*error.into()))?.into_data() else { continue };
        if read == 0 {
            first = data;
        } else {
            more.extend_from_slice(&std::mem::take(&mut first));
            more.extend_from_slice(&data);
        }
    }
}

/// A request's body as it comes; trailers are left out.
struct Streamed<B> {
    /// What was read before the call was made.
    begun: Bytes,
    body: B,
    upload: Upload,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Streamed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if !self.begun.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.begun)))));
        }
        loop {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    self.upload.received(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Ok(Err(_trailers))) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.begun.is_empty() && self.body.is_end_stream()
    }
}
