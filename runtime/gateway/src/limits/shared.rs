//! Asking limits that gateways share.

use super::Limited;
use super::ask::{Asked, Heard, Verdict, Voice};
use smallvec::SmallVec;
use std::pin::Pin;
use std::time::Duration;
use tidegate_limit::Decision;
use tidegate_limit::front::{By, Outcome};
use tidegate_limit::ports::Asked as Answered;
use tidegate_limit::rules::Ruling;
use tokio::time::timeout;

/// Longer than any store is waited for: twice the longest budget of one.
const LONGEST: Duration = Duration::from_secs(2);

/// Answers that are still to come, each with the place of its limit.
pub(super) type Waits = SmallVec<[(usize, Wait); 2]>;

type Wait = Pin<Box<dyn Future<Output = Option<Outcome>> + Send>>;

/// Asks them all. What is known without a store is heard at once.
pub(super) fn ask(asked: &[Asked<'_>], verdict: &mut Verdict) -> Waits {
    let mut waits = Waits::new();
    for (index, (limited, ruling)) in asked.iter().enumerate() {
        if limited.rule.store().is_none() {
            continue;
        }
        let answer = match &limited.store {
            Some(store) => store.limits().ask(ruling.key, ruling.terms, ruling.ask),
            // Nobody opened it.
            None => Answered::Answered(alone(ruling)),
        };
        match answer {
            Answered::Answered(outcome) => {
                let refused = ruling.enforced && !outcome.decision.is_admitted();
                hear(verdict, index, outcome);
                if refused {
                    // The others need not be asked.
                    break;
                }
            }
            Answered::Waits(wait) => waits.push((index, wait)),
        }
    }
    waits
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
    if let Some(store) = &limited.store {
        store.limits().give_back(ruling.key, ruling.terms, &Outcome { decision, by });
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
