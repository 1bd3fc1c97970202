//! An upstream over the network: which endpoint, which connection, and once more if it is safe.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    Request, Response,
    request::Parts as Head,
    uri::{Authority, PathAndQuery, Scheme, Uri},
};
use tidegate_telemetry::{clock, random};
use tokio::time::timeout_at;

use crate::{
    Call, CallError, Config, Kind, Protocol, RequestBody, ResponseBody, Stats, Tunnel,
    body::Parts,
    connection::Connection,
    deadline::Deadlines,
    endpoint::{Acquired, Endpoint, Slot, Unavailable},
    exchange::{self, StreamBody},
    h1,
    hints::Hints,
    kept::Kept,
    probe::Ticks,
    upload::Upload,
};

/// How long a call waits for an endpoint that was down when it was last tried: an endpoint that is back
/// answers within this, and its failure is told within 50 ms, with all that comes on top.
const WAIT_WHILE_DOWN: Duration = Duration::from_millis(40);

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
/// Of several endpoints the less loaded of two that are drawn at random; one that is down is left
/// out. A call that finds no stream free waits for one, as many as
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
    config: Arc<Config>,
    endpoints: Box<[Target]>,
    deadlines: Deadlines,
    stats: Arc<Stats>,
    /// Whether the task that looks after the connections runs.
    kept: AtomicBool,
}

#[derive(Debug)]
struct Target {
    endpoint: Arc<Endpoint>,
    authority: Option<Authority>,
}

// === impl Upstream ===

