//! An upstream over the network: which endpoint, which connection, and once more if it is safe.

mod choice;

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{
    Request, Response,
    request::Parts as Head,
    uri::{PathAndQuery, Scheme, Uri},
};
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::watch, task::AbortHandle};

use self::choice::Pools;
use crate::{
    Call, CallError, Config, Fleet, Kind, Protocol, RequestBody, ResponseBody, Stats, Tunnel,
    body::Parts,
    connection::Connection,
    deadline::Deadlines,
    endpoint::Slot,
    exchange::{self, StreamBody},
    fleet::Known,
    h1,
    hints::Hints,
    kept::Kept,
    probe::Ticks,
    upload::Upload,
};

/// How often a request was sent again before this answer came, because it surely never reached the application.
/// An extension of the answer; not there if it was sent once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resent(pub u32);

/// How often a request is sent again that the peer refused (gRPC's transparent retry, A6: once).
const RESENDS_AFTER_REFUSAL: u32 = 1;

/// How often a request moves on to another connection because the one it was to use, or was on
/// without having been looked at, is going away. A server that stops says so on all its
/// connections, one after the other.
const MOVES_MAX: u32 = 8;

/// An upstream, as one worker calls it: its endpoints, and the connections to them.
///
/// Cheap to clone. Must be used within a runtime; its connections are driven by tasks of the
/// runtime that the calls are made on. When the last clone is dropped, connections close as soon as
/// their requests have ended.
///
/// # Choosing
/// As [`Config::balance`] says, of those that are not left alone. One that cannot be connected to is left out, and asked
/// again in the background. A call that finds no stream free waits for one, as many as
/// [`Config::waiting_max`] at a time, while further connections are opened.
///
/// # Sending again
/// A request that surely never reached the application (the connection was going away before it was
/// looked at, or the peer refused the stream) is sent again without the caller noticing, if its body
/// is in memory; a refused one once. All else is the caller's decision, see
/// [`CallError::retry`].
///
/// # Trying again
/// A request that has [`Tried`](crate::Tried) goes to an endpoint that is not among them, if there is one.
///
/// # Headers
/// A URI without an authority gets that of the endpoint, and the scheme `http`.
#[derive(Clone, Debug)]
pub struct Upstream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    fleet: Arc<Fleet>,
    pools: ArcSwap<Pools>,
    /// Whoever makes other pools holds it.
    changing: Mutex<()>,
    deadlines: Deadlines,
    stats: Arc<Stats>,
    /// Whether the task that looks after the connections runs.
    kept: AtomicBool,
    /// The task that connects to endpoints before calls do.
    ahead: OnceLock<AbortHandle>,
}

// === impl Upstream ===

impl Upstream {
    /// An upstream without connections; they are opened by the first calls, or at once
    /// ([`Config::connections_ahead`]).
    ///
    /// `config` has no [`problems`](Config::problems): one that has may fail every call.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::of(&Fleet::new(config))
    }

    /// A worker's connections to endpoints that others have connections to.
    #[must_use]
    pub fn of(fleet: &Arc<Fleet>) -> Self {
        let stats = Stats::new(fleet.config());
        let none = Pools { roster: Arc::default(), endpoints: Box::default() };
        let shared = Shared {
            fleet: Arc::clone(fleet),
            pools: ArcSwap::from_pointee(none),
            changing: Mutex::new(()),
            deadlines: Deadlines::new(),
            stats,
            kept: AtomicBool::new(false),
            ahead: OnceLock::new(),
        };
        shared.renew_pools();
        let shared = Arc::new(shared);
        // There is none where no call can be made either.
        if fleet.config().connections_ahead > 0
            && let Ok(runtime) = Handle::try_current()
        {
            let task = runtime.spawn(connect_ahead(Arc::downgrade(&shared), fleet.changes()));
            let _ = shared.ahead.set(task.abort_handle());
        }
        Self { shared }
    }

    /// The endpoints.
    #[must_use]
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.shared.fleet
    }

    /// What it is made from.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.shared.fleet.config()
    }

    /// Its figures.
    #[must_use]
    pub fn stats(&self) -> &Arc<Stats> {
        &self.shared.stats
    }
}

impl Call for Upstream {
    type Body = ResponseBody;

