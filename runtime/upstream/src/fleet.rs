//! The endpoints of an upstream, as the whole process knows them.
//!
//! Workers have connections of their own; who is well, how busy and how quick each endpoint is, and which are left alone
//! is one for all of them. A call costs a few atomic operations here; a lock is taken when an endpoint comes, goes,
//! falls ill or is well again.

mod member;
mod roster;
mod seat;
mod view;

pub use view::{EndpointState, View};

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tidegate_telemetry::{clock, random};
use tidegate_traffic::{
    health::Health,
    outlier::{self, Outcome, Record, Sign, Trial, Why},
};
use tokio::sync::watch;

pub(crate) use self::{member::Member, roster::Roster};
use self::{roster::Built, seat::Seat};
use crate::{Config, Endpoint, config::Discovery, discovery::Hurry};

/// What an endpoint on trial has at least, for its calls to end.
const TRIAL_MIN: Duration = Duration::from_secs(10);

/// Nothing is due.
const NEVER: u64 = u64::MAX;

/// The endpoints of one upstream. One for all workers, and for all configs that have the upstream.
pub struct Fleet {
    config: Arc<Config>,
    /// From when its machines count time.
    origin: Instant,
    roster: ArcSwap<Roster>,
    /// That of the roster; read for every call.
    version: AtomicU64,
    /// When something changes by the passing of time, in nanoseconds since the origin.
    due: AtomicU64,
    /// Turns taken.
    turn: AtomicU64,
    seats: Mutex<Seats>,
    /// Whether endpoints are known; tells of every roster.
    changes: watch::Sender<Known>,
    hurry: Hurry,
}

/// What is known of the endpoints as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) version: u64,
    /// They are listed, or were found once.
    pub(crate) found: bool,
}

#[derive(Debug, Default)]
struct Seats {
    all: Vec<Seat>,
    /// Those that are gone and have calls in flight.
    leaving: Vec<Arc<Member>>,
    /// When success rates and latencies are looked at next.
    judge_at: Duration,
    /// What an endpoint is measured by that comes back: what the others did when they were looked at last.
    usual: Trial,
    found: bool,
    panicking: bool,
    /// Why endpoints cannot be found at present.
    lost: Option<Arc<str>>,
}

// === impl Fleet ===

