use std::time::Duration;

use proptest::prelude::*;

use crate::ask::{Ask, Decision, Receipt, Retry};
use crate::contract::BucketJudge;
use crate::gcra::Gcra;
use crate::quota::{QuotaError, Rate, Scale};

const MS: u64 = 16_000_000;

fn ten_a_second(burst: u64) -> Gcra {
    Gcra::bucket(Rate::per_second(10), burst, Scale::Local).expect("legal")
}

#[test]
fn a_burst_is_admitted_and_then_one_each_interval() {
    let bucket = ten_a_second(3);
    let mut tat = 0;
    let mut ask = |now: u64| {
        let (decision, next) = bucket.decide(tat, now * MS, Ask::spend(1));
        tat = next.unwrap_or(tat);
        decision.is_admitted()
    };
    let admitted = [5000, 5000, 5000, 5000, 5099, 5100, 5100, 5400, 5400, 5400, 5400].map(&mut ask);
    assert_eq!(admitted, [true, true, true, false, false, true, false, true, true, true, false]);
}

#[test]
fn an_answer_says_what_is_left_and_when() {
    let (decision, next) = ten_a_second(5).decide(0, 1000 * MS, Ask::spend(2));
    assert_eq!(next, Some(1200 * MS));
    let receipt = Receipt { cost: 2, at: 1000 * MS, worth: 200 * MS, era: 0, shared: false };
    let reset = Duration::from_millis(200);
    let wait = Duration::ZERO;
    assert_eq!(decision, Decision { asked: 2, granted: 2, remaining: 3, retry: Retry::Now, reset, wait, receipt });
    let (decision, next) = ten_a_second(5).decide(1450 * MS, 1000 * MS, Ask::spend(2));
    assert_eq!(next, None);
    let retry = Retry::After(Duration::from_millis(150));
    let (reset, receipt) = (Duration::from_millis(450), Receipt::default());
    assert_eq!(decision, Decision { asked: 2, granted: 0, remaining: 0, retry, reset, wait, receipt });
}

#[test]
fn a_check_and_a_cost_of_zero_change_nothing() {
    let bucket = ten_a_second(5);
    for ask in [Ask::check(1), Ask::check(5), Ask::check(6), Ask::spend(0), Ask::partial(0), Ask::spend(6)] {
        let (decision, next) = bucket.decide(0, MS, ask);
        assert_eq!((next, decision.receipt), (None, Receipt::default()), "{ask:?}");
        assert_eq!(decision.is_admitted(), ask.cost <= 5, "{ask:?}");
    }
}

#[test]
fn a_part_is_granted_when_all_does_not_fit() {
    let bucket = ten_a_second(5);
    let (decision, next) = bucket.decide(1250 * MS, 1000 * MS, Ask::partial(4));
    assert_eq!((decision.granted, next), (2, Some(1450 * MS)));
    let (decision, _) = bucket.decide(0, 1000 * MS, Ask::partial(u64::MAX));
    assert_eq!((decision.granted, decision.remaining, decision.retry), (5, 0, Retry::Never));
}

#[test]
fn a_cost_beyond_the_burst_is_never_admitted() {
    for cost in [6, 1 << 32, 1 << 63, u64::MAX - 1, u64::MAX] {
        let (decision, next) = ten_a_second(5).decide(0, 7 * MS, Ask::spend(cost));
        assert_eq!((decision.granted, decision.retry, next), (0, Retry::Never, None), "{cost}");
    }
}

#[test]
fn a_rate_of_zero_refuses_everything() {
    let never = Gcra::bucket(Rate::per_second(0), 5, Scale::Local).expect("legal");
    for ask in [Ask::spend(1), Ask::partial(9), Ask::check(1), Ask::spend(u64::MAX)] {
        let (decision, next) = never.decide(0, u64::MAX, ask);
        assert_eq!((decision.granted, decision.retry, next), (0, Retry::Never, None), "{ask:?}");
    }
}