    async fn call(
        &self,
        request: Request<RequestBody>,
        deadline: Option<Instant>,
    ) -> Result<Response<ResponseBody>, CallError> {
        let shared = &self.shared;
        shared.stats.requests.fetch_add(1, Relaxed);
        let (mut head, body) = request.into_parts();
        let hints = Hints::take(&mut head.extensions);
        let result = match (shared.fleet.config().protocol, body.into_parts()) {
            (Protocol::H1, body) => {
                shared.call_h1(head, body, deadline, &hints).await.map(|reply| reply.map(Into::into))
            }
            (Protocol::H2, Parts::Whole(bytes)) => {
                shared.call_whole(head, bytes, deadline, &hints).await.map(|reply| reply.map(Into::into))
            }
            (Protocol::H2, Parts::Stream(body)) => {
                shared.call_stream(head, body, deadline, &hints).await.map(|reply| reply.map(Into::into))
            }
        };
        result.inspect_err(|error| shared.stats.failed(error))
    }

    fn endpoint(body: &ResponseBody) -> Option<&str> {
        Some(body.endpoint())
    }

    fn set_deadline(body: &mut ResponseBody, deadline: Option<Instant>) {
        body.set_deadline(deadline);
    }

    fn take_tunnel(body: &mut ResponseBody) -> Option<Tunnel> {
        body.take_tunnel()
    }
}

// === impl Shared ===

impl Shared {
    /// A call whose body is in memory, and can be sent again.
    async fn call_whole(
        self: &Arc<Self>,
        head: Head,
        body: Bytes,
        deadline: Option<Instant>,
        hints: &Hints,
    ) -> Result<Response<StreamBody>, CallError> {
        let kept = Kept::new(&head);
        let mut head = head;
        let mut refusals = 0;
        let mut moves = 0;
        let mut avoid = None;
        loop {
            let mut slot = self.acquire(avoid.as_ref(), deadline, hints).await?;
            slot.begin(self.fleet.now(), true, hints.client_deadline);
            let mut request = Some(request(head, &slot));
            let opened = slot.connection.open_stream(&mut request, body.is_empty());
            let (error, connection) = match opened {
                Ok((response, mut stream)) => {
                    if !body.is_empty()
                        && let Err(error) = stream.send_data(body.clone(), true)
                    {
                        return Err(CallError::from_stream(error));
                    }
                    drop(stream);
                    let deadline = deadline.map(|at| self.deadlines.at(at));
                    match exchange::Head::new(response, None, deadline, slot).await {
                        Ok(response) => return Ok(resent(response, moves + refusals)),
                        Err(failed) => failed,
                    }
                }
                Err(error) => (refused_to_open(error, request.is_some()), Arc::clone(&slot.connection)),
            };
            avoid = Some(self.may_resend(error, &connection, &mut moves, &mut refusals)?);
            head = kept.head();
        }
    }

    /// A call whose body is a stream. Once it has begun to be pulled it cannot be sent again.
    async fn call_stream(
        self: &Arc<Self>,
        head: Head,
        body: RequestBody,
        deadline: Option<Instant>,
        hints: &Hints,
    ) -> Result<Response<StreamBody>, CallError> {
        let kept = Kept::new(&head);
        let mut head = head;
        let mut moves = 0;
        let mut avoid = None;
        loop {
            let mut slot = self.acquire(avoid.as_ref(), deadline, hints).await?;
            slot.begin(self.fleet.now(), false, hints.client_deadline);
            let mut request = Some(request(head, &slot));
            match slot.connection.open_stream(&mut request, false) {
                Ok((response, stream)) => {
                    let upload = Some(Upload::start(body, stream));
                    let deadline = deadline.map(|at| self.deadlines.at(at));
                    let head = exchange::Head::new(response, upload, deadline, slot);
                    let answered = head.await.map_err(|(error, connection)| {
                        retire_if_gone(&error, &connection);
                        error
                    });
                    return answered.map(|response| resent(response, moves));
                }
                Err(error) => {
                    let error = refused_to_open(error, request.is_some());
                    avoid = Some(self.may_resend(error, &slot.connection, &mut moves, &mut 0)?);
                    head = kept.head();
                }
            }
        }
    }

    /// A call over HTTP/1.1. It is sent again if nothing of it was written to the network, and its body is
    /// in memory.
    async fn call_h1(
        self: &Arc<Self>,
        head: Head,
        body: Parts,
        deadline: Option<Instant>,
        hints: &Hints,
    ) -> Result<Response<h1::ReplyBody>, CallError> {
        let (mut head, mut body) = (head, body);
        let mut moves = 0;
        loop {
            let (wire, mut slot) = self.acquire_wire(deadline, hints).await?;
            slot.begin(self.fleet.now(), matches!(body, Parts::Whole(_)), hints.client_deadline);
            let endpoint = Arc::clone(&slot.connection.endpoint);
            let again = match &body {
                Parts::Whole(bytes) if wire.was_used() => Some(bytes.clone()),
                Parts::Whole(_) | Parts::Stream(_) => None,
            };
            let deadline = deadline.map(|at| self.deadlines.at(at));
            let error = match h1::call(wire, &mut head, body, endpoint.authority.as_ref(), deadline, slot).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            moves += 1;
            let may = error.not_sent() && matches!(error.kind(), Kind::ConnectionLost(_)) && moves <= MOVES_MAX;
            let Some(bytes) = again.filter(|_| may) else { return Err(error) };
            self.stats.resent.fetch_add(1, Relaxed);
            body = Parts::Whole(bytes);
        }
    }

