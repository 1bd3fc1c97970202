//! One stream of an h2 connection: a request in, its response out, as fast as the client takes it.
//!
//! What the client's window does not allow stays with the body: the h2 library is never given data that
//! it would have to keep. So a client that reads nothing holds up its own streams alone, and each of
//! them has somebody who looks at the clock.

use super::body::RequestBody;
use super::date;
use super::{Arrived, Link};
use crate::pipeline;
use crate::pipeline::arrival::Oddity;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, DATE, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::limits::Limit;

/// What one stream claims of the connection's window at a time.
const CLAIM: usize = 64 * 1024;

/// A stream that has no future: the client reset it, or the connection is gone.
struct Gone;

/// Why the rest of a body is not sent.
enum Broken {
    Gone,
    /// The client granted no window for too long.
    Stalled,
    /// The body itself broke off.
    Body,
}

/// Serves one request to its end.
pub(super) async fn serve(arrived: Box<Arrived>, link: Rc<Link>) {
    let Arrived { request, respond, underway } = *arrived;
    let stream = respond.stream_id();
    let taker = Taker { link: &link, earned: Cell::new(false) };
    serve_request(request, respond, &taker).await;
    link.traffic.answered(stream.as_u32(), link.limits.h2.stream_window as usize);
    drop(underway);
}

/// Whoever takes a reply.
struct Taker<'a> {
    link: &'a Link,
    earned: Cell<bool>,
}

impl Taker<'_> {
    /// It has all that there is of the reply so far: it may ask for more.
    fn is_up_to_date(&self) {
        if !self.earned.get() && self.link.traffic.blocked_since().is_none() {
            self.earned.set(true);
            self.link.credit.earn();
        }
    }
}

async fn serve_request(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, taker: &Taker<'_>) {
    let link = taker.link;
    let is_head = *request.method() == Method::HEAD;
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut request = request.map(|stream| RequestBody::new(stream, length));
    if request.uri().authority().is_none() && !request.headers().contains_key(HOST) {
        request.extensions_mut().insert(Oddity::NoHost);
    }
    let Ok(response) = answer(request, &mut respond, link).await else { return };
    let (head, body) = response.into_parts();
    let mut head = Response::from_parts(head, ());
    head.headers_mut().entry(DATE).or_insert_with(date::now);
    let mut body = pin!(body);
    if let Some(length) = body.size_hint().exact()
        && (length > 0 || !is_head && head.status() != StatusCode::NO_CONTENT)
    {
        head.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    let ends = is_head || body.is_end_stream();
    let Ok(mut stream) = respond.send_response(head, ends) else { return };
    if ends {
        return taker.is_up_to_date();
    }
    match send(&mut stream, body.as_mut(), taker).await {
        Ok(()) => taker.is_up_to_date(),
        Err(Broken::Gone) => {}
        Err(Broken::Stalled) => {
            link.shared.gateway.telemetry().metrics.limits().reached(Limit::WriteTimeout);
            body.abandon();
            stream.send_reset(Reason::CANCEL);
        }
        Err(Broken::Body) => stream.send_reset(Reason::INTERNAL_ERROR),
    }
}

/// Lets the pipeline answer, unless the client resets the stream before.
async fn answer(
    request: Request<RequestBody>,
    respond: &mut SendResponse<Bytes>,
    link: &Link,
) -> Result<Response<super::Reply>, Gone> {
    let shared = &link.shared;
    let mut answer = pin!(pipeline::handle(&shared.gateway, &*shared.pools, request, &link.peer));
    poll_fn(|context| match respond.poll_reset(context) {
        Poll::Ready(_) => Poll::Ready(Err(Gone)),
        Poll::Pending => answer.as_mut().poll(context).map(Ok),
    })
    .await
}

async fn send<B>(stream: &mut SendStream<Bytes>, mut body: Pin<&mut B>, taker: &Taker<'_>) -> Result<(), Broken>
where
    B: Body<Data = Bytes>,
{
    let mut begun = false;
    loop {
        let frame = poll_fn(|context| {
            let polled = body.as_mut().poll_frame(context);
            if polled.is_pending() {
                // What there is to send fails by itself on a stream that was reset: only who waits has to ask.
                if stream.poll_reset(context).is_ready() {
                    return Poll::Ready(Err(Broken::Gone));
                }
                if begun {
                    taker.is_up_to_date();
                }
            }
            polled.map(Ok)
        });
        let frame = match frame.await? {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Err(Broken::Body),
            None => return stream.send_data(Bytes::new(), true).map_err(|_| Broken::Gone),
        };
        match frame.into_data() {
            Ok(data) => {
                // An empty piece sends nothing, and so could not say that it is the last.
                let last = body.is_end_stream() && !data.is_empty();
                send_data(stream, data, last, taker.link).await?;
                begun = true;
                if last {
                    return Ok(());
                }
            }
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                return stream.send_trailers(trailers).map_err(|_| Broken::Gone);
            }
        }
    }
}

/// Sends in pieces that the client's window allows.
async fn send_data(stream: &mut SendStream<Bytes>, mut data: Bytes, last: bool, link: &Link) -> Result<(), Broken> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len().min(CLAIM));
        let mut room = stream.capacity();
        if room == 0 {
            room = wait_for_room(stream, link.limits.write_timeout).await?;
        }
        let piece = data.split_to(room.min(data.len()));
        link.traffic.sends_data();
        stream.send_data(piece, last && data.is_empty()).map_err(|_| Broken::Gone)?;
    }
    // Nothing is claimed that was not used: the last claim was of what was left.
    Ok(())
}

async fn wait_for_room(stream: &mut SendStream<Bytes>, patience: Duration) -> Result<usize, Broken> {
    let room = poll_fn(|context| {
        if stream.poll_reset(context).is_ready() {
            return Poll::Ready(Err(Broken::Gone));
        }
        stream.poll_capacity(context).map(|room| match room {
            Some(Ok(room)) => Ok(room),
            Some(Err(_)) | None => Err(Broken::Gone),
        })
    });
    let until = clock::now() + patience;
    tokio::time::timeout_at(until.into(), room).await.unwrap_or(Err(Broken::Stalled))
}