#[test]
fn absurd_rates_and_times_admit_no_more_than_they_say() {
    for (rate, burst) in [
        (Rate::per_second(u64::MAX), u64::MAX),
        (Rate::new(1, Duration::from_nanos(1)).expect("legal"), u64::MAX),
        (Rate::new(1, crate::LONGEST_PERIOD).expect("legal"), u64::MAX),
    ] {
        for tat in [0, 1, 1 << 62, (1 << 63) - 1] {
            for now in [0, 1, (1 << 62) - 1, 1 << 62, u64::MAX] {
                let bucket = Gcra::saturating(rate, burst, Scale::Local);
                let (decision, next) = bucket.decide(tat, now, Ask::partial(u64::MAX));
                assert!(decision.granted <= bucket.burst(), "{rate:?} {tat} {now}");
                assert!(next.is_none_or(|next| next < 1 << 63), "{rate:?} {tat} {now}");
            }
        }
    }
    assert_eq!(Gcra::bucket(Rate::per_second(1), 0, Scale::Local), Err(QuotaError::Zero("the burst")));
    assert_eq!(
        Gcra::bucket(Rate::per_second(1), u64::MAX, Scale::Local),
        Err(QuotaError::LongBurst { burst: u64::MAX })
    );
}

#[test]
fn an_interval_that_does_not_divide_is_rounded_to_fewer() {
    // 300 million a second: 3⅓ ns, which is 53⅓ ticks. Not 48 ticks, as whole nanoseconds rounded down would be.
    let bucket = Gcra::bucket(Rate::per_second(300_000_000), 1, Scale::Local).expect("legal");
    assert_eq!(bucket.interval(), 54);
}

#[test]
fn shaping_spaces_what_it_admits() {
    let bucket = Gcra::shaping(Rate::per_second(10), 2, Scale::Local).expect("legal");
    let mut tat = 0;
    let mut ask = |now: u64| {
        let (decision, next) = bucket.decide(tat, now * MS, Ask::spend(1));
        tat = next.unwrap_or(tat);
        decision.is_admitted().then_some(u64::try_from(decision.wait.as_millis()).expect("short") + now)
    };
    let leaves = [1000, 1000, 1010, 1020, 1100, 1101, 2000].map(&mut ask);
    assert_eq!(leaves, [Some(1000), Some(1100), Some(1200), None, Some(1300), None, Some(2000)]);
}

#[test]
fn a_refund_at_once_is_whole_and_a_late_one_is_what_refilling_left() {
    let bucket = ten_a_second(10);
    let (decision, next) = bucket.decide(0, 1000 * MS, Ask::spend(4));
    let tat = next.expect("spent");
    assert_eq!(bucket.refund(tat, 1000 * MS, decision.receipt), Some(1000 * MS));
    // 100 ms later one unit has come back by itself, and a full bucket would not have gained it.
    assert_eq!(bucket.refund(tat, 1100 * MS, decision.receipt), Some(1100 * MS));
    let (_, next) = bucket.decide(tat, 1100 * MS, Ask::spend(6));
    assert_eq!(next, Some(2000 * MS));
    assert_eq!(bucket.refund(2000 * MS, 1100 * MS, decision.receipt), Some(1700 * MS));
    assert_eq!(bucket.refund(2000 * MS, 1400 * MS, decision.receipt), None);
}

#[test]
fn leases_take_what_refills_while_they_live_off_the_burst() {
    let bucket = Gcra::bucket(Rate::per_second(1000), 100, Scale::Shared).expect("legal");
    assert_eq!(bucket.leased(Duration::from_millis(20)).map(|leased| leased.burst()), Some(80));
    assert_eq!(bucket.leased(Duration::from_millis(99)).map(|leased| leased.burst()), Some(1));
    assert_eq!(bucket.leased(Duration::from_millis(100)), None);
}

