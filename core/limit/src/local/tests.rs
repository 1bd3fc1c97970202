use std::collections::HashMap;
use std::time::Duration;

use super::table::Flaw;
use super::*;
use crate::algorithm::Algorithm;
use crate::ask::{Mode, Retry};
use crate::contract::{BucketJudge, WindowJudge};
use crate::gcra::Gcra;
use crate::key::Keys;
use crate::quota::Rate;

const SECOND: Duration = Duration::from_secs(1);

/// A small generator of numbers; the seed is in every message.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }
}

fn key(number: u64) -> Key {
    Keys::new(7).of("test").only(&number.to_be_bytes())
}

fn kinds(rate: Rate) -> Vec<(Algorithm, Store, Policy)> {
    let all = [
        Algorithm::TokenBucket { rate, burst: rate.count() },
        Algorithm::SlidingWindow(rate),
        Algorithm::SlidingLog(rate),
        Algorithm::FixedWindow(rate),
        Algorithm::Concurrency(rate.count()),
    ];
    let made = |algorithm: Algorithm| {
        let policy = algorithm.compile(Scale::Local).expect("legal");
        (algorithm, Store::new(algorithm.kind(), 64), policy)
    };
    all.map(made).into()
}

#[test]
fn every_algorithm_admits_its_limit_and_not_one_more() {
    for (algorithm, store, policy) in kinds(Rate::per_second(10)) {
        let at = Duration::from_secs(77);
        let decisions = [4, 7, 3, 0, 3, 1, u64::MAX].map(|cost| store.decide(key(1), at, &policy, Ask::spend(cost)));
        assert_eq!(decisions.map(|decision| decision.granted), [4, 0, 3, 0, 3, 0, 0], "{algorithm:?}");
        assert_eq!(decisions.map(|decision| decision.remaining), [6, 6, 3, 3, 0, 0, 0], "{algorithm:?}");
        assert_eq!(store.decide(key(2), at, &policy, Ask::check(10)).granted, 10, "{algorithm:?}");
        assert_eq!(store.decide(key(2), at, &policy, Ask::partial(11)).granted, 10, "{algorithm:?}");
        assert_eq!(store.live(at, &policy), 2, "{algorithm:?}");
    }
}

#[test]
fn whoever_waits_as_long_as_told_is_admitted() {
    for (algorithm, store, policy) in kinds(Rate::new(100, 10 * SECOND).expect("legal")) {
        let mut dice = Dice(99);
        let mut now = SECOND;
        for step in 0..2000 {
            now += Duration::from_micros(dice.roll(200_000));
            let cost = 1 + dice.roll(40);
            let decision = store.decide(key(1), now, &policy, Ask::spend(cost));
            match decision.retry {
                Retry::Now => assert_eq!(decision.granted, cost, "{algorithm:?}, step {step}"),
                Retry::After(wait) => {
                    assert!(wait <= 10 * SECOND + 10 * SECOND / 24, "{algorithm:?}, step {step}: {wait:?}");
                    now += wait;
                    let later = store.decide(key(1), now, &policy, Ask::spend(cost));
                    assert!(later.is_admitted(), "{algorithm:?}, step {step}: {decision:?} {later:?}");
                }
                Retry::OnRelease => assert_eq!(algorithm, Algorithm::Concurrency(100)),
                Retry::Never => panic!("{algorithm:?}, step {step}: {decision:?}"),
            }
        }
    }
}

#[test]
fn a_window_admits_no_more_than_its_limit_wherever_it_begins() {
    for seed in 1..40 {
        let mut dice = Dice(seed);
        let rate = Rate::new(1 + dice.roll(50), SECOND).expect("legal");
        for (algorithm, store, policy) in kinds(rate) {
            if !matches!(algorithm, Algorithm::SlidingWindow(_) | Algorithm::SlidingLog(_)) {
                continue;
            }
            let mut judge = WindowJudge::new(rate);
            let (mut now, mut asked) = (Duration::from_secs(dice.roll(1 << 20)), 0);
            for step in 0..600 {
                now +=
                    Duration::from_micros(dice.roll([100, 50_000, 300_000][usize::try_from(step / 200).unwrap_or(0)]));
                let cost = 1 + dice.roll(3);
                asked += cost;
                let mode = if dice.roll(2) == 0 { Mode::Partial } else { Mode::Spend };
                let allowed = judge.allows(now, cost);
                let decision = store.decide(key(1), now, &policy, Ask { cost, mode });
                if matches!(algorithm, Algorithm::SlidingLog(_)) && mode == Mode::Spend {
                    assert_eq!(decision.is_admitted(), allowed, "{algorithm:?}, seed {seed}, step {step}");
                }
                assert!(judge.admitted(now, decision.granted), "{algorithm:?}, seed {seed}, step {step}");
            }
            assert!(asked > 0);
        }
    }
}

