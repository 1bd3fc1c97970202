//! A stream of replies on its way to the client: upstream frames in, framed JSON out.

use super::close::{bad_frame, bad_reply, grpc_encoding, payload};
use super::refuse_call;
use crate::answer::{Answer, Refusal};
use crate::headers::Part;
use crate::room::Turn;
use crate::snapshot::{Location, Routed, Snapshot};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};
use http_body::Body;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidegate_transcode::frame::Deframer;
use tidegate_transcode::stream::{Framing, StreamWriter};
use tidegate_transcode::{Code, Status};
use tidegate_upstream::CallError;

/// Messages are gathered up to this many bytes while more of them are at hand: one write for many
/// small messages, yet never waiting for the next one.
const GATHER_BYTES: usize = 16 * 1024;

/// Where the messages of one stream come from, and how they are written.
#[derive(Debug)]
pub(crate) struct Source<R> {
    upstream: R,
    deframer: Deframer,
    encoding: Option<Box<str>>,
    /// The head had the status OK: if nothing follows, that was all.
    ok_in_head: bool,
    writer: StreamWriter,
    framing: Framing,
    snapshot: Arc<Snapshot>,
    location: Location,
    /// Content type of the first message, if messages are `google.api.HttpBody`: those are written as
    /// they are, and have no way to say that more should have come.
    raw_content_type: Option<HeaderValue>,
    state: State,
    /// For the message that is coming or was just written, if it is large.
    turn: Box<Turn>,
    /// What was written and not yet taken.
    out: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// More may come.
    Open,
    /// The end was written; this is how it ended.
    Ended(Ending),
    /// As `Ended`, but what was written cannot say that it is not all.
    Cut(Ending),
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) code: Code,
    pub(crate) reason: Option<&'static str>,
}

