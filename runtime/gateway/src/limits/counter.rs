//! What a limit counted: the state of its keys in this process, and how often it said what.

use super::top::{Refused, Top};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tidegate_limit::local::Store;
use tidegate_limit::rules::{Budget, KeyPart, Rule};
use tidegate_limit::{Algorithm, Ask, Decision, Key, Kind, Policy, Scale};
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::rate_limits::{Figures, RateLimit};

/// The counter of one limit: one for all workers, and for all configs in which the limit counts the same.
#[derive(Debug)]
pub struct Counter {
    name: String,
    /// What the hashes of its keys are made of.
    key: Vec<KeyPart>,
    kind: Kind,
    keys: usize,
    /// The name of its store; `None`: this process.
    shared: Option<String>,
    /// Some quota of its kind, to tell which keys have a state.
    any: Option<Policy>,
    origin: Instant,
    /// Made when it is first asked: a config that is only checked needs none.
    store: OnceLock<Store>,
    admitted: AtomicU64,
    refused: AtomicU64,
    shadow: AtomicU64,
    unanswered: AtomicU64,
    top: Top,
}

/// What is used of one budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The quota, as configured.
    pub algorithm: Algorithm,
    /// Units that would be admitted now.
    pub remaining: u64,
    /// Until it is whole again if nobody uses it.
    pub reset: Duration,
}

/// What is counted of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Admitted,
    Refused,
    /// It would have refused if it were enforced.
    Shadow,
    /// Its store did not answer: its failure policy did.
    Unanswered,
}

impl Counter {
    pub(super) fn new(rule: &Rule, origin: Instant) -> Self {
        let zero = AtomicU64::default;
        Self {
            name: rule.name().into(),
            key: rule.key().into(),
            kind: rule.algorithm().kind(),
            keys: if rule.store().is_some() { 0 } else { rule.keys() },
            shared: rule.store().map(str::to_owned),
            any: rule.algorithm().compile(Scale::Local).ok(),
            origin,
            store: OnceLock::new(),
            admitted: zero(),
            refused: zero(),
            shadow: zero(),
            unanswered: zero(),
            top: Top::default(),
        }
    }

    /// Whether its keys mean the same as those of another one.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let same = self.name == other.name && self.shared == other.shared && self.key == other.key;
        same && self.kind == other.kind && self.keys == other.keys
    }

    pub(super) fn store(&self) -> &Store {
        self.store.get_or_init(|| Store::new(self.kind, self.keys))
    }

    pub(super) fn count(&self, said: Said) {
        let count = match said {
            Said::Admitted => &self.admitted,
            Said::Refused => &self.refused,
            Said::Shadow => &self.shadow,
            Said::Unanswered => &self.unanswered,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes whom it refused.
    pub(super) fn refused(&self, key: Key, text: impl FnOnce() -> String) {
        self.top.add(key, text);
    }

    /// The keys that it refused, or would have, most: at most 32 of them, the first the most.
    #[must_use]
    pub fn top(&self) -> Vec<Refused> {
        self.top.list()
    }

    pub(super) fn usage(&self, budget: &Budget<'_>) -> Usage {
        // Nothing is taken.
        let Decision { remaining, reset, .. } =
            self.store().decide(budget.key, self.now(), budget.policy, Ask::check(0));
        Usage { algorithm: *budget.algorithm, remaining, reset }
    }

    pub(super) fn reset(&self, budget: &Budget<'_>) {
        self.store().reset(budget.key, self.now(), budget.policy);
    }

    fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.origin)
    }
}

impl RateLimit for Counter {
    fn name(&self) -> &str {
        &self.name
    }

    fn figures(&self) -> Figures {
        let store = self.store.get();
        let live = store.zip(self.any.as_ref()).map(|(store, policy)| store.live(self.now(), policy));
        Figures {
            admitted: self.admitted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            shadow: self.shadow.load(Ordering::Relaxed),
            unanswered: self.unanswered.load(Ordering::Relaxed),
            keys: live.unwrap_or_default() as u64,
            most_keys: self.keys as u64,
            crowded: store.map_or(0, Store::crowded),
        }
    }
}
