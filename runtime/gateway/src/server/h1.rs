//! An h1 connection: hyper reads and writes it; how long and how often is decided here.

mod body;
mod head;
mod refused;

use super::connection::jittered;
use super::lingering::Lingering;
use super::patience::{Activity, Observed, Patience, Verdict};
use super::worker::Shared;
use crate::config::Limits;
use crate::peer::Peer;
use crate::phase::Phase;
use crate::pipeline::{self, BodyOf, plain::Handover};
use crate::upstreams::Pools;
use body::{Counted, Read};
use bytes::Bytes;
pub(super) use head::Head;
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::limits::Limit;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What hyper may keep of a request that is not read, and of a response that is not taken. Larger heads
/// than this must be allowed by the config.
const BUFFER: usize = 64 * 1024;
/// The phrase of 499, the one status of ours that has none in RFC 9110.
const CLIENT_CLOSED_REQUEST: ReasonPhrase = ReasonPhrase::from_static(b"Client Closed Request");

/// Runs a connection to its end.
pub(super) async fn serve<S>(stream: S, peer: Peer, shared: &Rc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let activity = Rc::new(Activity::default());
    let mut stream = Observed::new(Lingering::new(stream), Rc::clone(&activity));
    let life = Life::new(&peer, shared);
    let client = Rc::new(Client { peer, activity, life });
    let mut phase = shared.phase.clone();
    let mut over = pin!(phase.wait_for(|&phase| phase == Phase::Over));
    loop {
        // In a box, so that a connection that is put aside has no room for what those at work need.
        let Some((idle, since)) = Box::pin(work(stream, &client, over.as_mut())).await else { return };
        stream = idle;
        let idle_timeout = client.peer.limits().idle_timeout.saturating_sub(since);
        match parked(&mut stream, idle_timeout, over.as_mut()).await {
            Parked::Speaks => {}
            Parked::Silent => return shared.gateway.telemetry().metrics.limits().reached(Limit::IdleTimeout),
            Parked::Ended => return,
        }
    }
}

/// Whoever is at the other end of a connection.
struct Client {
    peer: Peer,
    activity: Rc<Activity>,
    life: Life,
}

