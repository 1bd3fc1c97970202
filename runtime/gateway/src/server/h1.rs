//! An h1 connection: hyper reads and writes it; how long and how often is decided here.

mod body;
mod head;
mod refused;

use super::connection::jittered;
use super::lingering::Lingering;
use super::patience::{Activity, InFlight, Observed, PARK_AFTER, Patience, Verdict};
use super::worker::Shared;
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
    let (limits, address) = (Arc::clone(peer.limits()), peer.address);
    let mut builder = http1::Builder::new();
    builder
        // Its own timer would be set anew for every request: see `patience`.
        .header_read_timeout(None)
        .max_headers(limits.headers.max)
        .max_header_size(limits.headers.max_bytes)
        .max_buf_size(BUFFER.max(limits.headers.max_bytes));
    let activity = Rc::new(Activity::default());
    let life = Rc::new(Life::new(&peer, shared));
    let (handler, requests, peer) = (Rc::clone(shared), Rc::clone(&activity), Rc::new(peer));
    let lives = Rc::clone(&life);
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        let (shared, peer, life) = (Rc::clone(&handler), Rc::clone(&peer), Rc::clone(&lives));
        let in_flight = requests.request();
        if let Some(oddity) = requests.oddity() {
            request.extensions_mut().insert(oddity);
        }
        let bytes = Arc::clone(requests.body_bytes());
        let request = request.map(|body| Read::new(body, bytes));
        respond(request, shared, peer, life, in_flight)
    });
    let mut stream = Observed::new(Lingering::new(stream), Rc::clone(&activity));
    let mut phase = shared.phase.clone();
    let mut over = pin!(phase.wait_for(|&phase| phase == Phase::Over));
    let mut stopped = false;
    let counted = shared.gateway.telemetry().metrics.limits();
    loop {
        let mut connection = builder.serve_connection(TokioIo::new(stream), &service);
        let mut patience = pin!(Patience::new(Rc::clone(&activity), Arc::clone(&limits)));
        let ended = loop {
            tokio::select! {
                biased;
                ended = Pin::new(&mut connection) => break Some(ended),
                verdict = patience.as_mut() => match verdict {
                    Verdict::Close(limit) => return counted.reached(limit),
                    Verdict::Park => break None,
                },
                _ = over.as_mut(), if !stopped => {
                    stopped = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        let handover = life.handover.take();
        if let (Some(Ok(())), None) = (&ended, &handover) {
            return;
        }
        let http1::Parts { io, read_buf, .. } = connection.into_parts();
        stream = io.into_inner();
        if let Some(handover) = handover {
            let over = async {
                if !stopped {
                    let _ = over.as_mut().await;
                }
            };
            handover.run(&mut stream, read_buf, over).await;
            // It is over either way.
            let _ = stream.shutdown().await;
            return;
        }
        if let Some(Err(error)) = ended {
            refused::tell(&error, address, shared);
            // After an error hyper leaves the socket as it is: what it answered must not be lost to a reset.
            let _ = stream.shutdown().await;
            return;
        }
        if !read_buf.is_empty() {
            stream.read_first(read_buf);
        } else if stopped {
            return;
        } else {
            // Empty as it is, it has its 8 KiB.
            drop(read_buf);
            let parked = parked(&mut stream, limits.idle_timeout, over.as_mut());
            match parked.await {
                Parked::Speaks => {}
                Parked::Silent => return counted.reached(Limit::IdleTimeout),
                Parked::Ended => return,
            }
        }
    }
}

async fn respond(
    request: http::Request<Read>,
    shared: Rc<Shared>,
    peer: Rc<Peer>,
    life: Rc<Life>,
    in_flight: InFlight,
) -> Result<http::Response<Counted<BodyOf<Pools>>>, Infallible> {
    let mut response = pipeline::handle(&shared.gateway, &*shared.pools, request, &peer).await;
    if response.status().canonical_reason().is_none() {
        response.extensions_mut().insert(CLIENT_CLOSED_REQUEST);
    }
    // When the gateway stops, or the listener is closed, this is how a connection of h1 ends without losing a request: what the
    // client sends after it read this, it sends elsewhere.
    if let Some(handover) = response.body_mut().take_handover() {
        life.handover.set(Some(handover));
    } else if life.is_over() || shared.is_draining() {
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Counted::new(body, in_flight)))
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
    let until = clock::now() + idle_timeout.saturating_sub(PARK_AFTER);
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
    handover: Cell<Option<Handover>>,
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
