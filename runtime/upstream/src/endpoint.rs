//! One endpoint: its connections, who gets a stream on them, and who waits for one.

mod slot;

use std::{
    collections::VecDeque,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    time::Instant,
};

use http::uri::Authority;

use parking_lot::Mutex;
use tidegate_telemetry::{clock, random};
use tokio::{runtime::Handle, sync::oneshot};

pub(crate) use self::slot::Slot;
use crate::{
    Config, ConnectError, Fleet, Protocol, Stats, backoff,
    connect::{self, Connected},
    connection::{Connection, State},
    error,
    fleet::Member,
    probe::{Health, Ticks},
};

/// An endpoint of a pool: one worker's connections to it.
pub(crate) struct Endpoint {
    /// The address as errors and logs show it.
    pub(crate) name: Arc<str>,
    /// What a request says without an authority of its own.
    pub(crate) authority: Option<Authority>,
    /// What all workers know of it.
    pub(crate) member: Arc<Member>,
    pub(crate) fleet: Arc<Fleet>,
    config: Arc<Config>,
    stats: Arc<Stats>,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    open: Vec<Arc<Connection>>,
    /// Of HTTP/1.1, those that no request has, the last used last. Some may be out of use.
    resting: Vec<Arc<Connection>>,
    connecting: usize,
    /// Connections that are worth having to reach all addresses of a name.
    wanted: usize,
    /// Which address the next connection begins with.
    turn: usize,
    waiting: VecDeque<oneshot::Sender<Outcome>>,
    /// Failures to connect since the last success.
    failures: u32,
    retry_at: Option<Instant>,
    last_error: Option<Arc<ConnectError>>,
    closed: bool,
}

/// What a request that waits is told.
pub(crate) type Outcome = Result<Slot, Unavailable>;

/// Why there is no slot, now or after a wait.
#[derive(Clone, Debug)]
pub(crate) enum Unavailable {
    /// An attempt to connect failed.
    Connect(Arc<ConnectError>),
    /// The endpoint failed a moment ago and is left alone until its pause is over.
    Down(Option<Arc<ConnectError>>),
    /// As many requests wait as may.
    Overloaded,
    /// The pool is being closed.
    Closed,
}

/// What asking for a slot yields.
pub(crate) enum Acquired {
    Slot(Slot),
    /// The slot will come.
    Wait {
        slot: oneshot::Receiver<Outcome>,
        state: Waits,
    },
    Unavailable(Unavailable),
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// A stream of a connection, which others have.
    Stream,
    /// The first connection.
    Connection,
    /// The same, of an endpoint that was down when it was last tried.
    Failing,
}

/// A request that waits.
pub(crate) struct Waiting<'a>(&'a Endpoint);

/// An attempt to connect that is under way.
struct Connecting<'a>(&'a Endpoint);

// === impl Endpoint ===

impl Endpoint {
    pub(crate) fn new(member: &Arc<Member>, fleet: &Arc<Fleet>, stats: &Arc<Stats>) -> Arc<Self> {
        let config = fleet.config();
        Arc::new(Self {
            name: Arc::clone(&member.name),
            authority: config.authority(&member.address).parse().ok(),
            member: Arc::clone(member),
            fleet: Arc::clone(fleet),
            config: Arc::clone(config),
            stats: Arc::clone(stats),
            pool: Mutex::new(Pool { wanted: config.connections_ahead.max(1), ..Pool::default() }),
        })
    }

    /// Opens the connections that are to be open before a call asks for them.
    pub(crate) fn connect_ahead(self: &Arc<Self>) {
        if self.is_ahead() {
            self.connect_more(&mut self.pool.lock());
        }
    }

    fn is_ahead(&self) -> bool {
        self.config.connections_ahead > 0
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Counts a request as waiting until the result is dropped.
    pub(crate) fn waiting(&self) -> Waiting<'_> {
        self.member.load.fetch_add(1, Relaxed);
        self.stats.waiting.fetch_add(1, Relaxed);
        Waiting(self)
    }

    /// Asks for a slot, if possible not on the connection `avoid`. Unless it is the `last` that may be asked, an endpoint
    /// that was down is connected to, but not waited for.
    pub(crate) fn acquire(self: &Arc<Self>, avoid: Option<&Arc<Connection>>, last: bool) -> Acquired {
        let mut pool = self.pool.lock();
        if pool.closed {
            return Acquired::Unavailable(Unavailable::Closed);
        }
        if let Some(connection) = pool.pick(avoid) {
            let slot = self.slot(connection);
            if pool.open.len() + pool.connecting < pool.wanted {
                self.connect_more(&mut pool);
            }
            return Acquired::Slot(slot);
        }
        if pool.waiting.len() >= self.config.waiting_max {
            // Those who gave up make room, whenever that comes to be looked at.
            pool.waiting.retain(|waiting| !waiting.is_closed());
            if pool.waiting.len() >= self.config.waiting_max {
                return Acquired::Unavailable(Unavailable::Overloaded);
            }
        }
        let failing = pool.failures > 0 && pool.open.is_empty();
        // One that is connected to without calls gets none before that.
        if (failing || self.is_ahead() && pool.open.is_empty()) && !last {
            self.connect_more(&mut pool);
            return Acquired::Unavailable(Unavailable::Down(pool.last_error.clone()));
        }
        let (sender, slot) = oneshot::channel();
        pool.waiting.push_back(sender);
        self.connect_more(&mut pool);
        if pool.open.is_empty() && pool.connecting == 0 {
            pool.waiting.pop_back();
            return Acquired::Unavailable(Unavailable::Down(pool.last_error.clone()));
        }
        let state = match (failing, pool.open.is_empty()) {
            (true, _) => Waits::Failing,
            (false, true) => Waits::Connection,
            (false, false) => Waits::Stream,
        };
        Acquired::Wait { slot, state }
    }

