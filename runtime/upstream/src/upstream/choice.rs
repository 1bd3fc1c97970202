//! Which endpoint a call goes to, and the wait for a place on one of its connections.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use smallvec::SmallVec;
use tidegate_telemetry::{clock, random};
use tidegate_traffic::balance::Ask;
use tokio::time::timeout_at;

use super::Shared;
use crate::{
    CallError, Kind,
    connection::Connection,
    endpoint::{Acquired, Endpoint, Slot, Unavailable, Waits},
    fleet::{Member, Roster},
    hints::Hints,
};

/// How long a call waits for an endpoint that was down when it was last tried: an endpoint that is back
/// answers within this, and its failure is told within 50 ms, with all that comes on top.
const WAIT_WHILE_DOWN: Duration = Duration::from_millis(40);

/// How long a call waits for the first connection of an endpoint, if there are others: what answers at all has
/// answered by then.
const WAIT_WHILE_CONNECTING: Duration = Duration::from_millis(250);

/// How long a call waits for endpoints that are looked for since the start.
const WAIT_FOR_FIRST: Duration = Duration::from_secs(1);

/// This worker's connections to the endpoints of a roster.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) roster: Arc<Roster>,
    /// In the order of the roster.
    pub(super) endpoints: Box<[Arc<Endpoint>]>,
}

// === impl Shared ===

impl Shared {
    /// A slot on one of the endpoints.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        avoid: Option<&Arc<Connection>>,
        deadline: Option<Instant>,
        hints: &Hints,
    ) -> Result<Slot, CallError> {
        if self.pools().endpoints.is_empty() {
            let patience = clock::now() + WAIT_FOR_FIRST;
            self.fleet.known(deadline.map_or(patience, |deadline| deadline.min(patience))).await;
        }
        let mut failed: SmallVec<[Arc<str>; 4]> = SmallVec::new();
        let mut error = None;
        while let Some((endpoint, last)) = self.choose(&failed, hints) {
            if !hints.may_go_to(&endpoint.name) {
                failed.push(Arc::clone(&endpoint.name));
                error.get_or_insert_with(|| CallError::not_sent_because(Kind::KeptAway));
                continue;
            }
            let reason = match endpoint.acquire(avoid, last) {
                Acquired::Slot(slot) => return Ok(slot),
                Acquired::Unavailable(reason) => reason,
                Acquired::Wait { slot, state } => {
                    self.keep();
                    let waiting = endpoint.waiting();
                    let outcome = wait(slot, patience(state, last), deadline).await?;
                    drop(waiting);
                    match outcome {
                        Ok(slot) => return Ok(slot),
                        Err(reason) => reason,
                    }
                }
            };
            failed.push(Arc::clone(&endpoint.name));
            error = Some(unavailable(reason).at(&endpoint.name));
        }
        self.fleet.failed();
        Err(error.unwrap_or_else(|| CallError::not_sent_because(Kind::Down(None))))
    }

    /// An endpoint that has not `failed`, if possible one that the request was not sent to before, and whether there is no
    /// other. The endpoints may be others each time.
    fn choose(&self, failed: &[Arc<str>], hints: &Hints) -> Option<(Arc<Endpoint>, bool)> {
        let pools = self.pools();
        let Pools { roster, endpoints } = &**pools;
        if let [only] = &**endpoints {
            // Nothing is known of it that another could do better.
            let fails = failed.iter().any(|failed| *failed == only.name);
            return (!fails).then(|| (Arc::clone(only), true));
        }
        let now = self.fleet.now();
        self.fleet.pass(now);
        let places = |what: &dyn Fn(&str) -> bool| -> SmallVec<[usize; 4]> {
            let all = endpoints.iter().enumerate();
            all.filter(|(_, endpoint)| what(&endpoint.name)).map(|(at, _)| at).collect()
        };
        let mut not = match (failed, hints.tried.is_empty()) {
            ([], true) => SmallVec::new(),
            _ => places(&|name| hints.tried.has(name) || failed.iter().any(|failed| **failed == *name)),
        };
        if !hints.tried.is_empty() && roster.table.used().iter().all(|at| not.contains(at)) {
            // Better one that was tried than none, or than one that is left alone.
            not = places(&|name| failed.iter().any(|failed| **failed == *name));
        }
        let last = not.len() + 1 >= endpoints.len();
        leave_to_trial(roster, &mut not);
        let policy = &self.fleet.config().balance;
        let members = roster.members();
        let ask = Ask { chance: random::u64(), place: hints.affinity, not: &not };
        let at = roster.table.pick(ask, |at| members[at].load(policy, now), || self.fleet.turn())?;
        Some((Arc::clone(&endpoints[at]), last))
    }

    /// The connections to the endpoints of the roster in force.
    pub(super) fn pools(&self) -> arc_swap::Guard<Arc<Pools>> {
        let pools = self.pools.load();
        if pools.roster.version == self.fleet.version() {
            return pools;
        }
        self.renew_pools();
        self.pools.load()
    }

    /// Keeps the connections to endpoints that are still there, and lets go of the others, which end what they have.
    pub(super) fn renew_pools(&self) {
        let _changing = self.changing.lock();
        let roster = self.fleet.roster();
        let before = self.pools.load();
        let known = |member: &Arc<Member>| {
            let of = before.endpoints.iter().find(|endpoint| Arc::ptr_eq(&endpoint.member, member));
            of.map_or_else(|| Endpoint::new(member, &self.fleet, &self.stats), Arc::clone)
        };
        let endpoints: Box<[_]> = roster.members().iter().map(known).collect();
        self.stats.set_endpoints(self.fleet.config(), endpoints.len());
        let gone =
            before.endpoints.iter().filter(|endpoint| endpoints.iter().all(|other| !Arc::ptr_eq(endpoint, other)));
        let gone: Vec<_> = gone.map(Arc::clone).collect();
        self.pools.store(Arc::new(Pools { roster, endpoints }));
        for endpoint in gone {
            endpoint.close();
        }
    }
}

/// Endpoints that are on trial and have a call get no other, as long as there is another endpoint. Two workers that ask in
/// the same moment may both find it free.
fn leave_to_trial(roster: &Roster, not: &mut SmallVec<[usize; 4]>) {
    let before = not.len();
    let busy = |at: &&usize| roster.members()[**at].load.load(Relaxed) > 0;
    not.extend(roster.on_trial.iter().filter(busy).copied());
    if not.len() > before && roster.table.used().iter().all(|at| not.contains(at)) {
        not.truncate(before);
    }
}

/// How long a call waits for an endpoint, if not for as long as it may: the `last` one has no other.
fn patience(waits: Waits, last: bool) -> Option<Duration> {
    match waits {
        Waits::Failing => Some(WAIT_WHILE_DOWN),
        Waits::Connection if !last => Some(WAIT_WHILE_CONNECTING),
        Waits::Connection | Waits::Stream => None,
    }
}

/// Waits for a slot until the deadline, or for less.
async fn wait(
    slot: tokio::sync::oneshot::Receiver<Result<Slot, Unavailable>>,
    patience: Option<Duration>,
    deadline: Option<Instant>,
) -> Result<Result<Slot, Unavailable>, CallError> {
    let patience = patience.map(|patience| clock::now() + patience);
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
