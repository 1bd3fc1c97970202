//! A place for one request, and what its end says of the endpoint.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use http::{HeaderMap, StatusCode};

use super::Endpoint;
use crate::{CallError, Kind, connection::Connection, h1::Wire, verdict};

/// A place for one request on a connection. Dropping it gives the place to whoever waits.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) connection: Arc<Connection>,
    held: bool,
    watch: Option<Watch>,
}

/// What the endpoint is judged by, of a call whose end is not known yet.
#[derive(Clone, Copy, Debug)]
struct Watch {
    /// By the fleet's clock.
    begun: Duration,
    /// Its time says how quick the endpoint is: what it takes does not depend on the client.
    timed: bool,
    client_deadline: bool,
    /// The head of the reply came after this time.
    took: Option<Duration>,
}

// === impl Slot ===

impl Slot {
    /// A place that is counted already.
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, held: true, watch: None }
    }

    /// A request is sent now, by whose end the endpoint is judged.
    pub(crate) fn begin(&mut self, now: Duration, timed: bool, client_deadline: bool) {
        self.connection.endpoint.member.requests.fetch_add(1, Relaxed);
        self.watch = Some(Watch { begun: now, timed, client_deadline, took: None });
    }

    /// The head of the reply is here.
    pub(crate) fn headed(&mut self, status: StatusCode, headers: &HeaderMap) {
        let Some(watch) = &mut self.watch else { return };
        let endpoint = &self.connection.endpoint;
        let now = endpoint.fleet.now();
        if watch.timed {
            let took = now.saturating_sub(watch.begun);
            endpoint.member.answered(took, now);
            watch.took = Some(took);
        }
        if let Some(outcome) = verdict::of_head(status, headers, watch.client_deadline) {
            endpoint.fleet.tell(&endpoint.member, outcome, watch.took);
            self.watch = None;
        }
    }

    /// The reply has ended, with these trailers if it has any.
    pub(crate) fn ended(&mut self, trailers: Option<&HeaderMap>) {
        if let Some(Watch { took, client_deadline, .. }) = self.watch.take() {
            let endpoint = &self.connection.endpoint;
            if let Some(outcome) = verdict::of_trailers(trailers, client_deadline) {
                endpoint.fleet.tell(&endpoint.member, outcome, took);
            }
        }
    }

    /// The call has failed.
    pub(crate) fn failed(&mut self, error: &CallError) {
        let Some(watch) = self.watch.take() else { return };
        let Some(outcome) = verdict::of_error(error, watch.client_deadline) else { return };
        let Endpoint { fleet, member, .. } = &*self.connection.endpoint;
        let now = fleet.now();
        if matches!(error.kind(), Kind::ConnectionLost(_)) && !member.counts_as_lost(watch.begun, now) {
            return;
        }
        let took = watch.took.or_else(|| watch.timed.then(|| now.saturating_sub(watch.begun)));
        fleet.tell(member, outcome, took);
    }

    /// Frees the stream now, and gives it to whoever waits. Later calls do nothing.
    pub(crate) fn free(&mut self) {
        if self.release() {
            let endpoint = &self.connection.endpoint;
            if self.connection.is_spent() {
                endpoint.retire(&self.connection.state);
                return;
            }
            let mut pool = endpoint.pool.lock();
            pool.rest(&self.connection);
            if !pool.waiting.is_empty() {
                endpoint.serve(&mut pool);
            }
        }
    }

    /// Frees an HTTP/1.1 connection that may carry another request.
    pub(crate) fn give_back(self, wire: Box<Wire>) {
        self.connection.put_wire(wire);
    }

    /// Frees the stream without looking for a taker: says whether it was held.
    pub(super) fn release(&mut self) -> bool {
        let held = std::mem::replace(&mut self.held, false);
        if held {
            let endpoint = &self.connection.endpoint;
            self.connection.state.in_flight.fetch_sub(1, Relaxed);
            endpoint.member.load.fetch_sub(1, Relaxed);
            endpoint.stats.in_flight.fetch_sub(1, Relaxed);
        }
        held
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free();
    }
}
