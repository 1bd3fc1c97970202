//! Which limits a request must pass, with which key, quota and cost.
//!
//! A limit is configured as a plain [`Limit`]; [`Rules::compile`] checks all of them and reports every problem at
//! once. A request is seen through [`Facts`] only.

mod compile;
mod config;
mod tree;

use std::borrow::Cow;
use std::net::IpAddr;

use crate::algorithm::{Algorithm, Policy};
use crate::ask::Ask;
use crate::front::Terms;
use crate::key::{Key, KeysOfLimit};

pub use compile::Context;
pub use config::{
    Absent, Class, Condition, Cost, FailurePolicy, KeyPart, Limit, Matcher, Override, PEER, Percent, Problem, Quota,
    Source,
};
pub use tree::{Tree, TreeError, Value};

/// What a limit can ask about a request.
pub trait Facts {
    /// The value of a source; `None`: the request has none. Of a repeated header all values, joined by commas.
    /// Never asked for [`Source::Peer`] and [`Source::Constant`].
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>>;

    /// Who is connected, or whom a trusted peer names.
    fn peer(&self) -> IpAddr;
}

/// All limits, ready to rule.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// One limit, ready to rule.
#[derive(Debug, Clone)]
pub struct Rule {
    name: String,
    algorithm: Algorithm,
    keys: usize,
    store: Option<String>,
    hash: KeysOfLimit,
    key: Vec<KeyPart>,
    when: Vec<Condition>,
    cost: Cost,
    enforce: Percent,
    /// Without the class of all others, which comes last.
    classes: Vec<Class>,
    quotas: Vec<Compiled>,
    /// Which of the quotas; the first one is for everybody else.
    overrides: Tree<Option<usize>>,
}

/// A quota, for each class.
#[derive(Debug, Clone)]
struct Compiled {
    algorithm: Algorithm,
    local: Vec<Policy>,
    shared: Vec<Terms>,
}

/// What a limit says about a request.
#[derive(Debug, Clone, Copy)]
pub struct Ruling<'a> {
    /// The budget that the request belongs to.
    pub key: Key,
    /// Its quota, as configured: what those are told who ask what they may.
    pub algorithm: &'a Algorithm,
    /// Its quota, for a store in this process.
    pub policy: &'a Policy,
    /// Its terms, for a store that nodes share.
    pub terms: &'a Terms,
    /// What the request costs.
    pub ask: Ask,
    /// The class of the caller, as a place in the limit's classes; the last is that of all others.
    pub class: usize,
    /// Whether a refusal refuses the request; otherwise it is only counted.
    pub enforced: bool,
}

/// A budget, as an operator sees it.
#[derive(Debug, Clone, Copy)]
pub struct Budget<'a> {
    /// Its key.
    pub key: Key,
    /// Its quota, as configured.
    pub algorithm: &'a Algorithm,
    /// Its quota, for a store in this process.
    pub policy: &'a Policy,
    /// Its quota, for a store that nodes share.
    pub shared: &'a Policy,
}

impl Rules {
    /// The limit of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// All limits, in the order of the config.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }
}

impl Rule {
    /// The limit's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its algorithm, with everybody's quota.
    #[must_use]
    pub const fn algorithm(&self) -> &Algorithm {
        &self.algorithm
    }

    /// What makes its budgets different.
    #[must_use]
    pub fn key(&self) -> &[KeyPart] {
        &self.key
    }

    /// Everything that it looks at of a request.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let cost = match &self.cost {
            Cost::Value { source, .. } => Some(source),
            Cost::Constant(_) => None,
        };
        let parts = self.key.iter().map(|part| &part.source);
        let conditions = self.when.iter().chain(self.classes.iter().map(|class| &class.when));
        parts.chain(conditions.map(|condition| &condition.source)).chain(cost)
    }

    /// The values that make the key of a request, each with how the config names it.
    pub fn values<'a>(&'a self, facts: &'a impl Facts) -> impl Iterator<Item = (String, Option<Cow<'a, [u8]>>)> {
        self.key.iter().map(|part| (part.source.label(), part.source.read(facts)))
    }

    /// The part of its refusals that are meant.
    #[must_use]
    pub const fn enforce(&self) -> Percent {
        self.enforce
    }

    /// Keys to keep at one time in this process.
    #[must_use]
    pub const fn keys(&self) -> usize {
        self.keys
    }

    /// The store that nodes share; `None`: this process.
    #[must_use]
    pub fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// The name of a class, by [`Ruling::class`].
    #[must_use]
    pub fn class(&self, class: usize) -> Option<&str> {
        self.classes.get(class).map(|class| class.name.as_str())
    }

    /// What the limit says about a request; `None`: nothing, for a condition does not hold, a value that the limit
    /// wants is absent, or the quota is "unlimited". `random` is 64 random bits, for a limit that is enforced in
    /// part.
    #[must_use]
    pub fn ruling(&self, facts: &impl Facts, random: u64) -> Option<Ruling<'_>> {
        if !self.when.iter().all(|condition| condition.holds(facts)) {
            return None;
        }
        let (key, quota) = self.budget(|source| source.read(facts))?;
        let class = self.classes.iter().position(|class| class.when.holds(facts)).unwrap_or(self.classes.len());
        Some(Ruling {
            key,
            algorithm: &quota.algorithm,
            policy: &quota.local[class],
            terms: &quota.shared[class],
            ask: Ask::spend(self.cost.of(facts)),
            class,
            enforced: self.enforce.holds(random),
        })
    }

    /// The budget of those who have these values, one for each part of the key that is no constant (`None`: they have
    /// none), whatever conditions say: for an operator. `None`: there are not as many values as parts, or no limit for them.
    #[must_use]
    pub fn budget_of(&self, values: &[Option<&[u8]>]) -> Option<Budget<'_>> {
        let is_constant = |source: &Source| matches!(source, Source::Constant(_));
        if values.len() != self.key.iter().filter(|part| !is_constant(&part.source)).count() {
            return None;
        }
        let mut values = values.iter();
        let (key, quota) = self.budget(|source| match source {
            Source::Constant(value) => Some(Cow::Borrowed(value.as_bytes())),
            source => source.as_read((*values.next()?)?),
        })?;
        // All of it, what is kept for classes included.
        let (policy, shared) = (quota.local.first()?, quota.shared.first()?.policy());
        Some(Budget { key, algorithm: &quota.algorithm, policy, shared })
    }

    /// The budget that values belong to, and its quota; a value is asked for once for each part of the key, in order.
    fn budget<'s, 'v>(
        &'s self,
        mut value: impl FnMut(&'s Source) -> Option<Cow<'v, [u8]>>,
    ) -> Option<(Key, &'s Compiled)> {
        let mut key = self.hash.start();
        let mut entries: Vec<(String, String)> = Vec::new();
        for part in &self.key {
            let value = value(&part.source);
            match (&value, part.absent) {
                (None, Absent::Skips) => return None,
                (None, Absent::Counts) => key = key.without(),
                (Some(value), _) => key = key.with(value),
            }
            if !self.overrides.is_empty() {
                let value = value.map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default();
                entries.push((part.source.label(), value));
            }
        }
        let quota = match self.overrides.find(&entries) {
            None => 0,
            Some(Some(quota)) => *quota,
            Some(None) => return None,
        };
        Some((key.key(), &self.quotas[quota]))
    }
}

#[cfg(test)]
mod tests;
