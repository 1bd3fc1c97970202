//! An h2 connection: streams in, a task for each, and everything that a client may not do with them.
//!
//! It stands on the h2 library itself: hyper would hand it whole replies, which it then has to keep for
//! a client that does not read, with nobody left who would notice.

mod body;
mod frames;
mod replies;
mod starts;
mod stream;
mod traffic;
mod watch;

use super::date;
use super::lingering::Lingering;
use super::refusal;
use super::worker::Shared;
use crate::answer::Answer;
use crate::config::Limits;
use crate::peer::Peer;
use crate::phase::Phase;
use crate::pipeline::{BodyOf, ReplyBody};
use crate::upstreams::Pools;
use bytes::Bytes;
use frames::Flood;
use h2::Reason;
use h2::server::{Builder, Connection, SendResponse};
use http::Request;
use starts::{Credit, Start, Starts};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tidegate_telemetry::metrics::limits::{BadRequest, Limit};
use tidegate_upstream::turn;
use tokio::io::{AsyncRead, AsyncWrite};
use traffic::{Refused, Socket, Traffic, Underway};
use watch::{Verdict, Watch};

/// The body of a reply.
type Reply = ReplyBody<BodyOf<Pools>>;

/// The largest frame that is taken: the protocol's default.
const FRAME_MAX: u32 = 16 * 1024;
/// What the h2 library may keep for one stream that the client's window allows and its socket does not.
const SEND_BUFFER: usize = 32 * 1024;
/// Requests of one connection that begin before it is the turn of others: each is a task of its own, and tasks take
/// turns one by one.
const REQUESTS_IN_TURN: u32 = 8;
/// How long a client may take to hear why its connection is closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the streams of one connection share.
struct Link {
    shared: Rc<Shared>,
    peer: Peer,
    limits: Arc<Limits>,
    traffic: Rc<Traffic>,
    credit: Rc<Credit>,
}

impl Link {
    /// Counts what the h2 library refused by itself, and logs what it answered.
    fn tell_refused(&self) {
        let refused = self.traffic.take_refused();
        if refused == Refused::default() {
            return;
        }
        let counted = self.shared.gateway.telemetry().metrics.limits();
        let answer = Answer::HeadTooLarge;
        for _ in 0..refused.too_large {
            counted.bad_request(BadRequest::TooLarge);
            counted.reached(Limit::HeaderBytes);
            refusal::log("HTTP/2", (answer.http_status(), answer.reason()), self.peer.address, &self.shared);
        }
        (0..refused.too_many).for_each(|_| counted.reached(Limit::H2Streams));
        (0..refused.malformed).for_each(|_| counted.bad_request(BadRequest::H2));
    }

    /// Counts what the client did too much of; what it is told.
    fn tell_flood(&self, flood: Flood) -> Reason {
        let counted = self.shared.gateway.telemetry().metrics.limits();
        match flood {
            Flood::Frames => counted.reached(Limit::H2Frames),
            Flood::Resets => counted.reached(Limit::H2Resets),
            Flood::Window => counted.bad_request(BadRequest::H2),
        }
        match flood {
            Flood::Frames | Flood::Resets => Reason::ENHANCE_YOUR_CALM,
            Flood::Window => Reason::FLOW_CONTROL_ERROR,
        }
    }

    /// A request came, and waits for its turn to begin.
    fn arrived(&self, request: Request<h2::RecvStream>, respond: SendResponse<Bytes>) -> Box<Arrived> {
        if request.headers().len() > self.limits.headers.max {
            self.traffic.large_head();
        }
        let underway = self.traffic.begin(respond.stream_id().as_u32());
        Box::new(Arrived { request, respond, underway })
    }

    /// Begins what may begin, each request as a task of its own; how many, at most [`REQUESTS_IN_TURN`].
    fn begin(self: &Rc<Self>, starts: &mut Starts<Box<Arrived>>, context: &mut Context<'_>) -> u32 {
        let mut begun = 0;
        while begun < REQUESTS_IN_TURN
            && let Poll::Ready(Start { request, late }) =
                starts.poll(context, |request, context| request.is_over(context))
        {
            if late {
                self.shared.gateway.telemetry().metrics.limits().reached(Limit::H2Starts);
            }
            self.shared.streams.spawn(stream::serve(request, Rc::clone(self)));
            begun += 1;
        }
        begun
    }
}

/// A request that came. In a box: it is moved several times until it begins.
struct Arrived {
    request: Request<h2::RecvStream>,
    respond: SendResponse<Bytes>,
    underway: Underway,
}

/// What happens on a connection.
enum Event {
    Request(Box<Arrived>),
    /// As many requests began as may in one turn.
    TurnOver,
    Verdict(Verdict),
    Flood(Flood),
    Stop,
    Ended(Result<(), h2::Error>),
}

