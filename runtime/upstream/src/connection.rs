//! One connection: the handle that requests are sent on and, of HTTP/2, the task that drives it.

mod io;

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::{
    PingPong, Reason, SendStream,
    client::{self, ResponseFuture, SendRequest},
};
use http::Request;
use parking_lot::Mutex;
use tokio::{net::TcpStream, task::AbortHandle};

use self::io::{Flusher, Io};
use crate::{
    Config, ConnectError,
    endpoint::Endpoint,
    h1::Wire,
    parting::Partings,
    probe::{Health, Probe, Ticks},
};

/// The largest frame we accept: the protocol's default, and what most servers send at most.
const FRAME_MAX_BYTES: u32 = 16 * 1024;

/// What `h2` believes the peer allows until the peer has said it; told apart from what peers say.
const STREAMS_UNKNOWN: usize = usize::MAX - 1;

/// Streams that we reset and remember, so that what was on its way is not taken for an error: a
/// burst of cancellations on a full connection, several times over.
const RESETS_REMEMBERED: usize = 1_024;

/// For how long: longer than an answer takes that was under way.
const RESETS_REMEMBERED_FOR: Duration = Duration::from_secs(5);

/// The overhead that `h2` charges for a DATA frame that carries almost nothing.
const FRAME_OVERHEAD_BYTES: usize = 256;

/// DATA frames of every stream that may wait unread at once. `h2` closes the whole connection
/// beyond it, with all its streams; its default would be reached by a few readers that are slow to
/// read a stream of small messages. This is a full window of 32-byte messages on every stream.
fn data_frame_budget(config: &Config) -> usize {
    let frames = config.connection_window_bytes as usize / 32;
    frames.saturating_mul(FRAME_OVERHEAD_BYTES)
}

/// A connection, as requests use it. It closes when the last handle is dropped and every stream has
/// ended.
pub(crate) struct Connection {
    pub(crate) state: Arc<State>,
    pub(crate) endpoint: Arc<Endpoint>,
    link: Link,
}

/// What carries the requests.
enum Link {
    /// At most one at a time, which has the connection in its hand.
    H1(Mutex<Option<Box<Wire>>>),
    /// Many at a time.
    H2 { sender: Mutex<SendRequest<Bytes>>, probe: Mutex<Probe>, driver: AbortHandle },
}

/// What the handle and the driver share.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Requests that hold a slot.
    pub(crate) in_flight: AtomicU32,
    /// Streams that both the peer and the config allow.
    pub(crate) limit: AtomicU32,
    /// Set once no further request may use it.
    pub(crate) retired: AtomicBool,
    /// Set whenever something arrives.
    heard: Arc<AtomicBool>,
    /// The streams that were given up.
    pub(crate) partings: Partings,
}

/// A connection that is open, not yet in use.
#[expect(clippy::large_enum_variant, reason = "there is one for each connection, for a moment")]
pub(crate) enum Established {
    H1(Box<Wire>),
    H2(Ready),
}

/// A connection whose peer has said what it allows, not yet driven by a task.
pub(crate) struct Ready {
    h2: client::Connection<Io, Bytes>,
    sender: SendRequest<Bytes>,
    flusher: Flusher,
    state: Arc<State>,
    ping: Option<PingPong>,
}

/// The task that reads and writes; ends with the connection.
struct Driver {
    h2: client::Connection<Io, Bytes>,
    flusher: Flusher,
    state: Arc<State>,
    endpoint: Arc<Endpoint>,
}

/// Makes an HTTP/2 connection of a socket, and waits for the peer's SETTINGS: only then is it known
/// that it speaks HTTP/2, and how many streams it allows.
pub(crate) async fn establish(socket: TcpStream, config: &Config) -> Result<Established, ConnectError> {
    let state = Arc::new(State::default());
    let (io, flusher) = io::split(socket, Arc::clone(&state.heard));
    let (sender, mut h2) = builder(config).handshake(io).await.map_err(ConnectError::Handshake)?;
    let ping = config.keepalive.and_then(|_| h2.ping_pong());
    poll_fn(|cx| match poll_driven(&mut h2, &flusher, cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Err(ConnectError::ClosedAtOnce)),
        Poll::Ready(Err(error)) => Poll::Ready(Err(ConnectError::Handshake(error))),
        Poll::Pending if h2.max_concurrent_send_streams() == STREAMS_UNKNOWN => Poll::Pending,
        Poll::Pending => Poll::Ready(Ok(())),
    })
    .await?;
    Ok(Established::H2(Ready { h2, sender, flusher, state, ping }))
}

fn builder(config: &Config) -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .initial_window_size(config.stream_window_bytes)
        .initial_connection_window_size(config.connection_window_bytes)
        .max_frame_size(FRAME_MAX_BYTES)
        .max_header_list_size(config.header_list_max_bytes)
        .enable_push(false)
        .initial_max_send_streams(STREAMS_UNKNOWN)
        .max_concurrent_reset_streams(RESETS_REMEMBERED)
        .reset_stream_duration(RESETS_REMEMBERED_FOR)
        // The count is over the life of the connection and never goes down, so that any number
        // ends a healthy connection one day. The peer it would protect against is one that the
        // operator chose, and each of its errors costs us one small frame.
        .max_local_error_reset_streams(None)
        .data_frame_budget(data_frame_budget(config));
    builder
}

