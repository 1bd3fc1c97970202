//! Every order of a few threads' steps, by loom: `cargo xtask loom`.

use super::{Breaker, Keyed, Outcome, Settings, State, Window};
use crate::share::Share;
use loom::thread;
use std::sync::Arc;
use std::time::Duration;

const NOW: Duration = Duration::from_secs(1);
const FAILED: Outcome = Outcome { failed: true, took: Duration::ZERO };
const OK: Outcome = Outcome { failed: false, took: Duration::ZERO };

/// All of at least two; one probe.
fn settings() -> Settings {
    let window = Window::Calls(4);
    Settings { window, min_calls: 2, half_open: 1, failure_rate: Share::ALL, ..Settings::default() }
}

/// Does this in two threads, in every order, and then checks what came of it.
fn both<T: Send + 'static>(
    begin: impl Fn() -> Arc<Breaker> + Sync + Send + 'static,
    step: impl Fn(&Arc<Breaker>) -> T + Copy + Sync + Send + 'static,
    check: impl Fn(&Arc<Breaker>, [T; 2]) + Sync + Send + 'static,
) {
    model(move || {
        let breaker = begin();
        let other = Arc::clone(&breaker);
        let thread = thread::spawn(move || step(&other));
        let mine = step(&breaker);
        check(&breaker, [mine, thread.join().expect("no panic")]);
    });
}

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

/// One whose open interval is over.
fn due() -> Arc<Breaker> {
    let breaker = Breaker::new(settings());
    for _ in 0..2 {
        let permit = breaker.admit(Duration::ZERO, 0).0.expect("closed");
        permit.end(FAILED, Duration::ZERO, 0);
    }
    assert_eq!(breaker.state(), State::Open);
    breaker
}

const LATER: Duration = Duration::from_secs(60);

#[test]
fn loom_two_failures_open_it_once() {
    both(
        || Breaker::new(settings()),
        |breaker| {
            let (admitted, _) = breaker.admit(NOW, 0);
            admitted.ok().and_then(|permit| permit.end(FAILED, NOW, 0)).map(|change| change.to)
        },
        |breaker, changes| {
            let mut changes: Vec<State> = changes.into_iter().flatten().collect();
            // Nobody is kept away before both have failed.
            assert_eq!((changes.pop(), changes.pop(), breaker.state()), (Some(State::Open), None, State::Open));
        },
    );
}

#[test]
fn loom_one_place_is_taken_by_one_probe() {
    both(
        due,
        |breaker| breaker.admit(LATER, 0).0.ok(),
        |breaker, admitted| {
            assert_eq!(admitted.iter().filter(|permit| permit.is_some()).count(), 1);
            assert_eq!(breaker.state(), State::HalfOpen);
        },
    );
}

#[test]
fn loom_a_probe_that_is_dropped_gives_its_place_to_whoever_comes_next() {
    both(
        due,
        |breaker| drop(breaker.admit(LATER, 0)),
        |breaker, _| {
            let probe = breaker.admit(LATER, 0).0.expect("the place is free again");
            probe.end(OK, LATER, 0);
            assert_eq!(breaker.state(), State::Closed);
        },
    );
}

#[test]
fn loom_what_ends_behind_a_command_changes_nothing() {
    model(|| {
        let breaker = due();
        let probe = breaker.admit(LATER, 0).0.expect("a place");
        let thread = thread::spawn(move || probe.end(OK, LATER, 0).map(|change| change.to));
        breaker.force_open();
        let closed = thread.join().expect("no panic");
        assert_eq!(breaker.state(), State::ForcedOpen, "{closed:?}");
    });
}

#[test]
fn loom_one_key_from_two_threads_has_one_breaker() {
    model(|| {
        let table = Arc::new(Keyed::<Arc<Breaker>>::new(2, 0));
        let other = Arc::clone(&table);
        let get = |table: &Keyed<Arc<Breaker>>| table.get("key", NOW, || Breaker::new(settings())).expect("a place");
        let thread = thread::spawn(move || get(&other));
        let mine = get(&table);
        assert!(Arc::ptr_eq(&mine, &thread.join().expect("no panic")));
        assert_eq!(table.all().len(), 1);
    });
}

#[test]
fn loom_two_keys_for_one_place_never_have_two_and_lose_none_that_is_open() {
    model(|| {
        let table = Arc::new(Keyed::<Arc<Breaker>>::new(1, 0));
        let other = Arc::clone(&table);
        let take = |table: &Keyed<Arc<Breaker>>, key| {
            let breaker = table.get(key, NOW, || Breaker::new(settings()));
            breaker.map(|breaker| breaker.force_open()).is_some()
        };
        let thread = thread::spawn(move || take(&other, "one"));
        let mine = take(&table, "other");
        let theirs = thread.join().expect("no panic");
        assert!(table.all().len() <= 1);
        assert!(mine || theirs, "there was a place for one of them");
        // Nobody takes the place of one that keeps calls away.
        let open = table.all().into_iter().filter(|(_, breaker)| breaker.state() == State::ForcedOpen).count();
        assert_eq!((open, table.get("third", NOW, || Breaker::new(settings())).is_none()), (1, true));
    });
}
