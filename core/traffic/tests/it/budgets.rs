//! Budgets of retries in virtual time.

use crate::plans::Bits;
use std::sync::Arc;
use std::time::Duration;
use tidegate_traffic::Share;
use tidegate_traffic::budget::{Budget, WINDOW_SECONDS};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn calls(budget: &Budget, times: u32, now: Duration) {
    for _ in 0..times {
        budget.deposit(now);
    }
}

/// How many of so many retries are allowed.
fn allowed(budget: &Budget, times: u32, now: Duration) -> u32 {
    (0..times).map(|_| u32::from(budget.withdraw(now))).sum()
}

#[test]
fn retries_are_a_share_of_first_tries() {
    let budget = Budget::new(Budget::DEFAULT);
    calls(&budget, 1000, 5 * SECOND);
    assert_eq!(allowed(&budget, 1000, 5 * SECOND), 200);
    assert_eq!(budget.refused(), 800);
    calls(&budget, 5, 5 * SECOND);
    assert_eq!(allowed(&budget, 10, 5 * SECOND), 1);
}

#[test]
fn without_first_tries_there_is_one_a_second() {
    let budget = Budget::new(Budget::DEFAULT);
    let each: Vec<u32> = (0..20).map(|half| allowed(&budget, 3, half * 500 * MS)).collect();
    assert_eq!(each, [[1, 0]; 10].concat());
}

#[test]
fn the_budget_is_refilled_by_what_comes_and_by_time() {
    let budget = Budget::new(Budget::DEFAULT);
    calls(&budget, 100, SECOND);
    assert_eq!(allowed(&budget, 100, SECOND), 20);
    calls(&budget, 100, 10 * SECOND);
    assert_eq!(allowed(&budget, 100, 10 * SECOND + 999 * MS), 20, "both seconds are in the window");
    assert_eq!(allowed(&budget, 100, 11 * SECOND), 1, "the first is not: 100 first tries, 20 retries, and the one");
    assert_eq!(allowed(&budget, 100, 12 * SECOND), 1);
    assert_eq!(allowed(&budget, 100, 40 * SECOND), 1, "nothing is left of either");
    calls(&budget, 100, 40 * SECOND);
    assert_eq!(allowed(&budget, 100, 40 * SECOND), 19);
}

#[test]
fn another_share_holds_at_once() {
    let budget = Budget::new(Budget::DEFAULT);
    calls(&budget, 100, SECOND);
    budget.set(Share::percent(50));
    assert_eq!((allowed(&budget, 100, SECOND), budget.share()), (50, Share::percent(50)));
}

#[test]
fn a_clock_that_goes_back_does_no_harm() {
    let budget = Budget::new(Budget::DEFAULT);
    calls(&budget, 100, 100 * SECOND);
    calls(&budget, 100, 89 * SECOND);
    assert_eq!(allowed(&budget, 100, 100 * SECOND), 20, "what came eleven seconds late is not counted");
}

#[test]
fn threads_do_not_get_more_together() {
    let budget = Arc::new(Budget::new(Budget::DEFAULT));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let budget = Arc::clone(&budget);
            std::thread::spawn(move || {
                calls(&budget, 5000, SECOND);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let budget = Arc::clone(&budget);
            std::thread::spawn(move || allowed(&budget, 5000, SECOND))
        })
        .collect();
    let all: u32 = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    assert_eq!(all, 4000);
}

/// A budget that remembers every call.
#[derive(Default)]
struct Naive {
    firsts: Vec<u64>,
    retries: Vec<u64>,
}

impl Naive {
    fn withdraw(&mut self, share: Share, second: u64) -> bool {
        let within = |all: &[u64]| all.iter().filter(|at| **at + WINDOW_SECONDS > second).count() as u128;
        let (firsts, retries) = (within(&self.firsts), within(&self.retries));
        let none = !self.retries.contains(&second);
        let may = none || (retries + 1) * 1_000_000_000 <= firsts * u128::from(share.billionths());
        if may {
            self.retries.push(second);
        }
        may
    }
}

#[test]
fn it_allows_what_one_does_that_remembers_every_call() {
    let (mut yes, mut no) = (0, 0);
    for seed in 0..100_000 {
        let mut bits = Bits(seed);
        let share = Share::percent(u32::try_from(1 + bits.below(100)).expect("small"));
        let (budget, mut naive) = (Budget::new(share), Naive::default());
        let mut now = Duration::from_millis(bits.below(5000));
        let leap = 1 + bits.below(4);
        for step in 0..60 {
            let far = if bits.below(30) == 0 { 20_000 } else { 300 * leap };
            now += Duration::from_millis(bits.below(far));
            if bits.below(3) > 0 {
                for _ in 0..bits.below(6) {
                    budget.deposit(now);
                    naive.firsts.push(now.as_secs());
                }
            } else {
                let found = budget.withdraw(now);
                assert_eq!(found, naive.withdraw(share, now.as_secs()), "seed {seed}, step {step}, at {now:?}");
                *(if found { &mut yes } else { &mut no }) += 1;
            }
        }
    }
    assert!(yes > 100_000 && no > 100_000, "both were seen: {yes}, {no}");
}
