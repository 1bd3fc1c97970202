//! Asking limits that gateways share: first those that count in a store, then those that a service keeps, for what a
//! service counted cannot be given back.

use super::ask::{Asked, Heard, Verdict, Voice};
use super::{Facts, Limited};
use crate::config::QUOTA_OF_SERVICE;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::pin::Pin;
use std::time::Duration;
use tidegate_limit::Decision;
use tidegate_limit::front::{By, Outcome};
use tidegate_limit::ports::{Asked as Answered, LimitService, Question};
use tidegate_limit::rules::Ruling;
use tidegate_limit::{Algorithm, Rate};
use tokio::time::timeout;

/// Longer than any store is waited for: twice the longest budget of one.
const LONGEST: Duration = Duration::from_secs(2);

/// Answers that are still to come, each with the place of its limit.
pub(super) type Waits = SmallVec<[(usize, Wait); 2]>;

type Wait = Pin<Box<dyn Future<Output = Option<Outcome>> + Send>>;

/// The longest value that a service is told: who chooses it must not make a call too long to be answered.
const LONGEST_VALUE: usize = 1024;

/// Asks all that count in a store. What is known without it is heard at once.
pub(super) fn ask(asked: &[Asked<'_>], verdict: &mut Verdict) -> Waits {
    let mut waits = Waits::new();
    for (index, (limited, ruling)) in asked.iter().enumerate() {
        if limited.rule.store().is_none() {
            continue;
        }
        let answer = match limited.store.as_ref().map(|store| store.limits().counters()) {
            Some(Some(counters)) => counters.ask(ruling.key, ruling.terms, ruling.ask),
            Some(None) => continue,
            // Nobody opened it.
            None => Answered::Answered(alone(ruling)),
        };
        if take(answer, index, ruling, verdict, &mut waits) {
            // The others need not be asked.
            break;
        }
    }
    waits
}

/// Asks all that a service keeps and that were not asked yet: those of one service in one call, which counts for all
/// of them or is refused for all. One whose refusal is not meant is asked alone, so that it does not keep others from
/// being counted.
pub(super) fn ask_services(asked: &[Asked<'_>], facts: &Facts<'_>, verdict: &mut Verdict) -> Waits {
    let mut waits = Waits::new();
    let of = |index: usize| asked[index].0.store.as_ref().and_then(|store| store.limits().service());
    let is_open = |index: &usize| verdict.heard[*index].by == Voice::Nobody && of(*index).is_some();
    let mut open: SmallVec<[usize; 4]> = (0..asked.len()).filter(is_open).collect();
    while let Some(first) = open.first().copied() {
        let Some(service) = of(first) else { break };
        let is_meant = asked[first].1.enforced;
        let joins = |index: &mut usize| {
            *index == first
                || (is_meant
                    && asked[*index].1.enforced
                    && of(*index).is_some_and(|other| std::sync::Arc::ptr_eq(other, service)))
        };
        let group: SmallVec<[usize; 4]> = open.iter().copied().filter(|index| joins(&mut { *index })).collect();
        open.retain(|index| !group.contains(index));
        let questions: SmallVec<[Question<'_>; 4]> =
            group.iter().map(|index| question(&asked[*index], facts)).collect();
        for (place, answer) in LimitService::ask(&**service, &questions) {
            let Some(index) = group.get(place).copied() else { continue };
            if take(answer, index, &asked[index].1, verdict, &mut waits) {
                return waits;
            }
        }
    }
    waits
}

/// Hears an answer, or waits for it. Whether it refuses the request.
fn take(answer: Answered, index: usize, ruling: &Ruling<'_>, verdict: &mut Verdict, waits: &mut Waits) -> bool {
    match answer {
        Answered::Answered(outcome) => {
            hear(verdict, index, outcome);
            ruling.enforced && !outcome.decision.is_admitted()
        }
        Answered::Waits(wait) => {
            waits.push((index, wait));
            false
        }
    }
}

/// What a service is asked about a limit.
fn question<'a>((limited, ruling): &Asked<'a>, facts: &Facts<'_>) -> Question<'a> {
    let names = limited.names.iter().map(String::as_str);
    let values = limited.rule.values(facts).map(|(_, value)| text(value));
    let quota = match ruling.algorithm {
        &QUOTA_OF_SERVICE => None,
        algorithm => rate(algorithm),
    };
    Question { key: ruling.key, terms: ruling.terms, ask: ruling.ask, entries: names.zip(values).collect(), quota }
}

const fn rate(algorithm: &Algorithm) -> Option<Rate> {
    match algorithm {
        Algorithm::TokenBucket { rate, .. } => Some(*rate),
        _ => None,
    }
}

/// A value as text: what is no UTF-8 is replaced, what is too long is cut off, and what is not there is empty.
fn text(value: Option<Cow<'_, [u8]>>) -> String {
    let mut text = String::from_utf8_lossy(&value.unwrap_or_default()).into_owned();
    text.truncate(text.floor_char_boundary(LONGEST_VALUE));
    text
}

/// Waits for answers, which come within the budget of their stores. The place of a limit whose answer did not come
/// within `patience`: what it takes after that is lost.
pub(super) async fn wait(
    waits: Waits,
    asked: &[Asked<'_>],
    patience: Duration,
    verdict: &mut Verdict,
) -> Option<usize> {
    let mut waiting = waits.first().map_or(0, |(index, _)| *index);
    let all = async {
        for (index, wait) in waits {
            waiting = index;
            // Who drives the store is gone.
            let outcome = wait.await.unwrap_or_else(|| alone(&asked[index].1));
            hear(verdict, index, outcome);
        }
    };
    if patience >= LONGEST {
        all.await;
        return None;
    }
    let late = timeout(patience, all).await.is_err();
    late.then_some(waiting)
}

/// Gives back what an answer took.
pub(super) fn give_back(limited: &Limited, ruling: &Ruling<'_>, decision: Decision, by: By) {
    if let Some(store) = limited.store.as_ref().and_then(|store| store.limits().counters()) {
        store.give_back(ruling.key, ruling.terms, &Outcome { decision, by });
    }
}

fn alone(ruling: &Ruling<'_>) -> Outcome {
    ruling.terms.failure().alone(ruling.ask)
}

fn hear(verdict: &mut Verdict, index: usize, Outcome { decision, by }: Outcome) {
    if let Some(heard) = verdict.heard.get_mut(index) {
        *heard = Heard { decision, by: Voice::Store(by) };
    }
}
