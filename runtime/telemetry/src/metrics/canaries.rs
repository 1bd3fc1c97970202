//! Which rule of a canary took the requests of a route, and how far plans have come.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{family, living::Living};
use crate::shard;

/// The label of the requests that no rule took.
pub const NO_RULE: &str = "(none)";

/// A plan that can say how far it has come. Implemented by whoever walks it.
pub trait Plan: fmt::Debug + Send + Sync + 'static {
    /// The plan's name.
    fn name(&self) -> &str;

    /// The figures of this moment.
    fn figures(&self) -> PlanFigures;
}

/// How far a plan has come. Counts only grow while the process lives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanFigures {
    /// The share of its split, from 0 to 1.
    pub share: f64,
    /// The step, from 1.
    pub step: u64,
    /// How many steps there are.
    pub steps: u64,
    /// Its phase, in a word.
    pub phase: &'static str,
    /// What this gateway has to do with it, in a word.
    pub role: &'static str,
    /// Calls that ended, by side and outcome.
    pub calls: [(&'static str, &'static str, u64); 4],
    /// What was decided, by its word.
    pub decisions: Vec<(&'static str, u64)>,
}

/// The canaries of the process.
#[derive(Debug)]
pub(super) struct Canaries {
    shards: usize,
    rules: Mutex<Vec<Weak<Rule>>>,
    plans: Living<dyn Plan>,
}

/// The counter of one rule.
#[derive(Debug)]
pub struct Rule {
    route: Box<str>,
    rule: Box<str>,
    upstream: Box<str>,
    taken: shard::Sum,
}

// === impl Canaries ===

impl Canaries {
    pub(super) fn new(shards: usize) -> Self {
        Self { shards, rules: Mutex::default(), plans: Living::default() }
    }

    pub(super) fn rule(&self, route: &str, rule: &str, upstream: &str) -> Arc<Rule> {
        let mut rules = self.rules.lock();
        rules.retain(|rule| rule.strong_count() > 0);
        let same = |known: &Arc<Rule>| *known.route == *route && *known.rule == *rule && *known.upstream == *upstream;
        rules.iter().filter_map(Weak::upgrade).find(same).unwrap_or_else(|| {
            let taken = shard::Sum::new(self.shards);
            let rule = Arc::new(Rule { route: route.into(), rule: rule.into(), upstream: upstream.into(), taken });
            rules.push(Arc::downgrade(&rule));
            rule
        })
    }

    pub(super) fn register<P: Plan>(&self, plan: &Arc<P>) {
        let new: Weak<P> = Arc::downgrade(plan);
        self.plans.replace(new, |known| known.name() == plan.name());
    }
}

impl Collector for Canaries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let rules: Vec<Arc<Rule>> = self.rules.lock().iter().filter_map(Weak::upgrade).collect();
        family::counters(
            encoder,
            ("canary_requests", "Requests of routes with canary rules, by the rule that took them."),
            rules.iter().map(|rule| {
                let labels = [("route", &*rule.route), ("rule", &*rule.rule), ("upstream", &*rule.upstream)];
                (labels, u64::try_from(rule.taken.get()).unwrap_or(0))
            }),
        )?;
        let plans = self.plans.all();
        let figures: Vec<(&str, PlanFigures)> = plans.iter().map(|plan| (plan.name(), plan.figures())).collect();
        encode_plans(encoder, &figures)
    }
}

fn encode_plans(encoder: &mut DescriptorEncoder<'_>, figures: &[(&str, PlanFigures)]) -> fmt::Result {
    let name = ("canary_plan_share", "The share of a plan's split, from 0 to 1.");
    let mut family = encoder.encode_descriptor(name.0, name.1, None, prometheus_client::metrics::MetricType::Gauge)?;
    for (plan, figures) in figures {
        family.encode_family(&[("plan", *plan)])?.encode_gauge(&figures.share)?;
    }
    let level = family::level;
    let steps = figures.iter().map(|(plan, figures)| ([("plan", *plan)], level(figures.step)));
    family::gauges(encoder, ("canary_plan_step", "The step of a plan, from 1."), steps)?;
    let steps = figures.iter().map(|(plan, figures)| ([("plan", *plan)], level(figures.steps)));
    family::gauges(encoder, ("canary_plan_steps", "How many steps a plan has."), steps)?;
    let phases = figures.iter().map(|(plan, figures)| ([("plan", *plan), ("phase", figures.phase)], 1));
    family::gauges(encoder, ("canary_plan_phase", "1 for the phase that a plan is in."), phases)?;
    let roles = figures.iter().map(|(plan, figures)| ([("plan", *plan), ("role", figures.role)], 1));
    let help = "1 for what this gateway has to do with a plan: alone, leads, follows, cut_off.";
    family::gauges(encoder, ("canary_plan_role", help), roles)?;
    let calls = figures.iter().flat_map(|(plan, figures)| {
        let labels = |side, outcome| [("plan", *plan), ("side", side), ("outcome", outcome)];
        figures.calls.iter().map(move |(side, outcome, count)| (labels(*side, *outcome), *count))
    });
    family::counters(encoder, ("canary_plan_calls", "Calls that a plan counted, by side and outcome."), calls)?;
    let decisions = figures.iter().flat_map(|(plan, figures)| {
        figures.decisions.iter().map(move |(decision, count)| ([("plan", *plan), ("decision", *decision)], *count))
    });
    family::counters(encoder, ("canary_plan_decisions", "What a plan decided."), decisions)
}

// === impl Rule ===

impl Rule {
    /// Counts a request that this rule took.
    pub fn took(&self) {
        self.taken.add(1);
    }

    /// How many it took.
    #[must_use]
    pub fn taken(&self) -> u64 {
        u64::try_from(self.taken.get()).unwrap_or(0)
    }
}
