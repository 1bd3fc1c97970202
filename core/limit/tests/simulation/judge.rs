//! Who was admitted when, and whether that was too much.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_limit::Algorithm;
use tidegate_limit::contract::{BucketJudge, WindowJudge};

use crate::plan::Plan;

/// One admission. Its point in time lies between asking and answering; an admission by the store has the point at which
/// the store took it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admitted {
    pub(crate) key: u64,
    /// µs.
    pub(crate) at: u64,
    pub(crate) cost: u64,
    /// Which server it was, and in which window of its clock: for windows that it aligns.
    pub(crate) store: (u64, u64),
}

/// The most units beyond the limit, of any key.
pub(crate) fn excess(plan: &Plan, admitted: &[Admitted]) -> u128 {
    let mut keys: BTreeMap<u64, Vec<Admitted>> = BTreeMap::new();
    for one in admitted {
        keys.entry(one.key).or_default().push(*one);
    }
    keys.into_values().map(|admitted| of_key(plan, admitted)).max().unwrap_or(0)
}

fn of_key(plan: &Plan, mut admitted: Vec<Admitted>) -> u128 {
    admitted.sort_by_key(|one| one.at);
    match plan.algorithm {
        Algorithm::TokenBucket { .. } | Algorithm::LeakyBucket { .. } => {
            let mut judge = BucketJudge::new(plan.rate, plan.burst);
            for one in admitted {
                judge.admitted(Duration::from_micros(one.at), one.cost);
            }
            judge.excess()
        }
        Algorithm::SlidingWindow(rate) | Algorithm::SlidingLog(rate) => {
            let mut judge = WindowJudge::new(rate);
            for one in admitted {
                judge.admitted(Duration::from_micros(one.at), one.cost);
            }
            judge.excess()
        }
        Algorithm::FixedWindow(rate) => {
            let mut windows: BTreeMap<(u64, u64), u128> = BTreeMap::new();
            for one in admitted {
                *windows.entry(one.store).or_default() += u128::from(one.cost);
            }
            windows.into_values().max().unwrap_or(0).saturating_sub(u128::from(rate.count()))
        }
        Algorithm::Concurrency(_) => 0,
    }
}
