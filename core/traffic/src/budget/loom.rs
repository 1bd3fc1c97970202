//! Every order of a few threads' steps, by loom: `cargo xtask loom`.

use super::{Budget, SLOTS, WINDOW_SECONDS, place};
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

const NOW: Duration = Duration::from_secs(100);

/// Does one thing in one thread and another in another, in every order, and then checks what came of it.
fn both<T: Send + 'static>(
    begin: fn() -> Budget,
    steps: [fn(&Budget) -> T; 2],
    check: impl Fn(&Budget, [T; 2]) + Sync + Send + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let budget = Arc::new(begin());
        let other = Arc::clone(&budget);
        let thread = thread::spawn(move || steps[1](&other));
        let mine = steps[0](&budget);
        check(&budget, [mine, thread.join().expect("no panic")]);
    });
}

/// One whose slot for `NOW` is that of a second long ago, with calls in it.
fn used_before() -> Budget {
    let budget = Budget::new(Budget::DEFAULT);
    let long_ago = NOW - Duration::from_secs(SLOTS as u64);
    for _ in 0..3 {
        budget.deposit(long_ago);
    }
    budget
}

fn firsts(budget: &Budget) -> u64 {
    budget.firsts_at(place(NOW).0)
}

#[test]
fn loom_two_first_tries_of_a_new_second_are_two() {
    both(used_before, [|budget| budget.deposit(NOW), |budget| budget.deposit(NOW)], |budget, _| {
        assert_eq!(firsts(budget), 2)
    });
}

#[test]
fn loom_a_thread_that_is_a_whole_window_late_takes_nothing_away() {
    both(
        || Budget::new(Budget::DEFAULT),
        [|budget| budget.deposit(NOW), |budget| budget.deposit(NOW - Duration::from_secs(SLOTS as u64))],
        |budget, _| assert_eq!(firsts(budget), 1),
    );
}

#[test]
fn loom_the_last_retry_of_a_budget_is_allowed_once() {
    both(
        || {
            let budget = Budget::new(Budget::DEFAULT);
            for _ in 1..WINDOW_SECONDS {
                assert!(budget.withdraw(NOW), "one for each second");
            }
            budget
        },
        [|budget| budget.withdraw(NOW), |budget| budget.withdraw(NOW)],
        |budget, allowed| {
            assert_eq!(allowed.iter().filter(|allowed| **allowed).count(), 1);
            assert_eq!(budget.refused(), 1);
        },
    );
}
