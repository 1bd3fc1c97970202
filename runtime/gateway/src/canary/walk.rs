//! A plan, walked by this process, alone or together with others.

use super::counts::{Counts, Side};
use super::report::{Decided, Figures, Report, Role};
use crate::config::{CanaryPlan, CanaryRule};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::canaries::{self, PlanFigures};
use tidegate_traffic::apart::Apart;
use tidegate_traffic::plan::{Command, Decision, Event, Phase, Plan, Sample, State, key};
use tidegate_traffic::ports::Seen;
use tidegate_traffic::together::{self, Round, Writing};
use tidegate_traffic::{Share, Split};

/// Decisions that are kept to be shown.
const DECISIONS_MAX: usize = 50;

/// A plan and how far it has come: one for all workers, and for all configs that have it unchanged.
#[derive(Debug)]
pub struct Walk {
    name: String,
    key: String,
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
    role: Role,
    /// What was seen while the others could not be reached.
    apart: Apart,
    decisions: VecDeque<Decided>,
    /// Of all decisions, by their word.
    counts: BTreeMap<&'static str, u64>,
    /// Calls and errors of the canary and of the stable side, since the process began.
    totals: [(u64, u64); 2],
}

impl Walk {
    /// A plan at its first step.
    pub(super) fn new(route: &str, rule: &CanaryRule, plan: &CanaryPlan) -> Self {
        let state = State::begin(epoch());
        Self {
            name: plan.name.clone(),
            key: key(&plan.name, &rule.to, &plan.plan, rule.rule.split.as_ref()),
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
                role: Role::Starting,
                apart: Apart::default(),
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

    /// The plan's name where it is kept: see [`key`].
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How far it has come.
    #[must_use]
    pub fn state(&self) -> State {
        self.walked.lock().state.clone()
    }

    /// What this gateway has to do with it.
    #[must_use]
    pub fn role(&self) -> Role {
        self.walked.lock().role.clone()
    }

    /// What this gateway has to do with it from now on.
    pub fn set_role(&self, role: Role) {
        let before = std::mem::replace(&mut self.walked.lock().role, role.clone());
        if before == role {
            return;
        }
        let plan = &*self.name;
        match role {
            Role::Leads => tracing::info!(plan, "this gateway decides about the canary"),
            Role::Follows(leader) => tracing::info!(plan, leader, "another gateway decides about the canary"),
            // The reason is known to whoever says so.
            Role::Starting | Role::Alone | Role::CutOff => {}
        }
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
        self.set_role(Role::Alone);
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

    /// This gateway's part in a round of all that walk the plan, who have this on the board. Takes what was
    /// counted.
    #[must_use]
    pub fn round(&self, seen: &Seen) -> Round {
        let fresh = self.take();
        let mut walked = self.walked.lock();
        let fresh = walked.apart.back(fresh);
        let round = together::round(&self.plan, &walked.state, seen, fresh, epoch());
        if walked.apart.rounded(seen, &round.then) {
            self.publish(&walked);
            let (plan, share) = (&*self.name, self.share());
            tracing::info!(plan, %share, "the canary goes on here as the gateways decide that see all of it");
        }
        round
    }

    /// The others cannot be reached. The plan stays where it is, but a canary that fails by what is known here gets
    /// nothing from this gateway until they can.
    pub fn cut_off(&self) {
        self.set_role(Role::CutOff);
        let (canary, stable) = self.take();
        let mut walked = self.walked.lock();
        let walked = &mut *walked;
        let Some(failure) = walked.apart.keep(&self.plan, &walked.state, (&canary, &stable), epoch()) else { return };
        self.publish(walked);
        let (plan, route, to, reason) = (&*self.name, &*self.route, &*self.to, failure.to_string());
        tracing::warn!(
            plan,
            route,
            upstream = to,
            reason,
            "canary halted here until the other gateways can be reached"
        );
    }

    /// What a command makes of what is on the board. Changes nothing.
    #[must_use]
    pub fn ordered(&self, seen: &Seen, command: Command) -> Writing {
        together::ordered(&self.plan, &self.state(), seen, command, epoch())
    }

    /// Goes on from a state that this gateway decided on; `decision` is what led to it, if anything was decided.
    pub fn adopt(&self, state: State, decision: Option<Decision>) {
        self.turn_page(&state);
        let mut walked = self.walked.lock();
        self.put(&mut walked, state, decision);
    }

    /// Goes on from a state that the gateway of this name decided on.
    pub fn follow(&self, state: State, by: &str) {
        self.turn_page(&state);
        let mut walked = self.walked.lock();
        let decision = self.plan.between(&walked.state, &state);
        self.put(&mut walked, state, None);
        if let Some(decision) = decision {
            self.tell(&decision, Some(by));
            walked.remember(Decided { at: clock::wall(), decision, by: Some(by.to_owned()) });
        }
    }

    /// Goes on from a state that was kept, if nothing was decided yet. `until` is when it was kept, in time since the
    /// Unix epoch: no step was held since then.
    pub fn resume(&self, mut state: State, until: Duration) {
        let now = epoch();
        state.entered = now.min(state.entered + now.saturating_sub(until));
        let mut walked = self.walked.lock();
        if walked.state.revision == 0 {
            let (plan, phase, share) = (&*self.name, state.phase, self.plan.share(&state));
            tracing::info!(plan, %phase, %share, "canary goes on where it was");
            self.put(&mut walked, state, None);
        }
    }

    /// Of what was counted under another state nothing is left: it belongs to another step.
    fn turn_page(&self, state: &State) {
        if self.state().revision != state.revision {
            self.take();
        }
    }

    fn step(&self, event: Event) -> Option<Decision> {
        let mut walked = self.walked.lock();
        let state = std::mem::replace(&mut walked.state, State::begin(Duration::ZERO));
        let (state, decision) = self.plan.step(state, event, epoch());
        self.put(&mut walked, state, decision);
        decision
    }

    fn put(&self, walked: &mut Walked, state: State, decision: Option<Decision>) {
        if walked.state.revision != state.revision {
            walked.apart.turn_page();
        }
        walked.state = state;
        self.publish(walked);
        let Some(decision) = decision else { return };
        self.tell(&decision, None);
        *walked.counts.entry(decision.word()).or_default() += 1;
        if decision.changes() {
            walked.remember(Decided { at: clock::wall(), decision, by: None });
        }
    }

    /// From here on requests are split so.
    fn publish(&self, walked: &Walked) {
        self.share.store(self.share_of(walked).billionths(), Ordering::Relaxed);
    }

    fn share_of(&self, walked: &Walked) -> Share {
        walked.apart.halted().map_or_else(|| self.plan.share(&walked.state), |_| Share::NONE)
    }

    fn tell(&self, decision: &Decision, by: Option<&str>) {
        let (plan, route, to, share) = (&*self.name, &*self.route, &*self.to, self.share());
        match decision {
            Decision::RolledBack { .. } => {
                tracing::warn!(plan, route, upstream = to, %share, by, "canary {decision}");
            }
            _ => tracing::info!(plan, route, upstream = to, %share, by, "canary {decision}"),
        }
    }

    /// The plan as it is shown.
    #[must_use]
    pub fn report(&self) -> Report {
        let walked = self.walked.lock();
        let state = &walked.state;
        let standing = match (state.phase, state.failure) {
            (Phase::RolledBack, Some(failure)) => failure.to_string(),
            (Phase::Walking | Phase::Paused, _) => match (walked.apart.halted(), &walked.role) {
                (Some(failure), _) => format!("halted here, as the other gateways could not be reached: {failure}"),
                (None, Role::CutOff) => "the other gateways cannot be reached: it stays where it is".to_owned(),
                (None, _) => self.plan.standing(state, epoch()).to_string(),
            },
            (phase, _) => phase.to_string(),
        };
        Report {
            name: self.name.clone(),
            route: self.route.clone(),
            rule: self.rule.clone(),
            to: self.to.clone(),
            role: walked.role.clone(),
            phase: state.phase,
            step: state.step,
            steps: self.plan.steps().to_vec(),
            share: self.share_of(&walked),
            entered: SystemTime::UNIX_EPOCH + state.entered,
            standing,
            canary: Figures::from(&state.canary),
            stable: Figures::from(&state.stable),
            decisions: walked.decisions.iter().cloned().collect(),
        }
    }
}

impl Walked {
    fn remember(&mut self, decided: Decided) {
        if self.decisions.len() == DECISIONS_MAX {
            self.decisions.pop_front();
        }
        self.decisions.push_back(decided);
    }
}

impl canaries::Plan for Walk {
    fn name(&self) -> &str {
        &self.name
    }

    fn figures(&self) -> PlanFigures {
        let walked = self.walked.lock();
        let waiting = [self.canary.waiting(), self.stable.waiting()];
        let [(canary, canary_errors), (stable, stable_errors)] =
            [0, 1].map(|side| (walked.totals[side].0 + waiting[side].0, walked.totals[side].1 + waiting[side].1));
        PlanFigures {
            share: self.share_of(&walked).ratio(),
            step: walked.state.step as u64 + 1,
            steps: self.plan.steps().len() as u64,
            phase: walked.state.phase.word(),
            role: walked.role.word(),
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
