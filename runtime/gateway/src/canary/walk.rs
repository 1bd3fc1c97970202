//! A plan, walked by this process.

use super::counts::{Counts, Side};
use crate::config::{CanaryPlan, CanaryRule};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::canaries::{self, PlanFigures};
use tidegate_traffic::plan::{Command, Decision, Event, Phase, Plan, Sample, State};
use tidegate_traffic::{Share, Split};

/// Decisions that are kept to be shown.
const DECISIONS_MAX: usize = 50;

/// A plan and how far it has come: one for all workers, and for all configs that have it unchanged.
#[derive(Debug)]
pub struct Walk {
    name: String,
    route: String,
    rule: String,
    to: String,
    plan: Plan,
    split: Option<Split>,
    /// What workers read, in billionths.
    share: AtomicU32,
    canary: Counts,
    stable: Counts,
    walked: Mutex<Walked>,
}

#[derive(Debug)]
struct Walked {
    state: State,
    decisions: VecDeque<Decided>,
    /// Of all decisions, by their word.
    counts: BTreeMap<&'static str, u64>,
    /// Calls and errors of the canary and of the stable side, since the process began.
    totals: [(u64, u64); 2],
}

/// A decision and when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// When.
    pub at: SystemTime,
    /// What.
    pub decision: Decision,
}

/// A plan as it is shown.
#[derive(Clone, Debug)]
pub struct Report {
    /// The plan's name.
    pub name: String,
    /// The route's: a service or a path, with its host if it has one.
    pub route: String,
    /// The rule's.
    pub rule: String,
    /// The upstream that the canary is.
    pub to: String,
    /// Whether it goes on by itself.
    pub phase: Phase,
    /// The index of the step.
    pub step: usize,
    /// All steps.
    pub steps: Vec<Share>,
    /// The share now.
    pub share: Share,
    /// When it came to this step.
    pub entered: SystemTime,
    /// What it thinks of its canary, in a sentence; for one that was rolled back, why.
    pub standing: String,
    /// The canary's side in this step.
    pub canary: Figures,
    /// The stable side in this step.
    pub stable: Figures,
    /// The last decisions, the newest last.
    pub decisions: Vec<Decided>,
}

/// What a side did in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls that ended.
    pub calls: u64,
    /// Those that failed.
    pub errors: u64,
    /// The latency that 99 of 100 did not exceed.
    pub p99: Option<Duration>,
}

impl From<&Sample> for Figures {
    fn from(sample: &Sample) -> Self {
        Self { calls: sample.calls, errors: sample.errors, p99: sample.latencies.p99() }
    }
}

impl Walk {
    /// A plan at its first step.
    pub(super) fn new(route: &str, rule: &CanaryRule, plan: &CanaryPlan) -> Self {
        let state = State::begin(epoch());
        Self {
            name: plan.name.clone(),
            route: route.into(),
            rule: rule.name.clone(),
            to: rule.to.clone(),
            share: AtomicU32::new(plan.plan.share(&state).billionths()),
            plan: plan.plan.clone(),
            split: rule.rule.split.clone(),
            canary: Counts::new(),
            stable: Counts::new(),
            walked: Mutex::new(Walked {
                state,
                decisions: VecDeque::new(),
                counts: BTreeMap::new(),
                totals: [(0, 0); 2],
            }),
        }
    }

    /// The plan's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The share of the split now.
    #[must_use]
    pub fn share(&self) -> Share {
        Share::from_billionths(self.share.load(Ordering::Relaxed))
    }

    /// A state in which the plan begins now.
    #[must_use]
    pub fn beginning(&self) -> State {
        State::begin(epoch())
    }

