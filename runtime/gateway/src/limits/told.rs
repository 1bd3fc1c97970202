//! What clients and operators are told of limits.
//!
//! `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers: lists of structured fields
//! (RFC 9651), an item for each limit. `X-RateLimit-…` tell of one limit: the one that refused, else the one of
//! which the least remains.

use super::ask::{Asked, Heard, Verdict, Voice};
use super::{Counter, Facts, Limited, Store};
use crate::config::Tells;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tidegate_limit::front::{By, Outcome, Terms};
use tidegate_limit::rules::Ruling;
use tidegate_limit::{Decision, Key, Policy, Receipt};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEGACY: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
];
const EXPLANATION: HeaderName = HeaderName::from_static("tidegate-limit");

/// The greatest integer of a structured field (RFC 9651, section 3.3.1).
const GREATEST: u64 = 999_999_999_999_999;

/// What is told of the limits of a request, and what may have to be given back.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Items of `RateLimit-Policy`.
    policy: String,
    /// Items of `RateLimit`.
    limit: String,
    legacy: Option<Legacy>,
    /// For a trusted peer that asked.
    explanation: String,
    /// The limit that refused the request, or that would have.
    pub(crate) by: Option<Arc<Counter>>,
    pub(super) spent: SmallVec<[Spent; 1]>,
}

#[derive(Clone, Copy, Debug)]
struct Legacy {
    limit: u64,
    remaining: u64,
    reset: u64,
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

/// Whole seconds, rounded up, at least one: who waits so long has waited long enough.
pub(super) fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).max(1)
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
        let told = told.get_or_insert_default();
        let quota = ruling.algorithm.holds().min(GREATEST);
        told.item(limited.rule.name(), quota, ruling.algorithm.window(), decision, refuses);
        if limited.legacy_headers {
            let legacy = Legacy { limit: quota, remaining: remaining(decision), reset: reset(decision, refuses) };
            let is_nearer = |known: &Legacy| legacy.remaining < known.remaining;
            if refuses || told.legacy.as_ref().is_none_or(is_nearer) {
                told.legacy = Some(legacy);
            }
        }
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
    })
}

fn remaining(decision: &Decision) -> u64 {
    decision.remaining.min(GREATEST)
}

/// Seconds until there is more: for who was refused until asking again can help.
fn reset(decision: &Decision, refuses: bool) -> u64 {
    match decision.retry_after().filter(|_| refuses) {
        Some(after) => seconds(after),
        None if decision.reset.is_zero() => 0,
        None => seconds(decision.reset),
    }
}

fn begin_item(list: &mut String) -> &mut String {
    if !list.is_empty() {
        list.push_str(", ");
    }
    list
}

impl Told {
    fn item(&mut self, name: &str, quota: u64, window: Duration, decision: &Decision, refuses: bool) {
        let _ = write!(begin_item(&mut self.policy), "\"{name}\";q={quota}");
        if !window.is_zero() {
            let _ = write!(self.policy, ";w={}", seconds(window));
        }
        let (remaining, reset) = (remaining(decision), reset(decision, refuses));
        let _ = write!(begin_item(&mut self.limit), "\"{name}\";r={remaining};t={reset}");
    }

    /// Writes what an answer says of the limits.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let lines = [(RATE_LIMIT_POLICY, &self.policy), (RATE_LIMIT, &self.limit), (EXPLANATION, &self.explanation)];
        for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        if let Some(legacy) = self.legacy {
            for (name, value) in LEGACY.into_iter().zip([legacy.limit, legacy.remaining, legacy.reset]) {
                headers.insert(name, HeaderValue::from(value));
            }
        }
    }
}