    /// An HTTP/1.1 connection that its peer has not closed, as far as is known here.
    async fn acquire_wire(
        self: &Arc<Self>,
        deadline: Option<Instant>,
        hints: &Hints,
    ) -> Result<(Box<h1::Wire>, Slot), CallError> {
        loop {
            let slot = self.acquire(None, deadline, hints).await?;
            // A slot whose connection is not given back takes it out of the pool, so that this ends.
            if let Some(wire) = slot.connection.take_wire()
                && (!wire.was_used() || wire.is_fresh())
            {
                self.keep();
                return Ok((wire, slot));
            }
        }
    }

    /// Whether a request that failed on `connection` may be sent again, elsewhere if possible.
    fn may_resend(
        &self,
        error: CallError,
        connection: &Arc<Connection>,
        moves: &mut u32,
        refusals: &mut u32,
    ) -> Result<Arc<Connection>, CallError> {
        retire_if_gone(&error, connection);
        let resend = error.not_sent()
            && match error.kind() {
                Kind::Reset(_) => {
                    *refusals += 1;
                    *refusals <= RESENDS_AFTER_REFUSAL
                }
                Kind::GoAway(_) | Kind::ConnectionLost(_) => {
                    *moves += 1;
                    *moves <= MOVES_MAX
                }
                _ => false,
            };
        if !resend {
            return Err(error);
        }
        self.stats.resent.fetch_add(1, Relaxed);
        Ok(Arc::clone(connection))
    }

    /// Starts the task that looks after the connections, unless it runs.
    fn keep(self: &Arc<Self>) {
        if !self.kept.swap(true, Relaxed) {
            tokio::spawn(keep(Arc::downgrade(self), Ticks::new(self.fleet.config())));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(task) = self.ahead.get() {
            task.abort();
        }
        for endpoint in &self.pools.load().endpoints {
            endpoint.close();
        }
    }
}

/// The answer to a request that was sent again so many times.
fn resent<B>(mut response: Response<B>, times: u32) -> Response<B> {
    if times > 0 {
        response.extensions_mut().insert(Resent(times));
    }
    response
}

/// The request as it is sent on `slot`.
fn request(mut head: Head, slot: &Slot) -> Request<()> {
    if head.uri.authority().is_none()
        && let Some(authority) = &slot.connection.endpoint.authority
    {
        let mut parts = std::mem::take(&mut head.uri).into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(authority.clone());
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        head.uri = Uri::from_parts(parts).unwrap_or_default();
    }
    Request::from_parts(head, ())
}

/// Why a stream could not be opened. If the request is `left` the connection takes no more, and
/// nothing was sent; otherwise it is the request that cannot be sent.
fn refused_to_open(error: h2::Error, left: bool) -> CallError {
    match error.reason() {
        Some(reason) if left || error.is_go_away() => CallError::not_sent_because(Kind::GoAway(reason)),
        _ if left || error.is_io() => {
            let error = error.into_io().unwrap_or_else(|| std::io::ErrorKind::BrokenPipe.into());
            CallError::not_sent_because(Kind::ConnectionLost(error))
        }
        _ => CallError::not_sent_because(Kind::BadRequest(error.into())),
    }
}

/// A connection that is going away, or that is gone, takes no further request.
fn retire_if_gone(error: &CallError, connection: &Connection) {
    if matches!(error.kind(), Kind::GoAway(_) | Kind::ConnectionLost(_)) {
        connection.endpoint.retire(&connection.state);
    }
}

/// Connects to the endpoints that there are, and to those that come, before calls do.
async fn connect_ahead(shared: Weak<Shared>, mut changes: watch::Receiver<Known>) {
    loop {
        let Some(shared) = shared.upgrade() else { return };
        for endpoint in &shared.pools().endpoints {
            endpoint.connect_ahead();
        }
        shared.keep();
        drop(shared);
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Looks after the connections for as long as there are any.
async fn keep(shared: Weak<Shared>, ticks: Ticks) {
    loop {
        tokio::time::sleep(ticks.every).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut any = false;
        for endpoint in &shared.pools().endpoints {
            any |= endpoint.tick(ticks);
        }
        if !any && shared.fleet.config().connections_ahead == 0 {
            shared.kept.store(false, Relaxed);
            return;
        }
    }
}