/// Polls the connection, then sends what it wrote.
fn poll_driven(
    h2: &mut client::Connection<Io, Bytes>,
    flusher: &Flusher,
    cx: &mut Context<'_>,
) -> Poll<Result<(), h2::Error>> {
    if let Poll::Ready(result) = Pin::new(h2).poll(cx) {
        return Poll::Ready(result);
    }
    match flusher.poll_flush(cx) {
        // The socket is gone. Dropping the connection fails its streams.
        Poll::Ready(Err(_)) => Poll::Ready(Ok(())),
        Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
    }
}

// === impl Established ===

impl Established {
    /// Makes it ready for requests.
    pub(crate) fn start(self, endpoint: &Arc<Endpoint>) -> Arc<Connection> {
        match self {
            Self::H1(wire) => {
                let state = State::default();
                state.limit.store(1, Relaxed);
                let link = Link::H1(Mutex::new(Some(wire)));
                Arc::new(Connection { state: Arc::new(state), endpoint: Arc::clone(endpoint), link })
            }
            Self::H2(ready) => ready.start(endpoint),
        }
    }
}

impl Ready {
    /// Starts the driver.
    fn start(self, endpoint: &Arc<Endpoint>) -> Arc<Connection> {
        let Self { h2, sender, flusher, state, ping } = self;
        let driver = Driver { h2, flusher, state: Arc::clone(&state), endpoint: Arc::clone(endpoint) };
        driver.update_limit();
        let link = Link::H2 {
            sender: Mutex::new(sender),
            probe: Mutex::new(Probe::new(ping)),
            driver: tokio::spawn(driver).abort_handle(),
        };
        Arc::new(Connection { state, endpoint: Arc::clone(endpoint), link })
    }
}

// === impl Connection ===

impl Connection {
    /// Opens a stream, if the connection takes one; `request` stays if it does not.
    ///
    /// # Errors
    /// Why the connection takes no more, or why the request cannot be sent: then it is taken.
    pub(crate) fn open_stream(
        &self,
        request: &mut Option<Request<()>>,
        ends: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let Link::H2 { sender, .. } = &self.link else { return Err(Reason::HTTP_1_1_REQUIRED.into()) };
        let mut sender = sender.lock();
        let ready = sender.poll_ready(&mut Context::from_waker(Waker::noop()))?;
        let request = request.take().expect("invariant: a stream is opened for a request");
        match ready {
            Poll::Ready(()) => sender.send_request(request, ends),
            // The last stream that went through this handle is not open yet, and `h2` wants it to
            // be before the next goes through the same handle.
            Poll::Pending => sender.clone().send_request(request, ends),
        }
    }

    /// Whether the peer has said GOAWAY.
    pub(crate) fn is_going_away(&self) -> bool {
        let Link::H2 { sender, .. } = &self.link else { return false };
        let mut sender = sender.lock();
        match sender.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(error)) => error.is_go_away() && error.is_remote(),
            Poll::Ready(Ok(())) | Poll::Pending => false,
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        let State { in_flight, limit, retired, .. } = &*self.state;
        in_flight.load(Relaxed) < limit.load(Relaxed) && !retired.load(Relaxed)
    }

    /// Takes an HTTP/1.1 connection into the hand of a request.
    pub(crate) fn take_wire(&self) -> Option<Box<Wire>> {
        match &self.link {
            Link::H1(wire) => wire.lock().take(),
            Link::H2 { .. } => None,
        }
    }

    /// Its request is over, and it may carry another.
    pub(crate) fn put_wire(&self, whole: Box<Wire>) {
        if let Link::H1(wire) = &self.link {
            *wire.lock() = Some(whole);
        }
    }

    pub(crate) fn is_h1(&self) -> bool {
        matches!(self.link, Link::H1(_))
    }

    /// An HTTP/1.1 connection whose request kept it: it was closed, or is something else now.
    pub(crate) fn is_spent(&self) -> bool {
        match &self.link {
            Link::H1(wire) => wire.lock().is_none(),
            Link::H2 { .. } => false,
        }
    }

    /// Called at regular intervals.
    pub(crate) fn tick(&self, ticks: Ticks) -> Health {
        let probe = match &self.link {
            Link::H1(wire) => return rested(wire.lock().as_deref()),
            Link::H2 { probe, .. } => probe,
        };
        let heard = self.state.heard.swap(false, Relaxed);
        let busy = self.state.in_flight.load(Relaxed) > 0;
        probe.lock().tick(ticks, heard, busy)
    }

    /// Ends the connection and every stream on it.
    pub(crate) fn abort(&self) {
        if let Link::H2 { driver, .. } = &self.link {
            driver.abort();
        }
    }
}

/// Whether a connection that waits for a request is still worth keeping.
fn rested(wire: Option<&Wire>) -> Health {
    match wire.is_none_or(Wire::is_fresh) {
        true => Health::Fine,
        false => Health::Idle,
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("state", &self.state).finish_non_exhaustive()
    }
}

// === impl Driver ===

impl Driver {
    /// Learns how many streams the peer allows; it may change its mind at any time.
    fn update_limit(&self) -> bool {
        let peer = u32::try_from(self.h2.max_concurrent_send_streams()).unwrap_or(u32::MAX);
        let limit = peer.min(self.endpoint.config().streams_max);
        self.state.limit.swap(limit, Relaxed) < limit
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let result = poll_driven(&mut driver.h2, &driver.flusher, cx);
        if result.is_pending() && driver.update_limit() {
            driver.endpoint.serve_waiting();
        }
        result.map(|result| {
            if let Err(error) = result {
                driver.endpoint.connection_failed(&error);
            }
        })
    }
}

impl Drop for Driver {
    /// However it ends, by itself, aborted, or with its runtime.
    fn drop(&mut self) {
        self.endpoint.retire(&self.state);
    }
}