/// Serves requests until the connection has ended, or has been idle for the time that is given with it.
async fn work<S>(
    mut stream: Observed<Lingering<S>>,
    client: &Rc<Client>,
    mut over: Pin<&mut impl Future>,
) -> Option<(Observed<Lingering<S>>, Duration)>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let Client { peer, activity, life } = &**client;
    let (limits, shared) = (peer.limits(), &life.shared);
    let builder = builder(limits);
    let service = service_fn(|request| respond(request, client));
    let mut stopped = false;
    loop {
        let mut connection = builder.serve_connection(TokioIo::new(stream), &service);
        let mut patience = pin!(Patience::new(Rc::clone(activity), Arc::clone(limits), &shared.at_work));
        let ended = loop {
            tokio::select! {
                biased;
                ended = Pin::new(&mut connection) => break Ok(ended),
                verdict = patience.as_mut() => match verdict {
                    Verdict::Close(limit) => {
                        shared.gateway.telemetry().metrics.limits().reached(limit);
                        return None;
                    }
                    Verdict::Park(since) => break Err(since),
                },
                _ = over.as_mut(), if !stopped => {
                    stopped = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        let handover = life.handover.take();
        if let (Ok(Ok(())), None) = (&ended, &handover) {
            return None;
        }
        let http1::Parts { io, read_buf, .. } = connection.into_parts();
        stream = io.into_inner();
        if let Some(handover) = handover {
            let over = async {
                if !stopped {
                    let _ = over.as_mut().await;
                }
            };
            Box::pin(handover.run(&mut stream, read_buf, over)).await;
            // It is over either way.
            let _ = stream.shutdown().await;
            return None;
        }
        match ended {
            Ok(Err(error)) => {
                refused::tell(&error, peer.address, shared);
                // After an error hyper leaves the socket as it is: what it answered must not be lost to a reset.
                let _ = stream.shutdown().await;
                return None;
            }
            // The beginning of a request.
            _ if !read_buf.is_empty() => stream.read_first(read_buf),
            Err(since) if !stopped => return Some((stream, since)),
            _ => return None,
        }
    }
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // Its own timer would be set anew for every request: see `patience`.
        .header_read_timeout(None)
        .max_headers(limits.headers.max)
        .max_header_size(limits.headers.max_bytes)
        .max_buf_size(BUFFER.max(limits.headers.max_bytes));
    builder
}

/// Answers one request.
fn respond(
    mut request: http::Request<Incoming>,
    client: &Rc<Client>,
) -> impl Future<Output = Result<http::Response<Counted<BodyOf<Pools>>>, Infallible>> + use<> {
    let client = Rc::clone(client);
    let in_flight = client.activity.request();
    if let Some(oddity) = client.activity.oddity() {
        request.extensions_mut().insert(oddity);
    }
    let bytes = Arc::clone(client.activity.body_bytes());
    let request = request.map(|body| Read::new(body, bytes));
    async move {
        let Client { peer, life, .. } = &*client;
        let shared = &life.shared;
        let mut response = pipeline::handle(&shared.gateway, &*shared.pools, request, peer).await;
        if response.status().canonical_reason().is_none() {
            response.extensions_mut().insert(CLIENT_CLOSED_REQUEST);
        }
        // When the gateway stops, or the listener is closed, this is how a connection of h1 ends without losing a
        // request: what the client sends after it read this, it sends elsewhere.
        if let Some(handover) = response.body_mut().take_handover() {
            life.handover.set(Some(handover));
        } else if life.is_over() || shared.is_draining() {
            response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        }
        Ok(response.map(|body| Counted::new(body, in_flight)))
    }
}

/// What became of a connection that was put aside.
enum Parked {
    /// The client asks again.
    Speaks,
    /// It did not, for too long.
    Silent,
    /// It left, or was told to.
    Ended,
}

/// Waits for the next request without what it takes to read and answer one: hyper has 16 KiB of buffers
/// for a connection, whatever it does.
async fn parked<S>(stream: &mut Observed<S>, idle_timeout: Duration, over: Pin<&mut impl Future>) -> Parked
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut first = [0; 64];
    let until = clock::now() + idle_timeout;
    tokio::select! {
        biased;
        read = stream.read(&mut first) => match read {
            Ok(count @ 1..) => {
                stream.read_first(Bytes::copy_from_slice(&first[..count]));
                Parked::Speaks
            }
            _ => Parked::Ended,
        },
        () = tokio::time::sleep_until(until.into()) => Parked::Silent,
        _ = over => {
            // It is over either way.
            let _ = stream.shutdown().await;
            Parked::Ended
        }
    }
}

/// How many requests a connection may still bring, and for how long.
struct Life {
    left: Cell<u64>,
    ends: Option<Instant>,
    /// What the connection becomes behind its last reply.
    handover: Cell<Option<Box<Handover>>>,
    shared: Rc<Shared>,
}

impl Life {
    fn new(peer: &Peer, shared: &Rc<Shared>) -> Self {
        let limits = peer.limits();
        let ends = clock::now().checked_add(jittered(limits.max_age));
        Self { left: Cell::new(limits.max_requests), ends, handover: Cell::new(None), shared: Rc::clone(shared) }
    }

    /// One more is answered; whether it was the last.
    fn is_over(&self) -> bool {
        let counted = self.shared.gateway.telemetry().metrics.limits();
        self.left.set(self.left.get().saturating_sub(1));
        let limit = if self.left.get() == 0 {
            Limit::MaxRequests
        } else if self.ends.is_some_and(|ends| ends <= clock::now()) {
            Limit::MaxAge
        } else {
            return false;
        };
        counted.reached(limit);
        true
    }
}

#[cfg(test)]
mod tests;
