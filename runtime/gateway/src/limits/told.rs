//! What clients and operators are told of limits.

use super::ask::{Asked, Heard, Verdict, Voice};
use super::spent::Sealed;
use super::{Counter, Facts, Limited, Store};
use crate::config::{QUOTA_OF_SERVICE, Tells};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;
use std::fmt::Write;
use std::sync::Arc;
use tidegate_limit::Algorithm;
use tidegate_limit::fields::Fields;
use tidegate_limit::front::{By, Outcome, Terms};
use tidegate_limit::rules::Ruling;
use tidegate_limit::{Key, Policy, Receipt};

const EXPLANATION: HeaderName = HeaderName::from_static("tidegate-limit");

/// What is told of the limits of a request, and what may have to be given back.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// For the client.
    fields: Fields,
    /// For a trusted peer that asked.
    explanation: String,
    /// The limit that refused the request, or that would have.
    pub(crate) by: Option<Arc<Counter>>,
    pub(super) spent: SmallVec<[Spent; 1]>,
    /// For the services behind.
    pub(super) sealed: Sealed,
}

/// What a limit took.
#[derive(Debug)]
pub(super) enum Spent {
    Process { counter: Arc<Counter>, key: Key, policy: Policy, receipt: Receipt },
    Store { store: Arc<Store>, key: Key, terms: Terms, outcome: Outcome },
}

impl Spent {
    pub(super) fn of(limited: &Limited, ruling: &Ruling<'_>, heard: &Heard) -> Option<Self> {
        let (key, decision) = (ruling.key, heard.decision);
        Some(match heard.by {
            Voice::Nobody => return None,
            Voice::Process => {
                let (counter, policy) = (Arc::clone(&limited.counter), *ruling.policy);
                Self::Process { counter, key, policy, receipt: decision.receipt }
            }
            Voice::Store(by) => {
                let (store, terms) = (Arc::clone(limited.store.as_ref()?), *ruling.terms);
                Self::Store { store, key, terms, outcome: Outcome { decision, by } }
            }
        })
    }
}

/// Notes what clients are told.
pub(super) fn tell(asked: &[Asked<'_>], verdict: &Verdict, told: &mut Option<Box<Told>>) {
    for (index, ((limited, ruling), heard)) in asked.iter().zip(&verdict.heard).enumerate() {
        let (refuses, decision) = (verdict.refused == Some(index), &heard.decision);
        if refuses || !(ruling.enforced || decision.is_admitted()) {
            told.get_or_insert_default().by = Some(Arc::clone(&limited.counter));
        }
        let tells = match limited.headers {
            Tells::Never => false,
            Tells::Refused => verdict.refused.is_some(),
            Tells::Always => true,
        };
        // A limit that is only watched is not the client's matter, and of one that cannot be asked nothing is known.
        if !tells || !ruling.enforced || heard.is_blind(ruling) {
            continue;
        }
        let quota = match heard.by {
            // What it told is told; of a limit that it does not have there is nothing to tell.
            Voice::Store(By::Service { quota: None }) => continue,
            Voice::Store(By::Service { quota: Some(rate) }) => Algorithm::FixedWindow(rate),
            _ if *ruling.algorithm == QUOTA_OF_SERVICE => continue,
            _ => *ruling.algorithm,
        };
        let told = told.get_or_insert_default();
        told.fields.tell(limited.rule.name(), &quota, decision, refuses, limited.legacy_headers);
    }
}

/// Notes what an operator is told: which budget was asked for what, and what it said.
pub(super) fn explain(asked: &[Asked<'_>], verdict: &Verdict, facts: &Facts<'_>, told: &mut Option<Box<Told>>) {
    let told = told.get_or_insert_default();
    for (index, ((limited, ruling), heard)) in asked.iter().zip(&verdict.heard).enumerate() {
        let decision = &heard.decision;
        let said = match (verdict.refused, decision.is_admitted()) {
            _ if heard.by == Voice::Nobody => "not asked",
            (Some(refused), _) if refused == index => "refused",
            (_, false) if !ruling.enforced => "shadow",
            (None, _) => "admitted",
            (Some(_), _) => "not charged",
        };
        let out = begin_item(&mut told.explanation);
        let _ =
            write!(out, "{}: {said}; cost={}; remaining={}", limited.rule.name(), ruling.ask.cost, decision.remaining);
        if let Some(by) = voice(heard.by) {
            let _ = write!(out, "; by={by}");
        }
        if let Some(class) = limited.rule.class(ruling.class) {
            let _ = write!(out, "; class={class}");
        }
        for (label, value) in limited.rule.values(facts) {
            let value = value.unwrap_or_default();
            let _ = write!(out, "; {label}=\"{}\"", value.escape_ascii());
        }
    }
}

/// Who answered of those that stand for a store.
const fn voice(by: Voice) -> Option<&'static str> {
    Some(match by {
        Voice::Process | Voice::Nobody => return None,
        Voice::Store(By::Store) => "store",
        Voice::Store(By::Lease) => "lease",
        Voice::Store(By::Refusal) => "refusal_before",
        Voice::Store(By::Failure) => "on_failure",
        Voice::Store(By::Terms) => "quota",
        Voice::Store(By::Service { .. }) => "service",
    })
}

fn begin_item(list: &mut String) -> &mut String {
    if !list.is_empty() {
        list.push_str(", ");
    }
    list
}

impl Told {
    /// Writes what an answer says of the limits.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in self.fields.lines() {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        if !self.explanation.is_empty()
            && let Ok(value) = HeaderValue::from_str(&self.explanation)
        {
            headers.insert(EXPLANATION, value);
        }
    }
}