#[test]
fn a_window_under_overload_admits_nearly_all_of_its_limit() {
    let rate = Rate::per_second(1000);
    let (store, policy) = (Store::new(Kind::Window(SECOND), 4), Algorithm::SlidingWindow(rate).compile(Scale::Local));
    let policy = policy.expect("legal");
    let mut admitted = 0;
    for step in 0..200_000_u64 {
        let now = SECOND + Duration::from_micros(step * 500);
        admitted += store.decide(key(1), now, &policy, Ask::spend(1)).granted;
    }
    // 100 seconds.
    assert!((95_000..=101_000).contains(&admitted), "{admitted}");
}

#[test]
fn what_is_given_back_can_be_spent_again() {
    for (algorithm, store, policy) in kinds(Rate::per_second(10)) {
        for round in 0..100 {
            let now = Duration::from_secs(5);
            let first = store.decide(key(1), now, &policy, Ask::spend(10));
            assert_eq!(first.granted, 10, "{algorithm:?}, round {round}");
            assert_eq!(store.decide(key(1), now, &policy, Ask::spend(1)).granted, 0, "{algorithm:?}");
            store.refund(key(1), now, &policy, first.receipt);
        }
        let later = 50 * SECOND;
        let taken = store.decide(key(1), later, &policy, Ask::spend(10));
        assert_eq!(taken.granted, 10, "{algorithm:?}");
        store.reset(key(1), later, &policy);
        assert_eq!(store.decide(key(1), later, &policy, Ask::spend(10)).granted, 10, "{algorithm:?}");
    }
}

#[test]
fn of_several_limits_all_are_charged_or_none() {
    let now = Duration::from_secs(9);
    let wide = kinds(Rate::per_second(100));
    let narrow = kinds(Rate::per_second(3));
    for ((algorithm, wide, loose), (_, narrow, tight)) in wide.iter().zip(&narrow) {
        let part = |store, policy, enforced| Part { store, key: key(5), policy, ask: Ask::spend(2), enforced };
        let parts = [part(wide, loose, true), part(narrow, tight, true)];
        let first = decide_all(&parts, now);
        let second = decide_all(&parts, now);
        assert_eq!((first.refused, second.refused), (None, Some(1)), "{algorithm:?}");
        assert_eq!(second.decisions.iter().map(|one| one.receipt.cost).sum::<u64>(), 0, "{algorithm:?}");
        assert_eq!(wide.decide(key(5), now, loose, Ask::spend(98)).granted, 98, "{algorithm:?}");
        let watched = [part(narrow, tight, false)];
        assert_eq!(decide_all(&watched, now).refused, None, "{algorithm:?}");
    }
}

#[test]
fn more_keys_than_slots_take_no_more_memory_and_get_no_more_than_the_slots_have() {
    let policy = Algorithm::TokenBucket { rate: Rate::per_second(1), burst: 3 }.compile(Scale::Local).expect("legal");
    let store = Store::new(Kind::Bucket, 1000);
    let bytes = store.bytes();
    let mut granted = 0;
    for number in 0..200_000 {
        for _ in 0..2 {
            granted += store.decide(key(number), SECOND, &policy, Ask::spend(2)).granted;
        }
    }
    assert_eq!(store.bytes(), bytes);
    assert!(store.live(SECOND, &policy) > store.slots() / 4 * 3, "{}", store.live(SECOND, &policy));
    assert!(store.crowded() > 0);
    // One cost of 2 fits each place: the slots, and a shared bucket for sixteen of them.
    let places = store.slots() as u64 + store.slots() as u64 / 16;
    assert!(granted > places && granted <= 2 * places, "{granted}");
    // All of it is free again when the buckets are full.
    let later = 10 * SECOND;
    assert_eq!(store.live(later, &policy), 0);
    assert_eq!(store.decide(key(123_456_789), later, &policy, Ask::spend(3)).granted, 3);
}

#[test]
fn a_key_that_shared_a_bucket_gets_no_second_burst_in_a_slot_of_its_own() {
    for (algorithm, store, policy) in kinds(Rate::per_second(4)) {
        let mut granted: HashMap<u64, u64> = HashMap::new();
        for number in 0..4000 {
            *granted.entry(number).or_default() += store.decide(key(number), SECOND, &policy, Ask::spend(1)).granted;
        }
        assert!(store.crowded() > 0, "{algorithm:?}");
        for number in 0..100 {
            store.reset(key(number), SECOND, &policy);
        }
        for number in 100..4000 {
            for _ in 0..4 {
                *granted.entry(number).or_default() +=
                    store.decide(key(number), SECOND, &policy, Ask::spend(1)).granted;
            }
        }
        let most = (100..4000).map(|number| granted[&number]).max().unwrap_or(0);
        assert!((1..=4).contains(&most), "{algorithm:?}: {most}");
    }
}

