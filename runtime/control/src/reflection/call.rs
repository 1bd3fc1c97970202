//! A conversation of server reflection over the wire: one stream to one endpoint, or several where a server
//! ends the stream instead of answering with an error.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame};
use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tidegate_telemetry::clock;
use tidegate_transcode::frame::{self, Bounds, Deframer, FRAME_HEADER_LEN};
use tidegate_transcode::ports::{Reflection, ReflectionProblem};
use tidegate_transcode::{Code, Status};
use tidegate_upstream::{Call as _, CallError, Kind, RequestBody, ResponseBody, Upstream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The longest answer. Some servers put all files into one.
const MESSAGE_MAX_BYTES: usize = 32 << 20;
const ANSWER_MAX: Bounds = Bounds { max_bytes: MESSAGE_MAX_BYTES, max_ratio: 100 };
/// How long a server that has answered everything may take to end the stream; then it is reset.
const GOODBYE: Duration = Duration::from_secs(1);

/// Streams of one conversation. A server that ends one for each file that it lacks lacks a handful.
const STREAMS_MAX: usize = 64;
/// Characters of a server's own words that are passed on.
const QUOTED: usize = 200;

const OUR_USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("tidegate/", env!("CARGO_PKG_VERSION")));

/// Why there is no set.
pub(super) enum Failure {
    /// The server does not have the method.
    Unimplemented,
    /// In words, without the endpoint.
    Other(String),
}

/// How a stream ended.
enum End {
    /// Everything is answered.
    Done,
    /// The server has no answer to the oldest question and says so by ending the stream, as tonic's does.
    Refused(Status),
}

/// Asks `pool`, which has one endpoint, until everything is answered. `authority` is what the server sees
/// as its name, as in all calls to it.
pub(super) async fn converse(
    pool: &Upstream,
    authority: &str,
    method: &'static str,
    mut conversation: Box<dyn Reflection>,
    within: Duration,
) -> Result<Vec<u8>, Failure> {
    let deadline = clock::now() + within;
    for _ in 0..STREAMS_MAX {
        let call = Call { pool, authority, method, within, deadline };
        match call.stream(&mut *conversation).await? {
            End::Done => return conversation.finish().map_err(unusable),
            End::Refused(status) => {
                conversation.refused(status.code.as_u32(), &status.message).map_err(unusable)?;
                if conversation.is_done() {
                    return conversation.finish().map_err(unusable);
                }
            }
        }
    }
    Err(Failure::Other(format!("it ends more than {STREAMS_MAX} streams without an answer")))
}

/// What all streams of a conversation have in common.
struct Call<'c> {
    pool: &'c Upstream,
    authority: &'c str,
    method: &'static str,
    within: Duration,
    deadline: Instant,
}

impl Call<'_> {
    /// One stream, until everything is answered or the server ends it.
    async fn stream(&self, conversation: &mut dyn Reflection) -> Result<End, Failure> {
        // Bounded by the conversation, which does not ask without end before it is answered.
        let (questions, outgoing) = mpsc::unbounded_channel();
        ask(&questions, conversation);
        let request = request(self.authority, self.method, outgoing)?;
        let lost = |error: CallError| broke_off(&error, self.within);
        let reply = self.pool.call(request, Some(self.deadline)).await.map_err(lost)?;
        let (head, mut body) = reply.into_parts();
        if let Some(status) = ended_at_once(head.status, &head.headers)? {
            return refused(status);
        }
        let encoding = head.headers.get("grpc-encoding").and_then(|value| value.to_str().ok());
        let mut deframer = Deframer::new(MESSAGE_MAX_BYTES);
        while !conversation.is_done() {
            let frame = body.frame().await.ok_or_else(|| other("it ends the stream without a status"))?;
            match frame.map_err(lost)?.into_data() {
                Ok(data) => {
                    deframer.push(data);
                    hear(&mut deframer, encoding, conversation)?;
                    ask(&questions, conversation);
                }
                Err(rest) => {
                    return match Status::from_trailers(&rest.into_trailers().unwrap_or_default()) {
                        Some(Err(status)) => refused(status),
                        Some(Ok(())) | None => Ok(End::Done),
                    };
                }
            }
        }
        drop(questions);
        // Everything was said: how the stream ends changes nothing.
        let _ = timeout(GOODBYE, hear_out(&mut body)).await;
        Ok(End::Done)
    }
}