impl<R> Source<R>
where
    R: Body<Data = Bytes, Error = CallError> + Unpin,
{
    pub(super) fn new(
        upstream: R,
        head: &HeaderMap,
        framing: Framing,
        routed: &Routed<'_>,
        snapshot: Arc<Snapshot>,
        turn: Turn,
    ) -> Self {
        Self {
            upstream,
            deframer: Deframer::new(routed.route.replies.max_message),
            encoding: grpc_encoding(head),
            ok_in_head: matches!(Status::from_trailers(head), Some(Ok(()))),
            writer: StreamWriter::new(framing),
            framing,
            snapshot,
            location: routed.location,
            raw_content_type: None,
            state: State::Open,
            turn: Box::new(turn),
            out: Vec::new(),
        }
    }

    /// The content type of the response, known once the stream began.
    pub(super) fn content_type(&self) -> HeaderValue {
        self.raw_content_type.clone().unwrap_or(HeaderValue::from_static(self.framing.content_type()))
    }

    /// Ready with the first message written, or with the end of a stream without one.
    ///
    /// # Errors
    /// The upstream's status, if it comes before any message: it can still be the response's own.
    pub(super) fn poll_begin(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        loop {
            match self.write_first() {
                Ok(true) => return Poll::Ready(Ok(())),
                Ok(false) => {}
                Err(refusal) => return Poll::Ready(Err(refusal)),
            }
            match ready!(self.poll_upstream(context)) {
                Ok(None) => {}
                Ok(Some(())) => {
                    if self.snapshot.at(self.location).0.replies_with_http_body() {
                        self.raw_content_type = Some(HeaderValue::from_static("application/octet-stream"));
                    } else {
                        self.writer.begin(&mut self.out);
                    }
                    self.end();
                    return Poll::Ready(Ok(()));
                }
                Err(refusal) => return Poll::Ready(Err(refusal)),
            }
        }
    }

    /// The next piece of the response's body; `None` after the last.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.out.is_empty() && self.deframer.awaited().is_none() {
            // Whoever asks for more has taken what there was; the first message waits here still.
            self.turn.give_back();
        }
        while matches!(self.state, State::Open) && self.out.len() < GATHER_BYTES {
            match self.write_next() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(refusal) => {
                    self.fail(&refusal);
                    break;
                }
            }
            match self.poll_upstream(context) {
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(Some(()))) => self.end(),
                Poll::Ready(Err(refusal)) => self.fail(&refusal),
                Poll::Pending if self.out.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if self.out.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Bytes::from(std::mem::take(&mut self.out))))
    }

    /// How the stream ended, once it has.
    pub(super) fn ending(&self) -> Option<Ending> {
        match self.state {
            State::Ended(ending) | State::Cut(ending) if self.out.is_empty() => Some(ending),
            _ => None,
        }
    }

    /// Whether the body must break off, because its last byte would look like the end of the whole.
    pub(super) fn is_cut(&self) -> bool {
        matches!(self.state, State::Cut(_))
    }

    /// Ends the stream for a reason of our own, as a deadline.
    pub(super) fn fail(&mut self, refusal: &Refusal) {
        let (_, route) = self.snapshot.at(self.location);
        let ending = Ending { code: refusal.status.code, reason: refusal.reason };
        if self.raw_content_type.is_some() {
            self.state = State::Cut(ending);
            return;
        }
        self.writer.error(&route.schema, &refusal.status, &mut self.out);
        self.state = State::Ended(ending);
    }

    /// Ends the stream for a reason of our own, unless it has ended.
    pub(super) fn end_early(&mut self, refusal: &Refusal) {
        if matches!(self.state, State::Open) {
            self.fail(refusal);
        }
    }

    fn end(&mut self) {
        if self.raw_content_type.is_none() {
            self.writer.end(&mut self.out);
        }
        self.state = State::Ended(Ending { code: Code::Ok, reason: None });
    }

    /// Writes the first message, and what stands before it.
    fn write_first(&mut self) -> Result<bool, Refusal> {
        let (binding, _) = self.snapshot.at(self.location);
        if !binding.replies_with_http_body() {
            self.writer.begin(&mut self.out);
        }
        let written = self.write_next();
        if !matches!(written, Ok(true)) {
            self.out.clear();
        }
        written
    }

    /// Writes one message if a whole one is at hand.
    fn write_next(&mut self) -> Result<bool, Refusal> {
        let frame = self.deframer.next().map_err(|error| bad_frame(&error))?;
        let Some(frame) = frame else { return Ok(false) };
        let (binding, route) = self.snapshot.at(self.location);
        let message = payload(frame, self.encoding.as_deref(), route.replies)?;
        if let Some(raw) = binding.http_body_reply(&route.schema, &message) {
            if self.raw_content_type.is_none() {
                self.raw_content_type = Some(raw.content_type);
            }
            self.out.extend_from_slice(&raw.data);
            return Ok(true);
        }
        let print = |out: &mut Vec<u8>| binding.write_reply(&route.schema, &message, &route.transcode, out);
        let written = self.writer.message(&mut self.out, print);
        written.map_err(|error| bad_reply(&format!("the upstream's reply cannot be written as JSON: {error}")))?;
        Ok(true)
    }

    /// Takes the next frame from upstream: `Some` when the status said OK and nothing more comes.
    fn poll_upstream(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<()>, Refusal>> {
        if let Some((compressed, len)) = self.deframer.awaited()
            && let Err(refusal) = ready!(self.turn.poll(len, compressed, context))
        {
            return Poll::Ready(Err(refusal));
        }
        let frame = match ready!(Pin::new(&mut self.upstream).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Err(refuse_call(error))),
            None if self.ok_in_head => return Poll::Ready(Ok(Some(()))),
            None => return Poll::Ready(Err(bad_reply("the upstream's stream ended without a grpc-status"))),
        };
        let trailers = match frame.into_data() {
            Ok(data) => {
                self.ok_in_head = false;
                self.deframer.push(data);
                return Poll::Ready(Ok(None));
            }
            Err(other) => other.into_trailers().unwrap_or_default(),
        };
        Poll::Ready(match Status::from_trailers(&trailers) {
            Some(Ok(())) => self.deframer.finish().map(Some).map_err(|error| bad_frame(&error)),
            Some(Err(status)) => {
                let mut refusal = Refusal::from_upstream(status);
                let rules = &self.snapshot.at(self.location).1.headers;
                rules.copy_reply(&trailers, Part::Trailers, &mut refusal.headers);
                Err(refusal)
            }
            None => Err(bad_reply("the upstream's stream ended without a grpc-status")),
        })
    }
}

/// A stream that sent nothing for too long.
pub(super) fn silent(limit: Duration) -> Refusal {
    Refusal::new(Answer::Deadline, format!("the stream was silent for {} s", limit.as_secs()))
}
