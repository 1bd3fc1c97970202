//! Asking several limits at once, and what becomes of the request.

use super::counter::Said;
use super::told::{self, Spent};
use super::{Facts, Limited, Limits, Told};
use crate::answer::{Answer, Refusal};
use http::HeaderValue;
use http::header::RETRY_AFTER;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;
use tidegate_limit::local::{All, Part, decide_all};
use tidegate_limit::rules::{Percent, Ruling};
use tidegate_limit::{Ask, Decision, Retry};
use tidegate_telemetry::random;
use tidegate_transcode::Status;

/// A limit that has something to say, and what.
pub(super) type Asked<'a> = (&'a Limited, Ruling<'a>);

impl Limits {
    /// Asks the limits of `set`: all of them are charged, or none is. Gives the time for which the request is to be
    /// held back, which is at most `patience`.
    ///
    /// # Errors
    /// 429, with what has to be told in `told`.
    pub(crate) fn ask(
        &self,
        set: &[usize],
        facts: &Facts<'_>,
        patience: Duration,
        explain: bool,
        told: &mut Option<Box<Told>>,
    ) -> Result<Duration, Refusal> {
        let mut asked: SmallVec<[Asked<'_>; 4]> = SmallVec::new();
        for limited in set.iter().filter_map(|place| self.all.get(*place)) {
            let random = if is_in_part(limited.rule.enforce()) { random::u64() } else { 0 };
            asked.extend(limited.rule.ruling(facts, random).map(|ruling| (limited, ruling)));
        }
        if asked.is_empty() {
            return Ok(Duration::ZERO);
        }
        let now = self.now();
        let parts: SmallVec<[Part<'_>; 4]> = asked.iter().map(part).collect();
        let mut all = decide_all(&parts, now);
        let wait = all.decisions.iter().map(|decision| decision.wait).max().unwrap_or_default();
        if all.refused.is_none() && wait > patience {
            give_up(&parts, now, wait, &mut all);
        }
        if let Some(refused) = all.refused {
            not_charged(&parts[..refused], now, &mut all);
        }
        count(&asked, &all);
        told::tell(&asked, &all, told);
        if explain {
            told::explain(&asked, &all, facts, told);
        }
        match all.refused {
            Some(index) => Err(refusal(asked[index].0.rule.name(), &all.decisions[index])),
            None => {
                keep(&asked, &all, told);
                Ok(wait)
            }
        }
    }

    /// Gives back what limits took of a request that was refused by a later one.
    pub(crate) fn give_back(&self, told: &mut Told) {
        let now = self.now();
        for spent in told.spent.drain(..) {
            spent.counter.store().refund(spent.key, now, &spent.policy, spent.receipt);
        }
    }
}

fn is_in_part(percent: Percent) -> bool {
    percent != Percent::ALL && percent != Percent::NONE
}

fn part<'a>((limited, ruling): &Asked<'a>) -> Part<'a> {
    let store = limited.counter.store();
    Part { store, key: ruling.key, policy: ruling.policy, ask: ruling.ask, enforced: ruling.enforced }
}

/// The turn of the request would come too late: it is refused, by the limit whose turn is the last.
fn give_up(parts: &[Part<'_>], now: Duration, wait: Duration, all: &mut All) {
    for (part, decision) in parts.iter().zip(&mut all.decisions) {
        part.store.refund(part.key, now, part.policy, std::mem::take(&mut decision.receipt));
    }
    all.refused = all.decisions.iter().position(|decision| decision.wait == wait);
    if let Some(decision) = all.refused.and_then(|index| all.decisions.get_mut(index)) {
        decision.retry = Retry::After(wait);
    }
}

/// What those before the refusing one say that took nothing after all.
fn not_charged(parts: &[Part<'_>], now: Duration, all: &mut All) {
    for (part, decision) in parts.iter().zip(&mut all.decisions) {
        let whole = part.store.decide(part.key, now, part.policy, Ask::check(0));
        (decision.remaining, decision.reset) = (whole.remaining, whole.reset);
    }
}

fn count(asked: &[Asked<'_>], all: &All) {
    for (index, ((limited, ruling), decision)) in asked.iter().zip(&all.decisions).enumerate() {
        let said = match (all.refused, decision.is_admitted()) {
            (Some(refused), _) if refused == index => Said::Refused,
            (_, false) if !ruling.enforced => Said::Shadow,
            (None, true) => Said::Admitted,
            // Another one refused: nothing was taken.
            (Some(_), _) | (None, false) => continue,
        };
        limited.counter.count(said);
    }
}

/// Notes what is to be given back if a later limit refuses the request.
fn keep(asked: &[Asked<'_>], all: &All, told: &mut Option<Box<Told>>) {
    for ((limited, ruling), decision) in asked.iter().zip(&all.decisions) {
        if limited.gives_back && decision.receipt.cost > 0 {
            told.get_or_insert_default().spent.push(Spent {
                counter: Arc::clone(&limited.counter),
                key: ruling.key,
                policy: *ruling.policy,
                receipt: decision.receipt,
            });
        }
    }
}

/// 429, by the limit of this name.
fn refusal(name: &str, decision: &Decision) -> Refusal {
    let after = decision.retry_after().map(told::seconds);
    let message = match (decision.retry, after) {
        (Retry::Never, _) => format!("the limit `{name}` never admits a request that costs {}", decision.asked),
        (_, Some(seconds)) => format!("the limit `{name}` is reached: try again in {seconds} s"),
        (_, None) => format!("the limit `{name}` is reached"),
    };
    let answer = Answer::RateLimited;
    let mut status = Status::new(answer.code(), message.clone()).with_quota_violation(name, &message);
    if let Some(after) = decision.retry_after() {
        status = status.with_retry_delay(after);
    }
    let mut refusal = Refusal::with_status(answer, status);
    if let Some(seconds) = after {
        refusal.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    refusal
}
