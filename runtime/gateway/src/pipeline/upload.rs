//! The body of a call whose request is a stream: messages go upstream as they come.

use super::open::{content_type, refuse_body};
use crate::answer::Refusal;
use crate::config::limits;
use crate::exchange::Exchange;
use crate::idle::Upload;
use crate::memory::Held;
use crate::snapshot::{Location, Routed, Snapshot};
use bytes::Bytes;
use http::{Uri, request};
use http_body::{Body, Frame};
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tidegate_transcode::Detached;
use tidegate_transcode::upload::{Form, Item, Splitter};
use tidegate_upstream::{BodyError, RequestBody};

/// Messages are gathered up to this many bytes while more of them are at hand.
const GATHER_BYTES: usize = 16 * 1024;

/// The request's body as a stream of messages, each of which may be as long as a body may otherwise.
///
/// # Errors
/// 415: the body is no stream of messages.
pub(super) fn body<B>(
    head: &request::Parts,
    body: B,
    limits: limits::Body,
    routed: &Routed<'_>,
    exchange: &mut Exchange,
) -> Result<RequestBody, Refusal>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let content_type = content_type(head);
    let form = Form::of(routed.matched.binding, content_type).map_err(Refusal::from_transcoder)?;
    Ok(RequestBody::stream(Messages {
        body,
        upload: exchange.upload_begins(),
        held: exchange.gateway().memory().hold(),
        most: 0,
        splitter: Splitter::new(form, limits.max_bytes),
        first: Some(First {
            matched: routed.matched.detach(),
            uri: head.uri.clone(),
            content_type: content_type.map(Box::from),
        }),
        snapshot: Arc::clone(exchange.snapshot()),
        location: routed.location,
        ended: false,
    }))
}

/// Reads JSON and yields gRPC frames, at the pace of whoever takes them.
struct Messages<B> {
    body: B,
    upload: Upload,
    splitter: Splitter,
    held: Held,
    /// The most that was ever in memory, which is what is held.
    most: usize,
    /// Until the first message is written.
    first: Option<First>,
    snapshot: Arc<Snapshot>,
    location: Location,
    ended: bool,
}

/// What the first message carries beside its line.
struct First {
    matched: Detached,
    uri: Uri,
    content_type: Option<Box<str>>,
}

/// A request that cannot be read to its end: the call is cancelled.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.status.message)]
struct Stopped(Refusal);

/// What a call that failed for its request's body is answered with.
pub(super) fn refusal(error: BodyError) -> Refusal {
    match error.downcast::<Stopped>() {
        Ok(stopped) => stopped.0,
        Err(error) => refuse_body(&*error),
    }
}

impl<B> Messages<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn poll_messages(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Refusal>> {
        let mut out = Vec::new();
        while !self.ended && out.len() < GATHER_BYTES {
            if let Some(item) = self.splitter.next().map_err(Refusal::from_transcoder)? {
                self.write(&item, &mut out)?;
                continue;
            }
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.upload.received(data.len());
                    self.splitter.push(data);
                    let now = self.splitter.held();
                    self.held.add(now.saturating_sub(self.most));
                    self.most = self.most.max(now);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(refuse_body(&*error.into()))),
                Poll::Ready(None) => {
                    self.ended = true;
                    if let Some(item) = self.splitter.finish().map_err(Refusal::from_transcoder)? {
                        self.write(&item, &mut out)?;
                    }
                }
                Poll::Pending if out.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok((!out.is_empty()).then(|| out.into())))
    }

    fn write(&mut self, item: &Item, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let (binding, route) = self.snapshot.at(self.location);
        let (schema, options) = (&route.schema, &route.transcode);
        let written = match self.first.take() {
            Some(First { matched, uri, content_type }) => {
                let matched = self.snapshot.attach(self.location, &matched);
                matched.write_first_message(schema, uri.query(), content_type.as_deref(), item, options, out)
            }
            None => binding.write_next_message(schema, item, options, out),
        };
        written.map_err(Refusal::from_transcoder)
    }
}

impl<B> Body for Messages<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Stopped;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Stopped>>> {
        self.poll_messages(context).map(|messages| messages.map_err(Stopped).transpose().map(|m| m.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
