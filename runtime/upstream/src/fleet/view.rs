//! What is shown of the endpoints.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use tidegate_telemetry::{
    clock,
    metrics::endpoints::{self, Figures},
};
use tidegate_traffic::{balance::STEPS, balance::SlowStart, health::Health};

use super::{Fleet, Member, Seat};

/// The endpoints of an upstream at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The upstream.
    pub upstream: String,
    /// How one is chosen, as the config calls it.
    pub balance: &'static str,
    /// Fewer than half of them are usable, so that ejected ones are used too.
    pub panicking: bool,
    /// Why they cannot be looked for at present; those that were found last stay.
    pub lost: Option<Arc<str>>,
    /// In the order of the config, or as they were found; those that leave last.
    pub endpoints: Vec<EndpointState>,
}

/// An endpoint at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointState {
    /// Where it is.
    pub address: Arc<str>,
    /// In a word: `healthy`, `unknown` (not checked, or not yet), `unhealthy`, `ejected`, `returning` (on trial), `unreachable` or
    /// `leaving`.
    pub state: &'static str,
    /// Why it is not used, if it is not.
    pub why: Option<String>,
    /// Its weight, as it is configured or was found.
    pub weight: u32,
    /// How much of its weight counts, in tenths: fewer than ten while it starts slowly.
    pub tenths: u32,
    /// Calls that have not ended, of all workers.
    pub in_flight: u32,
    /// Connections of all workers.
    pub connections: u64,
    /// The average of the time to the first byte of replies, long ones before short ones; `None` before the first reply.
    pub latency: Option<Duration>,
    /// Until when it is left alone, if it is ejected.
    pub ejected_until: Option<SystemTime>,
    /// Calls so far.
    pub requests: u64,
    /// Those of them that failed by its fault.
    pub failures: u64,
    /// Ejections so far.
    pub ejections: u64,
}

impl Fleet {
    /// The endpoints at this moment.
    #[must_use]
    pub fn view(&self) -> View {
        let now = self.now();
        let mut seats = self.seats.lock();
        self.look(&mut seats, now);
        let leaving = seats.leaving.iter().map(|member| left(member));
        View {
            upstream: self.config.name.clone(),
            balance: self.config.balance.word(),
            panicking: seats.panicking,
            lost: seats.lost.clone(),
            endpoints: seats.all.iter().map(|seat| self.seen(seat, now)).chain(leaving).collect(),
        }
    }

    fn seen(&self, seat: &Seat, now: Duration) -> EndpointState {
        let health = seat.checks.health();
        let unreachable = seat.member.unreachable.lock().as_ref().map(|error| crate::error::chain(&**error));
        let text = |why: &Option<Arc<str>>| why.as_deref().map(str::to_owned);
        let (state, why) = match (health, seat.record.until, unreachable) {
            (Health::Unhealthy, ..) => (health.word(), text(&seat.ill)),
            (_, Some(_), _) => ("ejected", text(&seat.ejected)),
            (_, _, Some(why)) => ("unreachable", Some(why)),
            _ if seat.trial.is_some() => ("returning", text(&seat.ejected)),
            _ => (health.word(), None),
        };
        let start = SlowStart { window: self.config.slow_start };
        let until = seat.record.until.map(|until| clock::wall() + until.saturating_sub(now));
        EndpointState {
            weight: seat.weight,
            tenths: seat.added.map_or(STEPS, |added| start.tenths(now.saturating_sub(added))),
            ejected_until: until,
            ..figures(&seat.member, state, why)
        }
    }
}

fn left(member: &Member) -> EndpointState {
    figures(member, "leaving", Some("it is not among the endpoints any more, and ends what it has".into()))
}

fn figures(member: &Member, state: &'static str, why: Option<String>) -> EndpointState {
    EndpointState {
        address: Arc::clone(&member.name),
        state,
        why,
        weight: 0,
        tenths: STEPS,
        in_flight: member.load.load(Relaxed),
        connections: member.connections.load(Relaxed),
        latency: member.ewma().latency(),
        ejected_until: None,
        requests: member.requests.load(Relaxed),
        failures: member.failures.load(Relaxed),
        ejections: member.ejections.load(Relaxed),
    }
}

impl endpoints::Fleet for Fleet {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn endpoints(&self) -> Vec<Figures> {
        let all = self.view().endpoints.into_iter();
        let figures = |state: EndpointState| Figures {
            address: state.address.to_string(),
            state: state.state,
            in_flight: state.in_flight.into(),
            requests: state.requests,
            failures: state.failures,
            ejections: state.ejections,
            latency_us: state.latency.map_or(0, |took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
        };
        all.map(figures).collect()
    }
}