impl Upstream {
    /// An upstream without connections; they are opened by the first calls.
    ///
    /// `config` has no [`problems`](Config::problems): one that has may fail every call.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let stats = Stats::new(&config);
        let config = Arc::new(config);
        let endpoints = config.endpoints.iter().map(|address| Target {
            endpoint: Endpoint::new(address, &config, &stats),
            authority: address.to_string().parse().ok(),
        });
        Self {
            shared: Arc::new(Shared {
                endpoints: endpoints.collect(),
                config,
                deadlines: Deadlines::new(),
                stats,
                kept: AtomicBool::new(false),
            }),
        }
    }

    /// What it is made from.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
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
        let result = match (shared.config.protocol, body.into_parts()) {
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
            let (slot, target) = self.acquire(avoid.as_ref(), deadline, hints).await?;
            let mut request = Some(request(head, target));
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
            let (slot, target) = self.acquire(avoid.as_ref(), deadline, hints).await?;
            let mut request = Some(request(head, target));
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
            let (wire, slot, target) = self.acquire_wire(deadline, hints).await?;
            let again = match &body {
                Parts::Whole(bytes) if wire.was_used() => Some(bytes.clone()),
                Parts::Whole(_) | Parts::Stream(_) => None,
            };
            let deadline = deadline.map(|at| self.deadlines.at(at));
            let error = match h1::call(wire, &mut head, body, target.authority.as_ref(), deadline, slot).await {
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
    ) -> Result<(Box<h1::Wire>, Slot, &Target), CallError> {
        loop {
            let (slot, target) = self.acquire(None, deadline, hints).await?;
            // A slot whose connection is not given back takes it out of the pool, so that this ends.
            if let Some(wire) = slot.connection.take_wire()
                && (!wire.was_used() || wire.is_fresh())
            {
                self.keep();
                return Ok((wire, slot, target));
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

    /// A slot on one of the endpoints.
    async fn acquire(
        self: &Arc<Self>,
        avoid: Option<&Arc<Connection>>,
        deadline: Option<Instant>,
        hints: &Hints,
    ) -> Result<(Slot, &Target), CallError> {
        let mut tried = self.tried(hints);
        let mut avoided = tried.len();
        let mut last = None;
        loop {
            let Some(at) = self.choose(&tried) else {
                if avoided == 0 {
                    break;
                }
                // There is no other: better one that was tried than none.
                tried.drain(..std::mem::take(&mut avoided));
                continue;
            };
            let target = &self.endpoints[at];
            let failed = match target.endpoint.acquire(avoid) {
                Acquired::Slot(slot) => return Ok((slot, target)),
                Acquired::Unavailable(reason) => reason,
                Acquired::Wait { slot, failing } => {
                    self.keep();
                    let waiting = target.endpoint.waiting();
                    let outcome = wait(slot, failing, deadline).await?;
                    drop(waiting);
                    match outcome {
                        Ok(slot) => return Ok((slot, target)),
                        Err(reason) => reason,
                    }
                }
            };
            tried.push(at);
            last = Some(unavailable(failed).at(&target.endpoint.name));
        }
        Err(last.unwrap_or_else(|| CallError::not_sent_because(Kind::Down(None))))
    }

    /// The endpoints that a request was sent to before.
    fn tried(&self, hints: &Hints) -> Vec<usize> {
        if hints.tried.is_empty() {
            return Vec::new();
        }
        let all = self.endpoints.iter().enumerate();
        all.filter(|(_, target)| hints.tried.has(&target.endpoint.name)).map(|(at, _)| at).collect()
    }

    /// The less loaded of two endpoints drawn at random among those that were not `tried`.
    fn choose(&self, tried: &[usize]) -> Option<usize> {
        let left = self.endpoints.len() - tried.len();
        if left <= 1 {
            return (0..self.endpoints.len()).find(|at| !tried.contains(at));
        }
        let mut untried = (0..self.endpoints.len()).filter(|at| !tried.contains(at));
        let draw = |bound: usize| usize::try_from(random::below(bound as u64)).unwrap_or(0);
        let first = draw(left);
        // Of those after the first, so that the two differ.
        let second = (first + 1 + draw(left - 1)) % left;
        let (low, high) = (first.min(second), first.max(second));
        let a = untried.nth(low)?;
        let b = untried.nth(high - low - 1)?;
        let load = |at: usize| self.endpoints[at].endpoint.load();
        // Equal ones in the order of the draw, or the earlier would get more.
        let (first, second) = if first < second { (a, b) } else { (b, a) };
        Some(if load(second) < load(first) { second } else { first })
    }

    /// Starts the task that looks after the connections, unless it runs.
    fn keep(self: &Arc<Self>) {
        if !self.kept.swap(true, Relaxed) {
            tokio::spawn(keep(Arc::downgrade(self), Ticks::new(&self.config)));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for target in &self.endpoints {
            target.endpoint.close();
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

/// The request as it is sent to `target`.
fn request(mut head: Head, target: &Target) -> Request<()> {
    if head.uri.authority().is_none()
        && let Some(authority) = &target.authority
    {
        let mut parts = std::mem::take(&mut head.uri).into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(authority.clone());
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        head.uri = Uri::from_parts(parts).unwrap_or_default();
    }
    Request::from_parts(head, ())
}

/// Waits for a slot until the deadline, or for less if the endpoint seems to be down.
async fn wait(
    slot: tokio::sync::oneshot::Receiver<Result<Slot, Unavailable>>,
    failing: bool,
    deadline: Option<Instant>,
) -> Result<Result<Slot, Unavailable>, CallError> {
    let patience = failing.then(|| clock::now() + WAIT_WHILE_DOWN);
    let until = match (deadline, patience) {
        (Some(deadline), Some(patience)) => Some(deadline.min(patience)),
        (deadline, patience) => deadline.or(patience),
    };
    let outcome = match until {
        None => slot.await,
        Some(until) => match timeout_at(until.into(), slot).await {
            Ok(outcome) => outcome,
            Err(_) if deadline == Some(until) => {
                return Err(CallError::not_sent_because(Kind::Deadline));
            }
            Err(_) => return Ok(Err(Unavailable::Down(None))),
        },
    };
    Ok(outcome.unwrap_or(Err(Unavailable::Closed)))
}

fn unavailable(reason: Unavailable) -> CallError {
    CallError::not_sent_because(match reason {
        Unavailable::Connect(error) => Kind::Connect(error),
        Unavailable::Down(error) => Kind::Down(error),
        Unavailable::Overloaded => Kind::Overloaded,
        Unavailable::Closed => Kind::Closed,
    })
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

/// Looks after the connections for as long as there are any.
async fn keep(shared: Weak<Shared>, ticks: Ticks) {
    loop {
        tokio::time::sleep(ticks.every).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut any = false;
        for target in &shared.endpoints {
            any |= target.endpoint.tick(ticks);
        }
        if !any {
            shared.kept.store(false, Relaxed);
            return;
        }
    }
}