#[test]
fn shares_add_up_to_no_more_than_the_whole() {
    for parts in [1_u64, 2, 3, 7, 16] {
        let bucket = Gcra::bucket(Rate::per_second(1000), 100, Scale::Shared).expect("legal");
        let share = bucket.share(1, parts);
        assert_eq!(share.burst(), 100 / parts);
        assert!(share.interval() >= bucket.interval() * parts);
        assert_eq!(Rate::per_second(90).share(1, parts).per(), Duration::from_secs(parts));
    }
    assert_eq!(ten_a_second(5).share(0, 4).decide(0, 0, Ask::spend(1)).0.retry, Retry::Never);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against a judge that counts in products and rounds nothing.
    #[test]
    fn no_schedule_is_admitted_more_than_the_contract(
        count in prop_oneof![1..20_u64, 1..10_000_000_000_u64],
        burst in prop_oneof![1..5_u64, 1..1_000_000_u64],
        per in prop_oneof![Just(1_u64), Just(1_000), Just(60_000)],
        shared in any::<bool>(),
        steps in prop::collection::vec((0..2_000_000_000_u64, 0..3_u32, 1..200_u64, any::<bool>()), 1..80),
    ) {
        let rate = Rate::new(count, Duration::from_millis(per)).expect("legal");
        let scale = if shared { Scale::Shared } else { Scale::Local };
        let Ok(bucket) = Gcra::bucket(rate, burst, scale) else { return Ok(()) };
        let mut judge = BucketJudge::new(rate, burst);
        let exact = (scale.span(rate.per())).is_multiple_of(u128::from(count));
        let (mut now, mut tat) = (Duration::ZERO, 0);
        for (pause, slow, share, partial) in steps {
            // Pauses of seconds, microseconds, none.
            now += Duration::from_nanos(pause / [1, 1000, 1_000_000_000][slow as usize]);
            if shared {
                now = Duration::from_micros(u64::try_from(now.as_micros()).expect("short"));
            }
            let cost = (burst * share / 100).max(1);
            let ask = if partial { Ask::partial(cost) } else { Ask::spend(cost) };
            let (decision, next) = bucket.decide(tat, scale.elapsed(now), ask);
            if !partial {
                let spent = bucket.spend(tat, scale.elapsed(now), cost);
                prop_assert_eq!(spent, decision.is_admitted().then(|| next.unwrap_or(tat)));
            }
            if exact && !partial {
                prop_assert_eq!(decision.is_admitted(), judge.allows(now, cost), "{:?} {}", bucket, cost);
            }
            prop_assert!(judge.admitted(now, decision.granted), "{:?} {} {:?}", bucket, burst, decision);
            tat = next.unwrap_or(tat);
        }
    }

    /// What is given back must not let more through than if it had never been taken.
    #[test]
    fn a_refund_is_no_more_than_never_having_spent(
        burst in 1..50_u64,
        steps in prop::collection::vec((0..300_u64, 1..20_u64, any::<bool>(), 0..4_usize), 1..60),
    ) {
        let bucket = ten_a_second(burst);
        let (mut tat, mut without) = (0, 0);
        let mut now = 0;
        let mut open = Vec::new();
        for (pause, cost, is_returned, back) in steps {
            now += pause * MS;
            let (decision, next) = bucket.decide(tat, now, Ask::spend(cost));
            tat = next.unwrap_or(tat);
            if is_returned {
                open.push(decision.receipt);
            } else if decision.is_admitted() {
                without = bucket.decide(without, now, Ask::spend(cost)).1.unwrap_or(without);
            }
            if back < open.len() {
                tat = bucket.refund(tat, now, open.remove(back)).unwrap_or(tat);
            }
        }
        for receipt in open {
            tat = bucket.refund(tat, now, receipt).unwrap_or(tat);
        }
        prop_assert!(tat.max(now) >= without.max(now), "{tat} {without} {now}");
    }
}
