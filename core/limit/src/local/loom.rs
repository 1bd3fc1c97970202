//! Every order of a few threads' steps, by loom: `cargo xtask loom`.
//! A table has two slots here.

use loom::sync::Arc;
use loom::sync::Mutex;
use loom::thread;

use super::sliding::{Counters, Sliding};
use super::table::{Flaw, Table};
use crate::ask::{Ask, Receipt};
use crate::concurrency::Concurrency;
use crate::gcra::Gcra;
use crate::key::Key;
use crate::quota::{Rate, Scale};
use crate::window::Window;

/// Whatever the key: both slots are its.
const A: Key = Key(0xa << 80);
const B: Key = Key(0xb << 80);
const C: Key = Key(0xc << 80);

const SECOND: u64 = 16_000_000_000;

fn one_a_second(burst: u64) -> Gcra {
    Gcra::saturating(Rate::per_second(1), burst, Scale::Local)
}

fn model(threads: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(if threads > 2 { 2 } else { 3 });
    builder.check(check);
}

/// What each thread is granted, when each asks once.
fn granted(flaw: Option<Flaw>, asks: &'static [(Key, u64, u64)], before: &'static [(Key, u64, u64)]) -> Vec<u64> {
    let bucket = one_a_second(1);
    let mut table = Table::new(1);
    table.flaw = flaw;
    let table = Arc::new(table);
    for &(key, now, cost) in before {
        let _ = table.decide(key, now, &bucket, Ask::spend(cost));
    }
    let ask = |&(key, now, cost): &'static (Key, u64, u64)| {
        let table = Arc::clone(&table);
        thread::spawn(move || table.decide(key, now, &bucket, Ask::spend(cost)).granted)
    };
    let threads: Vec<_> = asks.iter().map(ask).collect();
    threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
}

#[test]
fn loom_one_new_key_from_two_threads_is_admitted_once() {
    const ASKS: &[(Key, u64, u64)] = &[(A, SECOND, 1), (A, SECOND, 1)];
    model(2, || assert_eq!(granted(None, ASKS, &[]).iter().sum::<u64>(), 1));
}

#[test]
fn loom_one_new_key_from_two_threads_whose_clocks_see_other_slots_free_is_admitted_once() {
    // C is gone for the later thread only: each thread would take another slot.
    const BEFORE: &[(Key, u64, u64)] = &[(C, SECOND, 1)];
    const ASKS: &[(Key, u64, u64)] = &[(A, 2 * SECOND - 1, 1), (A, 2 * SECOND, 1)];
    model(2, || assert_eq!(granted(None, ASKS, BEFORE).iter().sum::<u64>(), 1));
}

#[test]
fn loom_without_a_second_look_a_key_is_admitted_twice() {
    const BEFORE: &[(Key, u64, u64)] = &[(C, SECOND, 1)];
    const ASKS: &[(Key, u64, u64)] = &[(A, 2 * SECOND - 1, 1), (A, 2 * SECOND, 1)];
    let most = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let seen = std::sync::Arc::clone(&most);
    model(2, move || {
        let sum = granted(Some(Flaw::NoSecondLook), ASKS, BEFORE).iter().sum();
        seen.fetch_max(sum, std::sync::atomic::Ordering::SeqCst);
    });
    assert_eq!(most.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[test]
fn loom_two_keys_that_race_for_one_slot_are_both_counted() {
    // One slot of two is taken. Of A and B one gets the other, the other one shares.
    model(2, || {
        let bucket = one_a_second(1);
        let table = Arc::new(Table::new(1));
        assert_eq!(table.decide(C, SECOND, &bucket, Ask::spend(1)).granted, 1);
        let other = Arc::clone(&table);
        let thread = thread::spawn(move || other.decide(A, SECOND, &bucket, Ask::spend(1)).granted);
        let mut b = table.decide(B, SECOND, &bucket, Ask::spend(1)).granted;
        let mut a = thread.join().expect("no panic");
        a += table.decide(A, SECOND, &bucket, Ask::spend(1)).granted;
        b += table.decide(B, SECOND, &bucket, Ask::spend(1)).granted;
        assert!(a <= 1 && b <= 1, "{a} {b}");
    });
}

#[test]
fn loom_two_keys_and_three_threads_race_for_two_slots() {
    const ASKS: &[(Key, u64, u64)] = &[(A, SECOND, 1), (B, SECOND, 1), (A, SECOND, 1)];
    model(3, || {
        let granted = granted(None, ASKS, &[]);
        assert!(granted[0] + granted[2] <= 1 && granted[1] <= 1, "{granted:?}");
    });
}

#[test]
fn loom_an_owner_that_spends_while_its_slot_is_taken_loses_nothing() {
    // A's bucket is full again at 2 s: B may take the slot while A spends in it.
    const BEFORE: &[(Key, u64, u64)] = &[(C, SECOND, 1), (A, SECOND, 1)];
    model(2, || {
        let bucket = one_a_second(1);
        let table = Arc::new(Table::new(1));
        for &(key, now, cost) in BEFORE {
            let _ = table.decide(key, now, &bucket, Ask::spend(cost));
        }
        let other = Arc::clone(&table);
        let thread = thread::spawn(move || other.decide(B, 2 * SECOND, &bucket, Ask::spend(1)).granted);
        let mut a = table.decide(A, 2 * SECOND, &bucket, Ask::spend(1)).granted;
        let mut b = thread.join().expect("no panic");
        a += table.decide(A, 2 * SECOND, &bucket, Ask::spend(1)).granted;
        b += table.decide(B, 2 * SECOND, &bucket, Ask::spend(1)).granted;
        assert!(a <= 1 && b <= 1, "{a} {b}");
    });
}

#[test]
fn loom_a_count_in_flight_is_given_back_whole() {
    model(2, || {
        let table = Arc::new(Table::new(1));
        let limit = Concurrency::new(1).expect("legal");
        let held = Arc::new(Mutex::new(0));
        let run = move |table: &Table, held: &Mutex<u64>| {
            let receipt: Receipt = table.decide(A, 0, &limit, Ask::spend(1)).receipt;
            if receipt.cost > 0 {
                let mut count = held.lock().expect("no panic");
                *count += 1;
                assert_eq!(*count, 1);
                *count -= 1;
                drop(count);
                table.refund(A, 0, &limit, receipt);
            }
        };
        let (other, others) = (Arc::clone(&table), Arc::clone(&held));
        let thread = thread::spawn(move || run(&other, &others));
        run(&table, &held);
        thread.join().expect("no panic");
        assert_eq!(table.decide(A, 0, &limit, Ask::check(1)).granted, 1);
    });
}

/// A window of two, of which one was taken in the first part of time; two threads ask, one of them as of a later
/// part, so that the word is summed anew while it is charged.
#[test]
fn loom_a_window_that_rolls_while_it_is_charged_admits_its_limit() {
    model(2, || {
        let table = Arc::new(Table::new(1));
        let counters = Arc::new(Counters::new(table.words()));
        let window = Window::new(Rate::per_second(2), Scale::Local).expect("legal");
        let ask = move |table: &Table, counters: &Counters, now| {
            table.decide(A, now, &Sliding { window, counters }, Ask::spend(1)).granted
        };
        let mut granted = ask(&table, &counters, SECOND);
        let (other, others) = (Arc::clone(&table), Arc::clone(&counters));
        let thread = thread::spawn(move || ask(&other, &others, SECOND));
        granted += ask(&table, &counters, SECOND + SECOND / 10);
        granted += thread.join().expect("no panic");
        granted += ask(&table, &counters, SECOND + SECOND / 5);
        assert_eq!(granted, 2);
    });
}
