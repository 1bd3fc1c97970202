//! The order in which endpoints take turns.

use super::ring::gcd;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The most turns of a round. Weights that need more are rounded.
const TURNS_MAX: u64 = 1 << 14;

/// A round: each endpoint as often as its weight says, evenly spread.
pub(super) fn order(weights: &[u32]) -> Box<[u32]> {
    let unit = weights.iter().fold(0, |unit, weight| gcd(unit, *weight)).max(1);
    let all: u64 = weights.iter().map(|weight| u64::from(weight / unit)).sum();
    let turns = |weight: u32| {
        let mine = u64::from(weight / unit);
        if all > TURNS_MAX { (mine * TURNS_MAX / all).max(1) } else { mine }
    };
    // What is due first comes first: the middle of the k-th of n equal parts of the round. Whole numbers, so that there
    // is no doubt about ties.
    let due = |done: u64, turns: u64| (u128::from(2 * done + 1) << 64) / u128::from(turns);
    let mine: Vec<u64> = weights.iter().map(|weight| turns(*weight)).collect();
    let mut heap: BinaryHeap<_> = mine.iter().enumerate().map(|(at, turns)| Reverse((due(0, *turns), at, 0))).collect();
    let mut order = Vec::new();
    while let Some(Reverse((_, at, done))) = heap.pop() {
        order.push(u32::try_from(at).unwrap_or(0));
        if done + 1 < mine[at] {
            heap.push(Reverse((due(done + 1, mine[at]), at, done + 1)));
        }
    }
    order.into()
}
