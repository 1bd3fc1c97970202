//! Every order of a few threads' steps, by loom: `cargo xtask loom`.

use super::{Outcome, Settings, Sign, TRIAL_CALLS, Tally, Trial, Why};
use loom::thread;
use std::sync::Arc;

fn settings() -> Settings {
    Settings { consecutive_errors: Some(2), success_rate: None, ..Settings::default() }
}

/// Does one thing in one thread and another in another, in every order, and then checks what came of it.
fn both<T: Send + 'static>(
    begin: impl Fn() -> Tally + Sync + Send + 'static,
    steps: [fn(&Tally) -> T; 2],
    check: impl Fn(&Tally, [T; 2]) + Sync + Send + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let tally = Arc::new(begin());
        let other = Arc::clone(&tally);
        let thread = thread::spawn(move || steps[1](&other));
        let mine = steps[0](&tally);
        check(&tally, [mine, thread.join().expect("no panic")]);
    });
}

/// On trial, with so many calls to go.
fn on_trial(left: u32, may_fail: u32) -> Tally {
    let tally = Tally::default();
    tally.begin_trial(Trial { may_fail, others: None });
    for _ in left..TRIAL_CALLS {
        assert_eq!(tally.add(&settings(), Outcome::Fine, None), None);
    }
    tally
}

fn fine(tally: &Tally) -> Option<Sign> {
    tally.add(&settings(), Outcome::Fine, None)
}

fn fails(tally: &Tally) -> Option<Sign> {
    tally.add(&settings(), Outcome::Failed, None)
}

#[test]
fn loom_two_failures_in_a_row_eject_once() {
    both(Tally::default, [fails, fails], |_, mut signs| {
        signs.sort_by_key(Option::is_some);
        assert_eq!(signs, [None, Some(Sign::Eject(Why::Errors(2)))]);
    });
}

#[test]
fn loom_the_last_two_calls_of_a_trial_end_it_once() {
    both(
        || on_trial(2, 0),
        [fine, fine],
        |tally, mut signs| {
            signs.sort_by_key(Option::is_some);
            assert_eq!((signs, tally.is_on_trial()), ([None, Some(Sign::Passed)], false));
        },
    );
}

#[test]
fn loom_a_failure_beside_the_last_call_of_a_trial_is_never_a_trial_that_goes_on_without_end() {
    both(
        || on_trial(1, 0),
        [fine, fails],
        |tally, signs| {
            let again = Some(Sign::Eject(Why::Again));
            // Who comes first decides: behind the last call a failure is one as any other.
            assert_eq!(signs[0], Some(Sign::Passed));
            assert!(signs[1] == again || signs[1].is_none(), "{signs:?}");
            assert!(!tally.is_on_trial());
        },
    );
}

#[test]
fn loom_a_trial_that_is_ended_meanwhile_stays_ended() {
    both(
        || on_trial(2, 1),
        [fails, |tally| {
            tally.end_trial();
            None
        }],
        |tally, _| assert!(!tally.is_on_trial()),
    );
}
