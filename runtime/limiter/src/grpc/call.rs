//! One call.

use std::fmt::Write as _;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use tokio::time::timeout;

use super::{MESSAGE, desk};
use crate::service::{Failed, Replied, Service};

const SHOULD_RATE_LIMIT: &str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
const SERVICE: &str = "envoy.service.ratelimit.v3.RateLimitService";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// Flag and length before a message (gRPC over HTTP/2, "Length-Prefixed-Message").
const FRAME: usize = 5;
const TOO_LARGE: &str = "the request has more than 65531 bytes";
/// How long a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// What is asked.
#[derive(Clone, Copy, Debug)]
enum Asked {
    ShouldRateLimit,
    Health,
    Unknown,
}

/// Begins a call. Mostly its message is there, and it is answered or waits for a store alone. One that was cancelled is
/// answered to nobody.
pub(super) fn begin(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    service: &Arc<Service>,
    stopping: bool,
) {
    let (head, mut body) = request.into_parts();
    let is_grpc = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(GRPC.as_bytes()));
    if head.method != Method::POST || !is_grpc {
        return refuse(&mut respond, if is_grpc { 405 } else { 415 });
    }
    let asked = match head.uri.path() {
        SHOULD_RATE_LIMIT => Asked::ShouldRateLimit,
        HEALTH => Asked::Health,
        _ => Asked::Unknown,
    };
    let mut message = Message::default();
    match message.take_what_is_there(&mut body) {
        Ok(true) => answer(message.end(&mut body), asked, respond, service, stopping),
        Ok(false) => {
            let service = Arc::clone(service);
            tokio::spawn(async move {
                match timeout(ARRIVAL, message.take_the_rest(&mut body)).await {
                    Ok(whole) => answer(whole, asked, respond, &service, stopping),
                    Err(_) => respond.send_reset(Reason::CANCEL),
                }
            });
        }
        Err(broken) => answer(Err(broken), asked, respond, service, stopping),
    }
}

fn answer(
    message: Result<Bytes, Broken>,
    asked: Asked,
    mut respond: SendResponse<Bytes>,
    service: &Service,
    stopping: bool,
) {
    let message = match message {
        Ok(message) => message,
        Err(Broken::Failed(failed)) => return fail(&mut respond, &failed),
        Err(Broken::Gone) => return,
    };
    match asked {
        Asked::ShouldRateLimit => desk::ask(service, &message, FRAME, respond),
        Asked::Health => reply(&mut respond, health(&message, stopping)),
        Asked::Unknown => {
            fail(&mut respond, &Failed { code: 12, message: "there is no such method".into() });
        }
    }
}

/// Ends a call.
pub(super) fn reply(respond: &mut SendResponse<Bytes>, replied: Replied) {
    match replied {
        Ok(reply) => succeed(respond, reply),
        Err(failed) => fail(respond, &failed),
    }
}

enum Broken {
    /// There is nobody to answer.
    Gone,
    Failed(Failed),
}

fn failed(code: u8, message: &'static str) -> Broken {
    Broken::Failed(Failed { code, message: message.into() })
}

/// The one message of a request, as far as it has come.
#[derive(Default)]
struct Message {
    whole: Bytes,
    more: BytesMut,
}

impl Message {
    /// Whether that was all of it.
    fn take_what_is_there(&mut self, body: &mut RecvStream) -> Result<bool, Broken> {
        // Who waits for the rest is woken, not this.
        let mut context = Context::from_waker(Waker::noop());
        while !body.is_end_stream() {
            match body.poll_data(&mut context) {
                Poll::Ready(Some(Ok(data))) => self.add(data)?,
                Poll::Ready(Some(Err(_))) => return Err(Broken::Gone),
                Poll::Ready(None) => break,
                Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn take_the_rest(mut self, body: &mut RecvStream) -> Result<Bytes, Broken> {
        while let Some(data) = body.data().await {
            self.add(data.map_err(|_| Broken::Gone)?)?;
        }
        self.end(body)
    }

    fn add(&mut self, data: Bytes) -> Result<(), Broken> {
        let Self { whole, more } = self;
        // The stream's window stays as it is: it is as large as a message.
        if whole.len() + more.len() + data.len() > MESSAGE + FRAME {
            return Err(failed(8, TOO_LARGE));
        }
        if whole.is_empty() && more.is_empty() {
            // Mostly it is all there is, and stays where it is.
            *whole = data;
        } else {
            more.extend_from_slice(&std::mem::take(whole));
            more.extend_from_slice(&data);
        }
        // What does not fit does not come either: the stream's window has no room for it.
        if length(if whole.is_empty() { more } else { whole }).is_some_and(|length| length > MESSAGE) {
            return Err(failed(8, TOO_LARGE));
        }
        Ok(())
    }

    fn end(self, body: &mut RecvStream) -> Result<Bytes, Broken> {
        let mut whole = if self.more.is_empty() { self.whole } else { self.more.freeze() };
        // The connection's window, for all calls, gets its room back.
        let _ = body.flow_control().release_capacity(whole.len());
        if whole.len() < FRAME {
            return Err(failed(13, "the request has no message"));
        }
        let frame = whole.split_to(FRAME);
        if frame[0] != 0 {
            return Err(failed(12, "the request is compressed, which is not supported"));
        }
        if length(&frame) != Some(whole.len()) {
            return Err(failed(13, "the request is not one message of the length that it says"));
        }
        Ok(whole)
    }
}

/// What the beginning of a request says of its message.
fn length(begin: &[u8]) -> Option<usize> {
    let length = begin.get(1..FRAME)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(length)).ok()
}

/// `grpc.health.v1.HealthCheckResponse`: whether calls are answered.
fn health(message: &[u8], stopping: bool) -> Replied {
    const SERVING: u8 = 1;
    const NOT_SERVING: u8 = 2;
    let known = match message {
        [] => true,
        [10, length, name @ ..] => {
            usize::from(*length) == name.len() && (name == SERVICE.as_bytes() || name.is_empty())
        }
        _ => false,
    };
    if !known {
        return Err(Failed { code: 5, message: "there is no such service".into() });
    }
    let mut reply = vec![0; FRAME];
    reply.extend_from_slice(&[1 << 3, if stopping { NOT_SERVING } else { SERVING }]);
    Ok(reply)
}

fn succeed(respond: &mut SendResponse<Bytes>, mut reply: Vec<u8>) {
    let length = u32::try_from(reply.len() - FRAME).unwrap_or(u32::MAX);
    reply[1..FRAME].copy_from_slice(&length.to_be_bytes());
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    // What fails here fails because the caller is gone.
    let Ok(mut stream) = respond.send_response(response, false) else { return };
    let _ = stream.send_data(reply.into(), false).and_then(|()| stream.send_trailers(trailers));
}

fn fail(respond: &mut SendResponse<Bytes>, failed: &Failed) {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(failed.code)));
    let mut message = String::new();
    for byte in failed.message.bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => drop(write!(message, "%{byte:02X}")),
            byte => message.push(char::from(byte)),
        }
    }
    if let Ok(message) = HeaderValue::try_from(message) {
        headers.insert(GRPC_MESSAGE, message);
    }
    let _ = respond.send_response(response, true);
}

/// What is no gRPC is told so by HTTP.
fn refuse(respond: &mut SendResponse<Bytes>, status: u16) {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let _ = respond.send_response(response, true);
}
