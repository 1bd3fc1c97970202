//! Breakers by key: which are forgotten, and which never.

use super::{FAILED, MS, OK, SECOND, settings};
use crate::plans::Bits;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tidegate_traffic::breaker::{Breaker, Keyed, Outcome, State};

type Table = Keyed<Arc<Breaker>>;

fn make() -> Arc<Breaker> {
    Breaker::new(settings())
}

/// Makes a call of this key, or none if there is no place for it or it is refused; says which.
fn call(table: &Table, key: &str, outcome: Outcome, now: Duration) -> Option<bool> {
    let breaker = table.get(key, now, make)?;
    let permit = breaker.admit(now, 0).0.ok();
    let admitted = permit.is_some();
    permit.map(|permit| permit.end(outcome, now, 0));
    Some(admitted)
}

fn open(table: &Table, key: &str, now: Duration) {
    let calls: Vec<_> = (0..4).map(|_| call(table, key, FAILED, now)).collect();
    assert_eq!(calls, [Some(true); 4], "{key}");
    assert_eq!(state(table, key), Some(State::Open));
}

fn state(table: &Table, key: &str) -> Option<State> {
    table.find(key).map(|breaker| breaker.state())
}

fn keys(table: &Table) -> Vec<String> {
    table.all().into_iter().map(|(key, _)| key.into()).collect()
}

#[test]
fn a_key_that_fails_does_not_take_another_with_it() {
    let table = Table::new(10, 7);
    open(&table, "acme", SECOND);
    assert_eq!(call(&table, "other", OK, SECOND), Some(true));
    assert_eq!(call(&table, "acme", OK, SECOND), Some(false));
    let all: Vec<_> = table.all().into_iter().map(|(key, breaker)| (key, breaker.state())).collect();
    assert_eq!(all, [("acme".into(), State::Open), ("other".into(), State::Closed)]);
}

#[test]
fn a_new_key_takes_the_place_of_a_closed_one_and_never_that_of_an_open_one() {
    let table = Table::new(2, 7);
    open(&table, "acme", SECOND);
    for (at, key) in (2..).zip(["a", "b", "c", "d"]) {
        assert_eq!(call(&table, key, OK, SECOND + at * MS), Some(true));
        let want = BTreeSet::from(["acme", key]);
        assert_eq!(keys(&table).iter().map(String::as_str).collect::<BTreeSet<_>>(), want);
    }
    open(&table, "b", 2 * SECOND);
    assert_eq!(call(&table, "c", OK, 2 * SECOND), None, "both keep calls away");
    assert_eq!(keys(&table), ["acme", "b"]);
}

#[test]
fn an_open_one_whose_callers_do_not_come_back_makes_room_when_its_interval_is_over() {
    let table = Table::new(1, 7);
    open(&table, "acme", SECOND);
    assert_eq!(call(&table, "other", OK, 6 * SECOND - MS), None);
    assert_eq!(call(&table, "other", OK, 6 * SECOND), None, "it is not searched again for a tenth of a second");
    assert_eq!(call(&table, "other", OK, 6 * SECOND + 100 * MS), Some(true));
    assert_eq!(keys(&table), ["other"]);
}

#[test]
fn one_that_probes_makes_room_when_nobody_probed_for_long() {
    let table = Table::new(1, 7);
    open(&table, "acme", SECOND);
    assert_eq!(call(&table, "acme", OK, 6 * SECOND), Some(true));
    assert_eq!(state(&table, "acme"), Some(State::HalfOpen), "two more probes are wanted");
    assert_eq!(call(&table, "other", OK, 15 * SECOND), None);
    assert_eq!(call(&table, "other", OK, 17 * SECOND), Some(true));
}

#[test]
fn what_was_commanded_is_never_forgotten() {
    let table = Table::new(2, 7);
    table.get("shut", SECOND, make).expect("a place").force_open();
    table.get("free", SECOND, make).expect("a place").disable();
    assert_eq!(call(&table, "other", OK, 1000 * SECOND), None);
    assert_eq!(keys(&table), ["free", "shut"]);
}

#[test]
fn over_random_schedules_no_breaker_that_keeps_calls_away_is_lost_and_the_bound_holds() {
    for seed in 0..200 {
        let mut bits = Bits(seed);
        let bound = 1 + usize::try_from(bits.below(24)).expect("small");
        let table = Table::new(bound, seed);
        let mut now = SECOND;
        // Those that keep calls away, and until when at least.
        let mut away: Vec<(String, Duration)> = Vec::new();
        for _ in 0..600 {
            now += MS * u32::try_from(bits.below(40)).expect("small");
            let key = format!("k{}", bits.below(40));
            let outcome = if bits.below(3) == 0 { OK } else { FAILED };
            let before: BTreeSet<String> = keys(&table).into_iter().collect();
            let made = call(&table, &key, outcome, now);
            away.retain(|(_, until)| now < *until);
            for (key, until) in &away {
                let found = state(&table, key);
                assert_eq!(found, Some(State::Open), "seed {seed}: {key} was forgotten, and is open until {until:?}");
            }
            assert!(table.all().len() <= bound, "seed {seed}");
            if made.is_none() {
                assert!(!before.contains(&key), "seed {seed}: {key} had a place");
                assert_eq!(before.len(), bound, "seed {seed}: there were places");
                let closed = table.all().into_iter().find(|(_, breaker)| breaker.state() == State::Closed);
                assert_eq!(closed.map(|(key, _)| key), None, "seed {seed}: that one could have made room");
            }
            if state(&table, &key) == Some(State::Open) && !away.iter().any(|(known, _)| *known == key) {
                away.push((key, if made == Some(true) { now + 5 * SECOND } else { now }));
            }
        }
    }
}

#[test]
fn threads_that_come_with_one_key_share_one_breaker() {
    for seed in 0..50 {
        let table = Arc::new(Table::new(8, seed));
        let ask = |table: Arc<Table>| std::thread::spawn(move || table.get("same", SECOND, make).expect("a place"));
        let threads: Vec<_> = (0..4).map(|_| ask(Arc::clone(&table))).collect();
        let all: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        assert!(all.iter().all(|breaker| Arc::ptr_eq(breaker, &all[0])));
        assert_eq!(keys(&table), ["same"]);
    }
}

#[test]
fn threads_never_take_more_places_than_there_are() {
    let table = Arc::new(Table::new(8, 7));
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            let table = Arc::clone(&table);
            std::thread::spawn(move || {
                let mut bits = Bits(thread);
                for step in 0..5_000_u32 {
                    let key = format!("k{}", bits.below(30));
                    let _ = call(&table, &key, OK, SECOND + step * MS);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert_eq!(table.all().len(), 8);
}