fn request(
    authority: &str,
    method: &'static str,
    outgoing: mpsc::UnboundedReceiver<Bytes>,
) -> Result<Request<RequestBody>, Failure> {
    let path = Request::post(format!("http://{authority}{method}"));
    let request = path.header(CONTENT_TYPE, "application/grpc").header(TE, "trailers");
    let request = request.header(USER_AGENT, OUR_USER_AGENT).body(RequestBody::stream(Outgoing(outgoing)));
    request.map_err(|error| Failure::Other(format!("it cannot be asked: {error}")))
}

/// Sends what the conversation has to ask now.
fn ask(questions: &mpsc::UnboundedSender<Bytes>, conversation: &mut dyn Reflection) {
    while let Some(message) = conversation.request() {
        let mut header = [0; FRAME_HEADER_LEN];
        if frame::write_header(&mut header, message.len()).is_err() {
            return;
        }
        let mut bytes = BytesMut::with_capacity(FRAME_HEADER_LEN + message.len());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&message);
        // If nobody listens any more, the answer says why.
        let _ = questions.send(bytes.freeze());
    }
}

/// Takes the answers that are complete.
fn hear(deframer: &mut Deframer, encoding: Option<&str>, conversation: &mut dyn Reflection) -> Result<(), Failure> {
    let broken = |error: &dyn Error| Failure::Other(format!("its answer cannot be read: {error}"));
    while let Some(frame) = deframer.next().map_err(|error| broken(&error))? {
        let message = if frame.compressed {
            let encoding = encoding.ok_or_else(|| other("its answer is compressed and does not say how"))?;
            frame::decompress(encoding, frame.payload, ANSWER_MAX).map_err(|error| broken(&error))?
        } else {
            frame.payload
        };
        conversation.reply(&message).map_err(unusable)?;
    }
    Ok(())
}

async fn hear_out(body: &mut ResponseBody) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// The status of an answer that is nothing else. An answer that is no gRPC is an error.
fn ended_at_once(status: StatusCode, headers: &HeaderMap) -> Result<Option<Status>, Failure> {
    match Status::from_trailers(headers) {
        Some(Err(status)) => return Ok(Some(status)),
        Some(Ok(())) => return Err(other("it ends the stream at once")),
        None => {}
    }
    if status != StatusCode::OK {
        return Ok(Some(Status::from_http(status)));
    }
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    if content_type.starts_with(b"application/grpc") { Ok(None) } else { Err(other("its answer is not gRPC")) }
}

fn refused(status: Status) -> Result<End, Failure> {
    match status.code {
        Code::Unimplemented => Err(Failure::Unimplemented),
        Code::NotFound => Ok(End::Refused(status)),
        code => {
            let message: String = status.message.chars().filter(|c| !c.is_control()).take(QUOTED).collect();
            Err(Failure::Other(format!("it answers {}: {message}", code.name())))
        }
    }
}

/// The call failed: all that is known of why.
fn broke_off(error: &CallError, within: Duration) -> Failure {
    if error.is_deadline() {
        return Failure::Other(format!("it did not tell its descriptors within {within:?}"));
    }
    // While an endpoint is down the first attempt and the later ones differ in name only.
    let mut why = match error.kind() {
        Kind::Down(Some(_)) => "cannot connect".to_owned(),
        kind => kind.to_string(),
    };
    let mut source = error.kind().source();
    while let Some(error) = source {
        why.push_str(": ");
        why.push_str(&error.to_string());
        source = error.source();
    }
    Failure::Other(why)
}

fn unusable(problem: ReflectionProblem) -> Failure {
    Failure::Other(problem.0)
}

fn other(why: &str) -> Failure {
    Failure::Other(why.to_owned())
}

/// Questions as the body of a request, until their sender is dropped.
struct Outgoing(mpsc::UnboundedReceiver<Bytes>);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|question| question.map(|bytes| Ok(Frame::data(bytes))))
    }
}