/// Runs a connection to its end.
pub(super) async fn serve<S>(stream: S, peer: Peer, shared: &Rc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = Arc::clone(peer.limits());
    let traffic = Traffic::new(limits.h2.max_resets);
    let socket = Socket::new(Lingering::new(stream), Rc::clone(&traffic));
    let handshake = builder(&limits).handshake::<_, Bytes>(socket);
    let counted = shared.gateway.telemetry().metrics.limits();
    // In a box, as is the farewell: a connection that waits has no room for either.
    let handshake = Box::pin(tokio::time::timeout(limits.headers.timeout, handshake));
    let mut connection = match handshake.await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return ended(&error, shared),
        Err(_) => return counted.reached(Limit::HeaderTimeout),
    };
    let mut watch = Watch::new(Rc::clone(&traffic), Arc::clone(&limits), connection.ping_pong());
    let credit = Credit::new(limits.h2.max_streams);
    let mut starts = Starts::new(Rc::clone(&credit));
    let link = Rc::new(Link { shared: Rc::clone(shared), peer, limits, traffic, credit });
    let mut phase = shared.phase.clone();
    let mut stop = pin!(phase.wait_for(|&phase| phase >= Phase::Draining));
    let mut stopped = false;
    let mut requests = 0;
    loop {
        let event = poll_fn(|context| {
            let event = poll_event(&mut connection, &link, &mut watch, context);
            link.tell_refused();
            // All that has come is read by now: whoever is about to be thrown out begins nothing more.
            if event.is_pending() && link.begin(&mut starts, context) == REQUESTS_IN_TURN {
                return Poll::Ready(Event::TurnOver);
            }
            if event.is_pending() && !stopped && stop.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Stop);
            }
            event
        });
        match event.await {
            Event::Request(arrived) => {
                starts.push(arrived);
                requests += 1;
                if requests == link.limits.max_requests {
                    counted.reached(Limit::MaxRequests);
                    connection.graceful_shutdown();
                }
            }
            // Until these have had their turn, and sockets were looked at.
            Event::TurnOver => turn::pause().await,
            Event::Verdict(Verdict::Retire(limit)) => {
                counted.reached(limit);
                connection.graceful_shutdown();
            }
            Event::Verdict(Verdict::Close(limit)) => {
                counted.reached(limit);
                return Box::pin(farewell(connection, Reason::NO_ERROR)).await;
            }
            Event::Flood(flood) => {
                let reason = link.tell_flood(flood);
                tracing::debug!(?flood, %reason, "a client connection is closed");
                return Box::pin(farewell(connection, reason)).await;
            }
            // GOAWAY that names no stream, a PING, and when it is answered the last GOAWAY: what the client
            // sent before it read the first one is served (RFC 9113, section 6.8).
            Event::Stop => {
                stopped = true;
                connection.graceful_shutdown();
            }
            Event::Ended(Ok(())) => return,
            Event::Ended(Err(error)) => return ended(&error, shared),
        }
    }
}

impl Arrived {
    /// The client does not wait for it any more.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        self.respond.poll_reset(context).is_ready()
    }
}

fn poll_event<S>(
    connection: &mut Connection<Socket<S>, Bytes>,
    link: &Link,
    watch: &mut Watch,
    context: &mut Context<'_>,
) -> Poll<Event>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let accepted = connection.poll_accept(context);
    if let Some(flood) = link.traffic.flood() {
        return Poll::Ready(Event::Flood(flood));
    }
    match accepted {
        Poll::Ready(Some(Ok((request, respond)))) => Poll::Ready(Event::Request(link.arrived(request, respond))),
        Poll::Ready(Some(Err(error))) => Poll::Ready(Event::Ended(Err(error))),
        Poll::Ready(None) => Poll::Ready(Event::Ended(Ok(()))),
        Poll::Pending => watch.poll(context).map(Event::Verdict),
    }
}

fn builder(limits: &Limits) -> Builder {
    let h2 = &limits.h2;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(h2.max_streams)
        .max_pending_accept_reset_streams(h2.max_resets as usize)
        .max_local_error_reset_streams(Some(h2.max_local_resets))
        .initial_window_size(h2.stream_window)
        .initial_connection_window_size(h2.connection_window)
        .max_frame_size(FRAME_MAX)
        .max_header_list_size(u32::try_from(limits.headers.max_bytes).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// Tells the client why, if it listens, and drops the connection with all its streams.
async fn farewell<S>(mut connection: Connection<Socket<S>, Bytes>, reason: Reason)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    connection.abrupt_shutdown(reason);
    let closed = poll_fn(|context| connection.poll_closed(context));
    // Either way it is over.
    let _ = tokio::time::timeout(FAREWELL, closed).await;
}

/// Counts why a connection ended in an error.
fn ended(error: &h2::Error, shared: &Shared) {
    let counted = shared.gateway.telemetry().metrics.limits();
    match error.reason() {
        Some(Reason::ENHANCE_YOUR_CALM) if error.is_library() => counted.reached(Limit::H2Calm),
        Some(_) if error.is_library() => counted.bad_request(BadRequest::H2),
        _ => {}
    }
    tracing::debug!(%error, "a client connection ended with an error");
}

#[cfg(test)]
mod tests;