/// A table with one flaw admits too much in the schedule that is about it; the real one does not.
fn forgetting(flaw: Option<Flaw>) -> u64 {
    let mut table = Table::new(16);
    table.flaw = flaw;
    let Ok(Policy::Bucket(bucket)) =
        (Algorithm::TokenBucket { rate: Rate::per_second(1), burst: 4 }).compile(Scale::Local)
    else {
        panic!("a bucket is a bucket")
    };
    let second = Scale::Local.elapsed(SECOND);
    // Sixteen keys fill the table; the next one shares.
    for number in 0..16 {
        assert_eq!(table.decide(key(number), second, &bucket, Ask::spend(1)).granted, 1);
    }
    let mut granted = table.decide(key(99), second, &bucket, Ask::spend(4)).granted;
    table.reset(key(3), second, &bucket);
    granted += table.decide(key(99), second, &bucket, Ask::spend(4)).granted;
    granted
}

#[test]
fn a_slot_that_forgets_the_shared_bucket_gives_a_second_burst() {
    assert_eq!(forgetting(None), 4);
    assert_eq!(forgetting(Some(Flaw::ForgetsShared)), 8);
}

fn late(flaw: Option<Flaw>) -> u128 {
    let mut table = Table::new(16);
    table.flaw = flaw;
    let rate = Rate::per_second(10);
    let Ok(Policy::Bucket(bucket)) = (Algorithm::TokenBucket { rate, burst: 4 }).compile(Scale::Local) else {
        panic!("a bucket is a bucket")
    };
    let tick = |millis| Scale::Local.elapsed(Duration::from_millis(millis));
    let mut judge = BucketJudge::new(rate, 4);
    // The key spends all, and its bucket refills until 1400.
    let first = table.decide(key(1), tick(1000), &bucket, Ask::spend(4)).granted;
    judge.admitted(Duration::from_millis(1000), first);
    // Others, later, take every slot, the key's among them; they are gone again.
    for number in 2..18 {
        assert_eq!(table.decide(key(number), tick(1450), &bucket, Ask::spend(1)).granted, 1);
    }
    for number in 2..18 {
        table.reset(key(number), tick(1450), &bucket);
    }
    // A thread that read its clock at 1000 comes to decide only now, at 1450; then come others.
    for millis in [1000, 1450, 1450] {
        let granted = table.decide(key(1), tick(millis), &bucket, Ask::spend(4)).granted;
        judge.admitted(Duration::from_millis(1450), granted);
    }
    judge.excess()
}

#[test]
fn a_newcomer_with_an_old_clock_gains_nothing() {
    assert_eq!(late(None), 0);
    assert_ne!(late(Some(Flaw::OldClock)), 0);
}

/// Threads, and keys that come and go in a table that is too small: every key against its judge.
#[test]
fn threads_admit_no_more_than_the_contract() {
    const THREADS: u64 = 3;
    let rate = Rate::per_second(1000);
    for (algorithm, store, policy) in kinds(rate) {
        if matches!(algorithm, Algorithm::Concurrency(_) | Algorithm::FixedWindow(_)) {
            continue;
        }
        let clock = std::sync::atomic::AtomicU64::new(1_000_000);
        let admitted: Vec<(u64, u64, u64)> = std::thread::scope(|scope| {
            let run = |seed| {
                let (store, policy, clock) = (&store, &policy, &clock);
                move || {
                    let mut dice = Dice(seed);
                    let mut admitted = Vec::new();
                    for _ in 0..20_000 {
                        let number = dice.roll(500) * dice.roll(3);
                        let now = clock.fetch_add(dice.roll(50), std::sync::atomic::Ordering::SeqCst);
                        let cost = 1 + dice.roll(200);
                        let decision =
                            store.decide(key(number), Duration::from_micros(now), policy, Ask::partial(cost));
                        let end = clock.load(std::sync::atomic::Ordering::SeqCst);
                        if dice.roll(10) == 0 {
                            store.refund(key(number), Duration::from_micros(end), policy, decision.receipt);
                        } else if decision.granted > 0 {
                            // Who comes late to a window or a log is counted where another thread's clock has
                            // brought it by then.
                            let ticks = match algorithm {
                                Algorithm::SlidingWindow(_) => {
                                    decision.receipt.at * (16 * 1_000_000_000_u64).div_ceil(24)
                                }
                                Algorithm::SlidingLog(_) => decision.receipt.at,
                                _ => 0,
                            };
                            admitted.push((number, now.max(ticks.div_ceil(16_000)), decision.granted));
                        }
                    }
                    admitted
                }
            };
            let threads: Vec<_> = (1..=THREADS).map(|seed| scope.spawn(run(seed))).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        });
        let mut by_key: HashMap<u64, Vec<(u64, u64)>> = HashMap::new();
        for (number, at, granted) in admitted {
            by_key.entry(number).or_default().push((at, granted));
        }
        for (number, mut admitted) in by_key {
            admitted.sort_unstable();
            let (mut bucket, mut window) = (BucketJudge::new(rate, 1000), WindowJudge::new(rate));
            for (at, granted) in admitted {
                let at = Duration::from_micros(at);
                let kept = match algorithm {
                    Algorithm::TokenBucket { .. } => bucket.admitted(at, granted),
                    _ => window.admitted(at, granted),
                };
                assert!(kept, "{algorithm:?}, key {number}");
            }
        }
    }
}

