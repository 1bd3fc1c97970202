//! From limits that are written in code to limits that can be asked.

use super::{Bound, Counts, Limiter, Place, Shared, Trust};
use crate::clock::LateClock;
use crate::random;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use tidegate_limit::ports::SharedLimits;
use tidegate_limit::rules::{Context, Limit, Rule, Rules};
use tidegate_limit::{Algorithm, Keys, local};

/// Makes a [`Limiter`].
#[derive(Default)]
pub struct LimiterBuilder {
    limits: Vec<Limit>,
    stores: HashMap<String, Known>,
    trust: Option<Trust>,
    tells_always: bool,
}

/// A store that limits may name.
struct Known {
    store: Arc<dyn SharedLimits>,
    secret: String,
    nodes: u64,
}

/// Why limits cannot be: every problem of every limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimiterError {
    problems: Vec<String>,
}

impl LimiterError {
    /// In words, each with the name of its limit.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for LimiterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("; "))
    }
}

impl std::error::Error for LimiterError {}

// === impl LimiterBuilder ===

impl LimiterBuilder {
    /// One limit more. A request is asked about all of them, in this order.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limits.push(limit);
        self
    }

    /// A store that limits name in [`Limit::store`]. `secret` goes into the hashes of keys and `nodes` is how many share the
    /// store: both are the same on every node. A gateway whose config says the same of the store, and has a limit of the
    /// same name and key, has the same budgets.
    #[must_use]
    pub fn store(mut self, name: &str, store: Arc<dyn SharedLimits>, secret: &str, nodes: u64) -> Self {
        self.stores.insert(name.to_owned(), Known { store, secret: secret.to_owned(), nodes });
        self
    }

    /// An edge that is believed when it says that it spent what a limit of the same name and key would.
    #[must_use]
    pub fn trusts(self, trust: Trust) -> Self {
        Self { trust: Some(trust), ..self }
    }

    /// Answers that were not refused tell of limits too.
    #[must_use]
    pub fn tell_always(self) -> Self {
        Self { tells_always: true, ..self }
    }

    /// Checks everything.
    ///
    /// # Errors
    /// Every problem of every limit.
    pub fn build(self) -> Result<Limiter, LimiterError> {
        let mut problems: Vec<String> = self.limits.iter().filter_map(|limit| self.problem(limit)).collect();
        // Who does not know them cannot make the keys of two callers meet.
        let here = Keys::new(u128::from(random::u64()) << 64 | u128::from(random::u64())).near();
        let rules = Rules::compile_each(&self.limits, |limit| self.context(limit, here));
        let rules = rules.unwrap_or_else(|errors| {
            problems.extend(errors.iter().map(ToString::to_string));
            Rules::default()
        });
        if !problems.is_empty() {
            return Err(LimiterError { problems });
        }
        let told: Vec<Rule> = match &self.trust {
            Some(trust) => {
                let context = Context { keys: trust.keys(), nodes: 1, verifies_identity: true };
                // Nothing in it could be wrong only now.
                Rules::compile(&self.limits, &context).unwrap_or_default().iter().cloned().collect()
            }
            None => Vec::new(),
        };
        let mut told = told.into_iter();
        let bound = |rule: &Rule| Bound {
            place: self.place(rule),
            rule: rule.clone(),
            told: told.next(),
            counts: Counts::default(),
        };
        let limits = rules.iter().map(bound).collect();
        let (clock, tells_always) = (LateClock::default(), self.tells_always);
        Ok(Limiter { shared: Arc::new(Shared { limits, clock, trust: self.trust, tells_always }) })
    }

    fn known(&self, name: Option<&str>) -> Option<&Known> {
        self.stores.get(name?)
    }

    fn place(&self, rule: &Rule) -> Place {
        match self.known(rule.store()) {
            Some(known) => Place::Shared(Arc::clone(&known.store)),
            None => Place::Here(local::Store::new(rule.algorithm().kind(), rule.keys())),
        }
    }

    fn context(&self, limit: &Limit, here: Keys) -> Context {
        let known = self.known(limit.store.as_deref());
        let keys = known.map_or(here, |known| Keys::of_text(&known.secret));
        Context { keys, nodes: known.map_or(1, |known| known.nodes), verifies_identity: true }
    }

    fn problem(&self, limit: &Limit) -> Option<String> {
        let Limit { name, store, algorithm, .. } = limit;
        if name.is_empty() || !name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            return Some(format!("limit `{}`: a name is of printable ASCII, without quotes", name.escape_debug()));
        }
        if matches!(algorithm, Algorithm::Concurrency(_)) {
            return Some(format!("limit `{name}`: calls in flight are the matter of a BulkheadLayer"));
        }
        let store = store.as_deref().filter(|store| !self.stores.contains_key(*store))?;
        Some(format!("limit `{name}`: there is no store `{store}`"))
    }
}

impl fmt::Debug for LimiterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimiterBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}
