//! Limits that are found, in virtual time.

mod naive;
mod world;

use crate::plans::Bits;
use naive::Naive;
use std::time::Duration;
use tidegate_traffic::bulkhead::{self, Limit};
use tidegate_traffic::gradient::{Gradient, Sample, Settings};
use tidegate_traffic::priority::Shares;
use world::{Load, World};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// So many calls that end within a window and took so long.
fn window(gradient: &mut Gradient, now: &mut Duration, took: Duration, in_flight: u32) {
    for _ in 0..10 {
        *now += 10 * MS;
        gradient.observe(Sample { began: now.saturating_sub(took), ended: *now, in_flight }, 0);
    }
}

fn limits(gradient: &mut Gradient, now: &mut Duration, took: Duration, in_flight: u32, windows: u32) -> Vec<u32> {
    let next = |_| {
        window(gradient, now, took, in_flight);
        gradient.limit()
    };
    (0..windows).map(next).collect()
}

fn begun() -> (Gradient, Duration) {
    let now = 100 * SECOND;
    (Gradient::new(Settings::default(), now), now)
}

#[test]
fn it_grows_by_its_root_while_calls_take_no_longer() {
    let (mut gradient, mut now) = begun();
    assert_eq!(limits(&mut gradient, &mut now, 20 * MS, 20, 4), [24, 29, 34, 40]);
    assert_eq!(gradient.least(), Some(20 * MS));
}

#[test]
fn it_shrinks_as_calls_take_longer_and_by_no_more_than_half() {
    let (mut gradient, mut now) = begun();
    let _ = limits(&mut gradient, &mut now, 20 * MS, 20, 1);
    assert_eq!(limits(&mut gradient, &mut now, 25 * MS, 20, 1), [29], "what is tolerated");
    assert_eq!(limits(&mut gradient, &mut now, 40 * MS, 20, 1), [23], "five eighths, and the root");
    assert_eq!(limits(&mut gradient, &mut now, 4000 * MS, 20, 3), [16, 12, 9]);
    assert_eq!(limits(&mut gradient, &mut now, 4000 * MS, 20, 30).last(), Some(&4), "the least");
}

#[test]
fn a_limit_that_is_not_used_does_not_grow() {
    let (mut gradient, mut now) = begun();
    assert_eq!(limits(&mut gradient, &mut now, 20 * MS, 9, 5), [20; 5]);
    assert_eq!(limits(&mut gradient, &mut now, 20 * MS, 10, 1), [24]);
}

#[test]
fn few_calls_say_nothing() {
    let (mut gradient, now) = begun();
    for call in 1..10 {
        let ended = now + call * SECOND;
        gradient.observe(Sample { began: now, ended, in_flight: 20 }, 0);
    }
    assert_eq!((gradient.limit(), gradient.least()), (20, None));
}

#[test]
fn the_latency_at_low_load_is_measured_again_at_half_of_the_limit() {
    let (mut gradient, mut now) = begun();
    let _ = limits(&mut gradient, &mut now, 20 * MS, 20, 1);
    let least = gradient.least();
    // It is slower for good: 299 windows more until half a minute is over.
    let before = limits(&mut gradient, &mut now, 60 * MS, 20, 298);
    assert_eq!((least, before.last()), (Some(20 * MS), Some(&4)));
    let measuring = limits(&mut gradient, &mut now, 60 * MS, 4, 1);
    assert_eq!((measuring, gradient.least()), (vec![4], Some(20 * MS)));
    let _ = limits(&mut gradient, &mut now, 60 * MS, 4, 2);
    assert_eq!(gradient.least(), Some(60 * MS), "calls that began before it are left out");
    assert_eq!(limits(&mut gradient, &mut now, 60 * MS, 9, 3), [6, 8, 11]);
}

fn bulkhead(queue: u32) -> bulkhead::Settings {
    let limit = Limit::Adaptive(Settings::default());
    bulkhead::Settings { limit, queue, wait: SECOND, shares: Shares::CLASSES }
}

/// 40 calls at once of 20 ms: 2 000 in a second.
fn load(seconds: u32, calls: u64) -> Load {
    Load { lasts: seconds * SECOND, at_once: 40, takes: 20 * MS, calls }
}

fn p99(took: &[Duration]) -> Duration {
    took[took.len() * 99 / 100]
}

#[test]
fn under_three_times_the_load_a_service_does_what_it_can_and_those_who_matter_are_served() {
    let mut world = World::new(bulkhead(10));
    let calm = world.run(load(20, 1600));
    let over = world.run(load(60, 6000));
    let good = over.good / 59;
    assert!(good >= 1800, "{good} of 2000 a second");
    assert!(p99(&over.took) <= 2 * p99(&calm.took), "{:?}, {:?} before", p99(&over.took), p99(&calm.took));
    let (served, all) = over.critical;
    assert!(served * 1000 >= all * 999, "{served} of {all}");
    let after = world.run(load(25, 1600));
    // The latency at low load is measured once meanwhile, for a tenth of a second.
    assert!(after.took.len() >= 1590 * 24, "all are served again: {}", after.took.len());
    assert!(p99(&after.took) <= p99(&calm.took) * 11 / 10, "{:?}", p99(&after.took));
}

#[test]
fn a_service_that_can_do_less_is_given_less_and_more_again() {
    let mut world = World::new(bulkhead(0));
    let _ = world.run(load(20, 1900));
    let less = world.run(Load { at_once: 10, ..load(60, 1900) });
    assert!(less.figures.limit <= 30, "{:?}", less.figures);
    assert!(less.good / 59 >= 450, "{} of 500 a second", less.good / 59);
    let more = world.run(load(60, 1900));
    assert!(more.good / 59 >= 1800, "{} of 1900 a second", more.good / 59);
}

#[test]
fn it_finds_what_the_formula_says() {
    let mut measured = 0;
    for seed in 0..100_000 {
        let mut bits = Bits(seed);
        let settings = Settings {
            min: 1 + u32::try_from(bits.below(10)).expect("small"),
            max: 20 + u32::try_from(bits.below(200)).expect("small"),
            initial: u32::try_from(bits.below(60)).expect("small"),
            window: MS * u32::try_from(1 + bits.below(50)).expect("small"),
            samples: 1 + u32::try_from(bits.below(6)).expect("small"),
            remeasure: MS * u32::try_from(50 + bits.below(1000)).expect("small"),
        };
        let mut now = SECOND;
        let (mut gradient, mut naive) = (Gradient::new(settings, now), Naive::new(settings, now));
        let usual = 1 + bits.below(40);
        let spread = 1 + usual * (1 + bits.below(4));
        for step in 0..120 {
            now += Duration::from_micros(bits.below(10_000));
            let took = Duration::from_millis(usual + bits.below(spread));
            let in_flight = u32::try_from(bits.below(80)).expect("small");
            let sample = Sample { began: now.saturating_sub(took), ended: now, in_flight };
            gradient.observe(sample, 1 << 63);
            let before = naive.least;
            naive.observe(sample, settings.remeasure / 20);
            measured += u32::from(naive.least > before && before.is_some());
            assert_eq!(gradient.least(), naive.least, "seed {seed}, step {step}");
            // What is a whole number here may be a hair less there.
            let off = (f64::from(gradient.limit()) - naive.limit()).abs();
            assert!(off <= 1.0, "seed {seed}, step {step}: {} and {}", gradient.limit(), naive.found);
        }
    }
    assert!(measured > 1000, "it was measured again: {measured}");
}