#[test]
fn yes_or_no_is_what_the_long_answer_says() {
    for (algorithm, store, policy) in kinds(Rate::per_second(100)) {
        let long = Store::new(algorithm.kind(), 64);
        let mut dice = Dice(5);
        let mut now = SECOND;
        for step in 0..5000 {
            now += Duration::from_micros(dice.roll(20_000));
            // More keys than slots.
            let (key, cost) = (key(dice.roll(300)), dice.roll(60));
            let short = store.admits(key, now, &policy, cost);
            let decision = long.decide(key, now, &policy, Ask::spend(cost));
            assert_eq!(short, decision.is_admitted(), "{algorithm:?}, step {step}");
        }
    }
}

#[test]
fn a_limit_without_keys_says_yes_or_no_as_its_long_answer_does() {
    let bucket = Gcra::saturating(Rate::per_second(100), 40, Scale::Local);
    let (short, long) = (Single::new(), Single::new());
    let mut dice = Dice(5);
    let mut now = SECOND;
    for step in 0..5000 {
        // A clock that goes back now and then.
        now = (now + Duration::from_micros(dice.roll(20_000))).saturating_sub(Duration::from_micros(dice.roll(5000)));
        let cost = dice.roll(45);
        let decision = long.decide(now, &bucket, Ask::spend(cost));
        assert_eq!(short.admits(now, &bucket, cost), decision.is_admitted(), "step {step}");
    }
}

#[test]
fn time_is_counted_to_the_end_and_stands_still_there() {
    let end = Duration::from_nanos((1 << 62) / 16);
    let cases = [
        (Duration::ZERO, 0),
        (Duration::new(1, 1), 16_000_000_016),
        (end - Duration::from_nanos(1), (1 << 62) - 16),
        (end, 1 << 62),
        (end + SECOND, 1 << 62),
        (Duration::MAX, 1 << 62),
    ];
    for (time, ticks) in cases {
        assert_eq!(Scale::Local.elapsed(time), ticks, "{time:?}");
    }
    let cases = [(Duration::from_nanos(1999), 31), (end, (1 << 62) / 1000), (Duration::MAX, 1 << 62)];
    for (time, ticks) in cases {
        assert_eq!(Scale::Shared.elapsed(time), ticks, "{time:?}");
    }
}

/// Keys of a process have one half of their hash from the other: they must be as far apart as the wide ones, in the
/// halves that a table looks at.
#[test]
fn keys_of_this_process_fill_a_table_as_evenly_as_others() {
    let bucket = Policy::Bucket(Gcra::saturating(Rate::new(1, 1000 * SECOND).expect("legal"), 9, Scale::Local));
    for of in [Keys::new(3).of("limit"), Keys::new(3).near().of("limit")] {
        let store = Store::new(Kind::Bucket, 20_000);
        for number in 0..20_000_u64 {
            assert!(store.admits(of.only(&number.to_le_bytes()), SECOND, &bucket, 1), "{number}");
        }
        let listed = |one: &[u8], other: &[u8]| of.start().with(one).with(other).key();
        assert_ne!(listed(b"a", b"bc"), listed(b"ab", b"c"));
        // Hardly any finds its sixteen slots taken, and none has another's budget.
        assert!(store.crowded() < 200, "{}", store.crowded());
        assert!(store.live(SECOND, &bucket) > 19_800, "{}", store.live(SECOND, &bucket));
    }
}
