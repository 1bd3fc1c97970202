//! The canary rules of a route, compiled, and what they choose for one request.

mod counts;
mod report;
mod walk;

use crate::config::{CanaryRule, Config};
use counts::Side;
use std::sync::Arc;
use std::time::Duration;
use tidegate_telemetry::metrics::Metrics;
use tidegate_telemetry::metrics::canaries::{self, NO_RULE};
use tidegate_telemetry::random;
use tidegate_traffic::{Canary, RequestView, Share, Shares, Verdict};

pub use report::{Decided, Figures, Report, Role};
pub use walk::Walk;

/// The rules of one route.
#[derive(Debug)]
pub(crate) struct Rules {
    canary: Canary,
    /// By the index of the rule.
    targets: Vec<Target>,
    /// For the requests that no rule takes.
    stable: Target,
}

/// Where the requests of a rule go.
#[derive(Debug)]
struct Target {
    /// Index into [`Config::upstreams`].
    upstream: usize,
    name: Arc<str>,
    taken: Arc<canaries::Rule>,
    walk: Option<Arc<Walk>>,
}

/// What was chosen for a request.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    /// Index into [`Config::upstreams`].
    pub(crate) upstream: usize,
    /// The rule that took it.
    pub(crate) rule: Option<Arc<str>>,
    /// The plan that it counts for, and on which side.
    plan: Option<(Arc<Walk>, Side)>,
}

/// What a rule said of a request, for those who ask why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The rule's name.
    pub rule: String,
    /// The upstream that it leads to.
    pub to: String,
    /// Whether it takes the request.
    pub holds: bool,
    /// Why, or why not: goes on after the rule's name.
    pub why: String,
}

/// The shares of the plans of these targets.
struct Walked<'t>(&'t [Target]);

impl Shares for Walked<'_> {
    fn of(&self, rule: usize) -> Share {
        self.0[rule].walk.as_ref().map_or(Share::NONE, |walk| walk.share())
    }
}

// === impl Rules ===

impl Rules {
    /// The rules of a route of this name whose requests go to `stable` otherwise; `None` if it has none. A rule
    /// whose upstream is unknown is left out: the config was checked before.
    pub(crate) fn compile(
        route: &str,
        rules: &[CanaryRule],
        stable: usize,
        config: &Config,
        metrics: &Metrics,
    ) -> Option<Self> {
        if rules.is_empty() {
            return None;
        }
        let mut canary = Canary::default();
        let mut targets = Vec::new();
        for rule in rules {
            let Some(upstream) = config.upstreams.iter().position(|upstream| upstream.name == rule.to) else {
                continue;
            };
            let walk = rule.plan.as_ref().map(|plan| Walk::new(route, rule, plan));
            canary.rules.push(rule.rule.clone());
            targets.push(Target {
                upstream,
                name: (&*rule.name).into(),
                taken: metrics.canary_rule(route, &rule.name, &rule.to),
                walk: walk.map(Arc::new),
            });
        }
        let name = &config.upstreams[stable].name;
        let taken = metrics.canary_rule(route, NO_RULE, name);
        Some(Self { canary, targets, stable: Target { upstream: stable, name: NO_RULE.into(), taken, walk: None } })
    }

    /// Chooses for one request, and counts it.
    pub(crate) fn choose(&self, request: &RequestView<'_>) -> Chosen {
        let choice = self.canary.decide(request, random::u64(), &Walked(&self.targets));
        let plan_of = |rule: usize, side| self.targets[rule].walk.as_ref().map(|walk| (Arc::clone(walk), side));
        match choice.rule {
            Some(rule) => {
                let target = &self.targets[rule];
                target.taken.took();
                Chosen {
                    upstream: target.upstream,
                    rule: Some(Arc::clone(&target.name)),
                    plan: plan_of(rule, Side::Canary),
                }
            }
            None => {
                self.stable.taken.took();
                let plan = choice.beside.and_then(|rule| plan_of(rule, Side::Stable));
                Chosen { upstream: self.stable.upstream, rule: None, plan }
            }
        }
    }

    /// What each rule says of a request, up to the one that takes it. Counts nothing.
    pub(crate) fn explain(&self, request: &RequestView<'_>, config: &Config) -> Vec<Said> {
        let verdicts = self.canary.explain(request, random::u64(), &Walked(&self.targets));
        let said = |(target, verdict): (&Target, Verdict<'_>)| Said {
            rule: target.name.as_ref().into(),
            to: config.upstreams[target.upstream].name.clone(),
            holds: matches!(verdict, Verdict::Holds { .. }),
            why: verdict.to_string(),
        };
        self.targets.iter().zip(verdicts).map(said).collect()
    }

    /// The upstreams that its rules lead to; indices into [`Config::upstreams`].
    pub(crate) fn upstreams(&self) -> impl Iterator<Item = usize> {
        self.targets.iter().map(|target| target.upstream)
    }

    /// Its plans.
    pub(crate) fn walks(&self) -> impl Iterator<Item = &Arc<Walk>> {
        self.targets.iter().filter_map(|target| target.walk.as_ref())
    }

    /// Takes over the plans of before that are the same, with how far they have come.
    pub(crate) fn inherit(&mut self, before: &[Arc<Walk>]) {
        for walk in self.targets.iter_mut().filter_map(|target| target.walk.as_mut()) {
            if let Some(same) = before.iter().find(|before| before.is_same(walk)) {
                *walk = Arc::clone(same);
            }
        }
    }
}

// === impl Chosen ===

impl Chosen {
    /// Whether a plan counts the request.
    pub(crate) fn is_counted(&self) -> bool {
        self.plan.is_some()
    }

    /// The request's call ended.
    pub(crate) fn count(&self, failed: bool, latency: Duration) {
        if let Some((walk, side)) = &self.plan {
            walk.count(*side, failed, latency);
        }
    }
}