impl Fleet {
    /// The endpoints that a config lists, about which nothing is known; none if they are to be found.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>) -> Arc<Self> {
        Self::build(config.into(), clock::now(), |_, _| {})
    }

    /// The endpoints of a config that follows another one: what is known of an address stays.
    #[must_use]
    pub fn after(config: impl Into<Arc<Config>>, before: &Self) -> Arc<Self> {
        let config = config.into();
        Self::build(config, before.origin, |config, seats| {
            let known = before.seats.lock();
            seats.leaving.clone_from(&known.leaving);
            if config.discovery.is_some() && config.discovery == before.config.discovery {
                seats.all = known.all.iter().map(|seat| seat.taken_over(config)).collect();
                seats.found = known.found;
                seats.lost.clone_from(&known.lost);
                return;
            }
            let now = before.now();
            for seat in &mut seats.all {
                match known.all.iter().find(|known| known.member.name == seat.member.name) {
                    Some(known) => *seat = Seat { weight: seat.weight, ..known.taken_over(config) },
                    None => seat.added = Some(now),
                }
            }
            let gone =
                known.all.iter().filter(|known| seats.all.iter().all(|seat| seat.member.name != known.member.name));
            seats.leaving.extend(gone.map(|seat| Arc::clone(&seat.member)));
        })
    }

    fn build(config: Arc<Config>, origin: Instant, fill: impl FnOnce(&Config, &mut Seats)) -> Arc<Self> {
        let listed = config.endpoints.iter().enumerate();
        let mut seats = Seats {
            all: listed.map(|(at, address)| Seat::new(Member::new(address), config.weight(at))).collect(),
            found: config.discovery.is_none(),
            ..Seats::default()
        };
        fill(&config, &mut seats);
        let fleet = Arc::new(Self {
            config,
            origin,
            roster: ArcSwap::from_pointee(Roster::default()),
            version: AtomicU64::new(0),
            due: AtomicU64::new(NEVER),
            turn: AtomicU64::new(0),
            seats: Mutex::default(),
            changes: watch::Sender::default(),
            hurry: Hurry::default(),
        });
        let now = fleet.now();
        seats.judge_at = now + fleet.config.outlier.map_or(Duration::ZERO, |settings| settings.interval);
        fleet.publish(&mut seats, now);
        *fleet.seats.lock() = seats;
        fleet
    }

    /// What it is made from.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Where its endpoints are found, if they are not listed.
    #[must_use]
    pub fn discovery(&self) -> Option<&Discovery> {
        self.config.discovery.as_ref()
    }

    /// These are the endpoints now, with their weights: what was found, all of it. Those that are gone end what they have.
    pub fn found(&self, endpoints: &[(Endpoint, u32)]) {
        let now = self.now();
        let mut seats = self.seats.lock();
        let mut before = std::mem::take(&mut seats.all);
        let first = !std::mem::replace(&mut seats.found, true);
        seats.lost = None;
        let mut came = Vec::new();
        for (address, weight) in endpoints {
            let name = address.to_string();
            if seats.all.iter().any(|seat| *seat.member.name == *name) {
                continue;
            }
            let seat = match before.iter().position(|seat| *seat.member.name == *name) {
                Some(at) => Seat { weight: *weight, ..before.swap_remove(at) },
                None => {
                    let back = seats.leaving.iter().position(|member| *member.name == *name);
                    let back = back.map(|at| seats.leaving.swap_remove(at));
                    let added = (!first).then_some(now);
                    came.push(name);
                    Seat { added, ..Seat::new(back.unwrap_or_else(|| Member::new(address)), *weight) }
                }
            };
            seats.all.push(seat);
        }
        let gone: Vec<String> = before.iter().map(|seat| seat.member.name.to_string()).collect();
        seats.leaving.extend(before.into_iter().map(|seat| seat.member));
        if !came.is_empty() || !gone.is_empty() {
            let (came, gone, all) = (some(&came), some(&gone), seats.all.len());
            tracing::info!(upstream = self.config.name, endpoints = all, came, gone, "endpoints have changed");
        }
        self.publish(&mut seats, now);
    }

    /// Endpoints cannot be found at present; those that were found last stay.
    pub fn lost(&self, why: &str) {
        let mut seats = self.seats.lock();
        if seats.lost.as_deref() != Some(why) {
            let endpoints = seats.all.len();
            tracing::warn!(
                upstream = self.config.name,
                endpoints,
                "cannot look for endpoints, those known stay: {why}"
            );
            seats.lost = Some(why.into());
        }
    }

    /// A check of the endpoint at this address has ended: well, or why not.
    pub(crate) fn checked(&self, member: &Arc<Member>, answer: Result<(), String>) {
        let Some(check) = &self.config.health else { return };
        let now = self.now();
        let mut seats = self.seats.lock();
        let Some(seat) = seats.all.iter_mut().find(|seat| Arc::ptr_eq(&seat.member, member)) else { return };
        let was = seat.checks.health();
        let change = seat.checks.step(&check.settings, answer.is_ok());
        seat.ill = answer.err().map(Into::into);
        let Some(health) = change else { return };
        let (upstream, endpoint) = (&*self.config.name, &*member.name);
        match (health, &seat.ill) {
            (Health::Unhealthy, why) => {
                tracing::warn!(upstream, endpoint, "endpoint is unhealthy: {}", why.as_deref().unwrap_or(""));
            }
            _ if was == Health::Unhealthy => {
                tracing::info!(upstream, endpoint, "endpoint is healthy again");
                seat.recovered(now);
            }
            _ => {}
        }
        self.publish(&mut seats, now);
    }

    /// A call of an endpoint has ended.
    pub(crate) fn tell(&self, member: &Arc<Member>, outcome: Outcome, took: Option<Duration>) {
        if outcome != Outcome::Fine {
            member.failures.fetch_add(1, Relaxed);
        }
        let Some(settings) = &self.config.outlier else { return };
        if let Some(sign) = member.tally.add(settings, outcome, took) {
            let mut seats = self.seats.lock();
            let Some(at) = seats.all.iter().position(|seat| Arc::ptr_eq(&seat.member, member)) else { return };
            let now = self.now();
            let changed = match sign {
                Sign::Eject(why) => self.eject(&mut seats, settings, at, &why, now),
                Sign::Passed => false,
            };
            if self.tried(&mut seats.all[at], now) || changed {
                self.publish(&mut seats, now);
            }
        }
    }

    /// Ends the trial of an endpoint if it is over. Says whether it was.
    fn tried(&self, seat: &mut Seat, now: Duration) -> bool {
        let over = seat.tried(now);
        if over {
            let (upstream, endpoint) = (&*self.config.name, &*seat.member.name);
            tracing::info!(upstream, endpoint, "endpoint is used again: it has passed its trial");
        }
        over
    }

    /// Told when no endpoint can be connected to.
    pub(crate) fn hurry(&self) -> Hurry {
        Arc::clone(&self.hurry)
    }

    /// No endpoint could be connected to.
    pub(crate) fn failed(&self) {
        if self.config.discovery.is_some() {
            self.hurry.notify_one();
        }
    }

    /// Waits until endpoints are known, if they are still to be found for the first time.
    pub(crate) async fn known(&self, until: Instant) {
        let mut changes = self.changes();
        let known = changes.wait_for(|known| known.found);
        let _ = tokio::time::timeout_at(until.into(), known).await;
    }

    /// The time of its machines.
    pub(crate) fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.origin)
    }

    /// A turn of those that take turns.
    pub(crate) fn turn(&self) -> u64 {
        self.turn.fetch_add(1, Relaxed)
    }

    /// That of the roster in force.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Acquire)
    }

    /// The endpoints that take calls.
    pub(crate) fn roster(&self) -> Arc<Roster> {
        self.roster.load_full()
    }

    /// Tells of every roster.
    pub(crate) fn changes(&self) -> watch::Receiver<Known> {
        self.changes.subscribe()
    }

    /// Does what is due by now. Costs an atomic read if nothing is.
    pub(crate) fn pass(&self, now: Duration) {
        if self.due.load(Relaxed) <= nanos(now)
            && let Some(mut seats) = self.seats.try_lock()
        {
            self.look(&mut seats, now);
        }
    }

    /// Ends ejections, judges, lets weights grow.
    fn look(&self, seats: &mut Seats, now: Duration) {
        let (usual, ejection) = (seats.usual, self.config.outlier.map_or(Duration::ZERO, |settings| settings.ejection));
        for seat in &mut seats.all {
            self.tried(seat, now);
            if seat.record.release(now) {
                seat.returned(usual, now + ejection.max(TRIAL_MIN));
                let (upstream, endpoint) = (&*self.config.name, &*seat.member.name);
                tracing::info!(upstream, endpoint, "endpoint is on trial: the time of its ejection is over");
            }
        }
        if let Some(settings) = self.config.outlier.filter(|settings| settings.has_intervals() && now >= seats.judge_at)
        {
            seats.judge_at = now + settings.interval;
            let samples: Vec<_> = seats.all.iter().map(|seat| seat.member.tally.take()).collect();
            let well = seats.all.iter().zip(&samples).filter(|(seat, _)| seat.trial.is_none());
            seats.usual = Trial::beside(&well.map(|(_, sample)| *sample).collect::<Vec<_>>());
            for (at, why) in outlier::judge(&settings, &samples) {
                self.eject(seats, &settings, at, &why, now);
            }
        }
        self.publish(seats, now);
    }

    fn eject(&self, seats: &mut Seats, settings: &outlier::Settings, at: usize, why: &Why, now: Duration) -> bool {
        let mut records: Vec<Record> = seats.all.iter().map(|seat| seat.record).collect();
        let Some(length) = settings.eject(&mut records, at, now, random::u64()) else { return false };
        let seat = &mut seats.all[at];
        seat.record = records[at];
        seat.ejected = Some(why.to_string().into());
        seat.others = if let Why::Slow { others, .. } = why { Some(*others) } else { None };
        seat.trial = None;
        seat.member.tally.end_trial();
        seat.member.ejections.fetch_add(1, Relaxed);
        let (upstream, endpoint) = (&*self.config.name, &*seat.member.name);
        let ejection_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(upstream, endpoint, ejection_ms, "endpoint is ejected: {why}");
        true
    }

    /// Puts a roster in force that says what the seats say.
    fn publish(&self, seats: &mut Seats, now: Duration) {
        seats.leaving.retain(|member| member.load.load(Relaxed) > 0);
        let current = self.roster.load();
        let built = Built::new(&self.config, &seats.all, now);
        let judged = seats.all.len() > 1 && self.config.outlier.is_some_and(|settings| settings.has_intervals());
        let due = built.due.into_iter().chain(judged.then_some(seats.judge_at)).min();
        self.due.store(due.map_or(NEVER, nanos), Relaxed);
        if current.built != built || !self.changes.borrow().found && seats.found {
            let roster = Roster::new(current.version + 1, &self.config, built);
            let panicking = roster.table.is_panicking();
            if std::mem::replace(&mut seats.panicking, panicking) != panicking {
                self.tell_panic(panicking);
            }
            let known = Known { version: roster.version, found: seats.found };
            self.roster.store(Arc::new(roster));
            self.version.fetch_max(known.version, AcqRel);
            self.changes.send_replace(known);
        }
    }

    fn tell_panic(&self, panicking: bool) {
        let upstream = &*self.config.name;
        if panicking {
            tracing::warn!(
                upstream,
                "fewer than half of the endpoints are usable: those that are ejected are used too"
            );
        } else {
            tracing::info!(upstream, "at least half of the endpoints are usable again");
        }
    }
}

/// For a line of the log.
fn some(names: &[String]) -> String {
    const MOST: usize = 8;
    let listed = names[..names.len().min(MOST)].join(" ");
    if names.len() > MOST { format!("{listed} and {} more", names.len() - MOST) } else { listed }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER - 1)
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").field("name", &self.config.name).field("roster", &self.roster).finish_non_exhaustive()
    }
}