    /// Takes a connection out of use, which is going away or broken: it finishes what it has.
    pub(crate) fn retire(self: &Arc<Self>, state: &Arc<State>) {
        if let Some(connection) = self.forget(state)
            && connection.is_going_away()
        {
            self.stats.goaways.fetch_add(1, Relaxed);
        }
    }

    /// A connection ended with an error.
    pub(crate) fn connection_failed(&self, error: &h2::Error) {
        tracing::debug!(upstream = self.config.name, endpoint = &*self.name, %error, "connection failed");
    }

    /// Gives free streams to those who wait.
    pub(crate) fn serve_waiting(self: &Arc<Self>) {
        let mut pool = self.pool.lock();
        self.serve(&mut pool);
    }

    /// Looks after the connections; called at regular intervals. Says whether there are any.
    pub(crate) fn tick(self: &Arc<Self>, ticks: Ticks) -> bool {
        let open = self.pool.lock().open.clone();
        for connection in open {
            match connection.tick(ticks) {
                Health::Fine => {}
                Health::Idle => drop(self.forget(&connection.state)),
                Health::Dead => {
                    tracing::warn!(upstream = self.config.name, endpoint = &*self.name, "no answer to a ping");
                    // Whether it is back is found out without calls that wait for it.
                    self.pool.lock().failures += 1;
                    connection.abort();
                }
            }
        }
        let pool = self.pool.lock();
        !pool.open.is_empty() || pool.connecting > 0
    }

    /// Lets connections end with what they have, and refuses whoever waits or comes.
    pub(crate) fn close(&self) {
        let (open, waiting) = {
            let mut pool = self.pool.lock();
            pool.closed = true;
            pool.resting.clear();
            (std::mem::take(&mut pool.open), std::mem::take(&mut pool.waiting))
        };
        for waiting in waiting {
            let _ = waiting.send(Err(Unavailable::Closed));
        }
        self.stats.connections_open.fetch_sub(open.len() as u64, Relaxed);
        self.member.connections.fetch_sub(open.len() as u64, Relaxed);
    }

    /// Takes a connection out of the pool, if it is in it.
    fn forget(self: &Arc<Self>, state: &Arc<State>) -> Option<Arc<Connection>> {
        state.retired.store(true, Relaxed);
        let mut pool = self.pool.lock();
        let at = pool.open.iter().position(|connection| Arc::ptr_eq(&connection.state, state))?;
        let connection = pool.open.remove(at);
        pool.resting.retain(|resting| !Arc::ptr_eq(&resting.state, state));
        self.stats.connections_open.fetch_sub(1, Relaxed);
        self.member.connections.fetch_sub(1, Relaxed);
        self.serve(&mut pool);
        if self.is_ahead() {
            self.connect_more(&mut pool);
        }
        Some(connection)
    }

    fn slot(&self, connection: Arc<Connection>) -> Slot {
        connection.state.in_flight.fetch_add(1, Relaxed);
        self.member.load.fetch_add(1, Relaxed);
        self.stats.in_flight.fetch_add(1, Relaxed);
        Slot::new(connection)
    }

    /// Gives free streams to those who wait, and opens connections for those who are left.
    fn serve(self: &Arc<Self>, pool: &mut Pool) {
        while !pool.waiting.is_empty() {
            let Some(connection) = pool.pick(None) else { break };
            let Some(waiting) = pool.waiting.pop_front() else { break };
            if waiting.is_closed() {
                continue;
            }
            if let Err(Ok(mut slot)) = waiting.send(Ok(self.slot(connection))) {
                // It gave up between the question and the answer. The pool is locked, so the slot
                // must not look for a taker itself; this loop does.
                slot.release();
                pool.rest(&slot.connection);
            }
        }
        if !pool.waiting.is_empty() {
            self.connect_more(pool);
            if pool.open.is_empty() && pool.connecting == 0 {
                pool.refuse_waiting(&Unavailable::Down(pool.last_error.clone()));
            }
        }
    }