    /// Whether the other one is the same plan for the same users of the same upstream.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let of = |walk: &Self| (walk.name.clone(), walk.to.clone(), walk.plan.clone(), walk.split.clone());
        of(self) == of(other)
    }

    pub(super) fn count(&self, side: Side, failed: bool, latency: Duration) {
        match side {
            Side::Canary => self.canary.add(failed, latency),
            Side::Stable => self.stable.add(failed, latency),
        }
    }

    /// Looks at what was counted since it looked last, and decides. To be called every second or more often; at
    /// once means within that time.
    pub fn look(&self) -> Option<Decision> {
        let (canary, stable) = self.take();
        self.step(Event::Observed { canary, stable })
    }

    /// Does what somebody wants, or says why not ([`Decision::Refused`]).
    pub fn command(&self, command: Command) -> Option<Decision> {
        self.step(Event::Command(command))
    }

    /// Takes what the canary and the stable side did since it was taken last.
    pub fn take(&self) -> (Sample, Sample) {
        let (canary, stable) = (self.canary.take(), self.stable.take());
        let mut walked = self.walked.lock();
        for (total, sample) in walked.totals.iter_mut().zip([&canary, &stable]) {
            *total = (total.0 + sample.calls, total.1 + sample.errors);
        }
        (canary, stable)
    }

    /// What comes of an event in a state, which need not be its own; changes nothing.
    #[must_use]
    pub fn next(&self, state: State, event: Event) -> (State, Option<Decision>) {
        self.plan.step(state, event, epoch())
    }

    /// Goes on from this state, which another gateway may have decided on; `decision` is what led to it, if that was
    /// decided here.
    pub fn adopt(&self, state: State, decision: Option<Decision>) {
        let mut walked = self.walked.lock();
        let is_news = decision.is_none() && state.revision != walked.state.revision;
        self.put(&mut walked, state, decision);
        if is_news {
            let (plan, to, phase) = (&*self.name, &*self.to, walked.state.phase);
            tracing::info!(plan, upstream = to, share = %self.share(), %phase, "canary moved by another gateway");
        }
    }

    fn step(&self, event: Event) -> Option<Decision> {
        let mut walked = self.walked.lock();
        let state = std::mem::replace(&mut walked.state, State::begin(Duration::ZERO));
        let (state, decision) = self.next(state, event);
        self.put(&mut walked, state, decision);
        decision
    }

    fn put(&self, walked: &mut Walked, state: State, decision: Option<Decision>) {
        self.share.store(self.plan.share(&state).billionths(), Ordering::Relaxed);
        walked.state = state;
        let Some(decision) = decision else { return };
        self.tell(&decision);
        *walked.counts.entry(decision.word()).or_default() += 1;
        if decision.changes() {
            if walked.decisions.len() == DECISIONS_MAX {
                walked.decisions.pop_front();
            }
            walked.decisions.push_back(Decided { at: clock::wall(), decision });
        }
    }

    fn tell(&self, decision: &Decision) {
        let (plan, route, to, share) = (&*self.name, &*self.route, &*self.to, self.share());
        match decision {
            Decision::RolledBack { .. } => {
                tracing::warn!(plan, route, upstream = to, %share, "canary {decision}");
            }
            _ => tracing::info!(plan, route, upstream = to, %share, "canary {decision}"),
        }
    }

    /// The plan as it is shown.
    #[must_use]
    pub fn report(&self) -> Report {
        let walked = self.walked.lock();
        let state = &walked.state;
        let standing = match (state.phase, state.failure) {
            (Phase::RolledBack, Some(failure)) => failure.to_string(),
            (Phase::Walking | Phase::Paused, _) => self.plan.standing(state, epoch()).to_string(),
            (phase, _) => phase.to_string(),
        };
        Report {
            name: self.name.clone(),
            route: self.route.clone(),
            rule: self.rule.clone(),
            to: self.to.clone(),
            phase: state.phase,
            step: state.step,
            steps: self.plan.steps().to_vec(),
            share: self.plan.share(state),
            entered: SystemTime::UNIX_EPOCH + state.entered,
            standing,
            canary: Figures::from(&state.canary),
            stable: Figures::from(&state.stable),
            decisions: walked.decisions.iter().copied().collect(),
        }
    }
}

impl canaries::Plan for Walk {
    fn name(&self) -> &str {
        &self.name
    }

    fn figures(&self) -> PlanFigures {
        let walked = self.walked.lock();
        let [(canary, canary_errors), (stable, stable_errors)] = walked.totals;
        PlanFigures {
            share: self.plan.share(&walked.state).ratio(),
            step: walked.state.step as u64 + 1,
            steps: self.plan.steps().len() as u64,
            phase: walked.state.phase.word(),
            calls: [
                ("canary", "ok", canary.saturating_sub(canary_errors)),
                ("canary", "error", canary_errors),
                ("stable", "ok", stable.saturating_sub(stable_errors)),
                ("stable", "error", stable_errors),
            ],
            decisions: walked.counts.iter().map(|(word, count)| (*word, *count)).collect(),
        }
    }
}

/// The clock of plans: wall time, which several gateways share.
fn epoch() -> Duration {
    clock::unix(clock::wall())
}
