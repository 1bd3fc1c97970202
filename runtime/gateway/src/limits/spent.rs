//! What those behind this gateway are told that it spent, so that they do not charge it again.

use super::{Facts, Told};
use crate::config::RateLimit;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;
use tidegate_limit::rules::{Context, Rule, Rules, Ruling};
use tidegate_limit::spent::{HEADER, Seal, Spent};
use tidegate_telemetry::clock;

/// A limit that tells.
#[derive(Debug)]
pub(super) struct Signed {
    seal: Arc<Seal>,
    /// The same limit with the keys that are told.
    rule: Rule,
}

/// What is told of a request.
pub(super) type Sealed = SmallVec<[(Arc<Seal>, Spent); 1]>;

impl Signed {
    /// Of each limit, in the order of the config. Limits with the same secret tell together.
    pub(super) fn compile(limits: &[RateLimit]) -> Vec<Option<Self>> {
        let mut seals = HashMap::new();
        limits.iter().map(|limit| Self::of(limit, &mut seals)).collect()
    }

    fn of<'l>(limit: &'l RateLimit, seals: &mut HashMap<&'l str, Arc<Seal>>) -> Option<Self> {
        let secret = limit.signed.as_ref()?.0.as_str();
        let seal = match seals.get(secret) {
            Some(seal) => Arc::clone(seal),
            None => Arc::new(Seal::new(secret).ok()?),
        };
        seals.insert(secret, Arc::clone(&seal));
        // What it says of a store is not used.
        let context = Context { keys: seal.keys(), nodes: 1, verifies_identity: false };
        let rules = Rules::compile(std::slice::from_ref(&limit.limit), &context).ok()?;
        Some(Self { rule: rules.iter().next()?.clone(), seal })
    }

    /// Notes what a request was charged.
    pub(super) fn note(&self, ruling: &Ruling<'_>, facts: &Facts<'_>, told: &mut Option<Box<Told>>) {
        if let Some(same) = self.rule.ruling(facts, 0) {
            let spent = Spent { key: same.key, cost: ruling.ask.cost };
            told.get_or_insert_default().sealed.push((Arc::clone(&self.seal), spent));
        }
    }
}

/// Tells the upstream what was spent for the request of this id: a line for each secret. What others said is gone.
pub(crate) fn write(told: Option<&Told>, request: &HeaderValue, headers: &mut HeaderMap) {
    const NAME: HeaderName = HeaderName::from_static(HEADER);
    let Some(sealed) = told.map(|told| &told.sealed).filter(|sealed| !sealed.is_empty()) else { return };
    headers.remove(NAME);
    let (request, now) = (request.to_str().unwrap_or_default(), clock::unix(clock::wall()));
    for (index, (seal, _)) in sealed.iter().enumerate() {
        let is_same = |(other, _): &&(Arc<Seal>, Spent)| Arc::ptr_eq(other, seal);
        if sealed[..index].iter().any(|one| is_same(&one)) {
            continue;
        }
        let spent: SmallVec<[Spent; 4]> = sealed.iter().filter(is_same).map(|(_, spent)| *spent).collect();
        if let Ok(mut value) = HeaderValue::try_from(seal.sign(&spent, request, now)) {
            value.set_sensitive(true);
            headers.append(NAME, value);
        }
    }
}