    /// Opens as many connections as those who wait need, and as the config and the pause after a
    /// failure allow.
    fn connect_more(self: &Arc<Self>, pool: &mut Pool) {
        let per_connection =
            pool.open.first().map_or(self.config.streams_max, |open| open.state.limit.load(Relaxed).max(1));
        let needed = pool.waiting.len().div_ceil(per_connection as usize);
        let spread = pool.wanted.saturating_sub(pool.open.len());
        let room = self.config.connections_max.saturating_sub(pool.open.len());
        // After a failure, one attempt finds out whether the endpoint is back.
        let at_once = if pool.failures > 0 { 1 } else { usize::MAX };
        let target = needed.max(spread).min(room).min(at_once);
        if pool.closed || pool.connecting >= target {
            return;
        }
        if pool.retry_at.is_some_and(|at| clock::now() < at) {
            return;
        }
        while pool.connecting < target {
            // There is none when this is dropped after its runtime: then nobody can wait either.
            let Ok(runtime) = Handle::try_current() else { return };
            runtime.spawn(Arc::clone(self).connect(pool.turn));
            pool.connecting += 1;
            pool.turn = pool.turn.wrapping_add(1);
        }
    }

    async fn connect(self: Arc<Self>, turn: usize) {
        // Dropped with the runtime, it still leaves the count right.
        let connecting = Connecting(&self);
        let result = connect::connect(&self.member.address, turn, &self.config).await;
        drop(connecting);
        match result {
            Ok(connected) => self.connected(connected),
            Err(error) => self.connect_failed(Arc::new(error)),
        }
    }

    fn connected(self: &Arc<Self>, connected: Connected) {
        let connection = connected.established.start(self);
        let mut pool = self.pool.lock();
        if pool.closed {
            return;
        }
        if std::mem::take(&mut pool.failures) > 0 {
            tracing::info!(upstream = self.config.name, endpoint = &*self.name, "connected again");
        }
        pool.retry_at = None;
        pool.last_error = None;
        *self.member.unreachable.lock() = None;
        if self.config.protocol == Protocol::H2 {
            let wanted = connected.addresses.max(self.config.connections_ahead);
            pool.wanted = wanted.min(self.config.connections_max);
        }
        pool.rest(&connection);
        pool.open.push(connection);
        self.stats.connections_open.fetch_add(1, Relaxed);
        self.member.connections.fetch_add(1, Relaxed);
        self.stats.connections_opened.fetch_add(1, Relaxed);
        self.serve(&mut pool);
    }

    fn connect_failed(self: &Arc<Self>, error: Arc<ConnectError>) {
        self.stats.connect_failures.fetch_add(1, Relaxed);
        let mut pool = self.pool.lock();
        pool.failures = pool.failures.saturating_add(1);
        pool.retry_at = clock::now().checked_add(backoff::pause(pool.failures, random::u64()));
        if pool.failures == 1 {
            let reason = error::chain(&*error);
            tracing::warn!(upstream = self.config.name, endpoint = &*self.name, reason, "cannot connect");
        }
        pool.last_error = Some(Arc::clone(&error));
        *self.member.unreachable.lock() = Some(Arc::clone(&error));
        if pool.open.is_empty() && pool.connecting == 0 {
            pool.refuse_waiting(&Unavailable::Connect(error));
        }
        if let Some(at) = pool.retry_at.filter(|_| self.is_ahead() && !pool.closed) {
            tokio::spawn(try_again(Arc::downgrade(self), at));
        }
    }
}

/// Connects when the pause after a failure is over, without a call that asks for it.
async fn try_again(endpoint: Weak<Endpoint>, at: Instant) {
    tokio::time::sleep_until(at.into()).await;
    if let Some(endpoint) = endpoint.upgrade() {
        endpoint.connect_ahead();
    }
}

// === impl Waiting, Connecting ===

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        self.0.pool.lock().connecting -= 1;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.member.load.fetch_sub(1, Relaxed);
        self.0.stats.waiting.fetch_sub(1, Relaxed);
    }
}

// === impl Pool ===

impl Pool {
    /// A connection with a free stream, if possible not `avoid`.
    ///
    /// Of HTTP/1.1 the last used, so that spare ones become idle and close. Of HTTP/2,
    /// with one address the first that has room, so that requests of one turn of the loop share a
    /// system call and spare connections become idle and close; with several the least used.
    fn pick(&mut self, avoid: Option<&Arc<Connection>>) -> Option<Arc<Connection>> {
        while let Some(connection) = self.resting.pop() {
            if connection.has_room() {
                return Some(connection);
            }
        }
        if self.open.first().is_some_and(|connection| connection.is_h1()) {
            return None;
        }
        let mut free = self.open.iter().filter(|connection| connection.has_room());
        let picked = match avoid {
            Some(avoid) => {
                let other = free.clone().find(|connection| !Arc::ptr_eq(connection, avoid));
                other.or_else(|| free.next())
            }
            None if self.wanted > 1 => free.min_by_key(|connection| connection.state.in_flight.load(Relaxed)),
            None => free.next(),
        };
        picked.cloned()
    }

    /// A connection of HTTP/1.1 has no request.
    fn rest(&mut self, connection: &Arc<Connection>) {
        if connection.is_h1() && !self.closed {
            self.resting.push(Arc::clone(connection));
        }
    }

    fn refuse_waiting(&mut self, reason: &Unavailable) {
        for waiting in self.waiting.drain(..) {
            let _ = waiting.send(Err(reason.clone()));
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("name", &self.name).field("member", &self.member).finish_non_exhaustive()
    }
}
