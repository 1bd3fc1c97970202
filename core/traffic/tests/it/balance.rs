//! The choice of an endpoint, beside one that is written as it is explained.
//!
//! What breaks what: without the panic threshold, `who_may_be_picked…` fails; weights ignored in the first
//! draw, in the second or in the comparison, `shares_follow_the_weights…`, `the_second_of_two…` or `of_two_the_less_busy…`; the second draw not different from the first,
//! `of_two_the_less_busy…`; a ring whose points depend on the other endpoints, `an_endpoint_that_goes…`; an order of turns that
//! serves an endpoint in one go, `turns_are_taken…`.

use crate::plans::Bits;
use std::time::Duration;
use tidegate_traffic::balance::{Ask, Candidate, DECAY, Ewma, Load, Policy, SlowStart, Standing, Table};
use tidegate_traffic::{Split, SplitKey};

const SCHEDULES: u64 = 100_000;

const STANDINGS: [Standing; 4] = [Standing::Usable, Standing::Usable, Standing::Ejected, Standing::Dead];

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("10.0.0.{at}:50051")).collect()
}

fn candidates<'n>(names: &'n [String], weights: &[u32]) -> Vec<Candidate<'n>> {
    let pairs = names.iter().zip(weights);
    pairs.map(|(name, weight)| Candidate { name, weight: *weight, standing: Standing::Usable }).collect()
}

fn ring(bound: Option<u32>) -> Policy {
    Policy::RingHash { split: Split { key: SplitKey::Cookie("user".into()), salt: String::new() }, bound }
}

fn chance(bits: &mut Bits) -> u64 {
    bits.below(1 << 32) << 32 | bits.below(1 << 32)
}

/// Who may be picked, from the best to the last resort.
fn may(standings: &[Standing], not: &[usize]) -> Vec<usize> {
    let of = |kinds: &[Standing]| -> Vec<usize> {
        let all = (0..standings.len()).filter(|at| kinds.contains(&standings[*at]));
        all.collect()
    };
    let usable = of(&[Standing::Usable]);
    let alive = of(&[Standing::Usable, Standing::Ejected]);
    let all = of(&[Standing::Usable, Standing::Ejected, Standing::Dead]);
    let half = standings.len().div_ceil(2);
    let first = if usable.len() >= half {
        usable
    } else if alive.is_empty() {
        all.clone()
    } else {
        alive.clone()
    };
    let left = |those: Vec<usize>| -> Vec<usize> { those.into_iter().filter(|at| !not.contains(at)).collect() };
    [first, alive, all].into_iter().map(left).find(|those| !those.is_empty()).unwrap_or_default()
}

#[test]
fn who_may_be_picked_is_whoever_is_usable_and_in_panic_whoever_is_not_known_to_be_dead() {
    let names = names(6);
    let mut reached = [0_u32; 4];
    for seed in 0..SCHEDULES {
        let bits = &mut Bits(seed);
        let count = 1 + bits.below(6) as usize;
        let standings: Vec<_> = (0..count).map(|_| STANDINGS[bits.below(4) as usize]).collect();
        let weight = |bits: &mut Bits| if seed % 2 == 0 { 1 } else { 1 + bits.below(3) as u32 };
        let all: Vec<_> = (0..count)
            .map(|at| Candidate { name: &names[at], weight: weight(bits), standing: standings[at] })
            .collect();
        let policies = [Policy::LeastRequest, Policy::PeakEwma, Policy::RoundRobin, ring(None), ring(Some(125))];
        let policy = &policies[(seed % 5) as usize];
        let table = Table::new(policy, &all);
        let not: Vec<usize> = (0..count).filter(|_| bits.below(3) == 0).collect();
        let loads: Vec<_> =
            (0..count).map(|_| Load { in_flight: bits.below(4) as u32, cost: bits.below(9) as f64 }).collect();
        let ask = Ask { chance: chance(bits), place: None, not: &not };
        let turn = bits.below(1000);
        let picked = table.pick(ask, |at| loads[at], || turn);
        // With nobody to avoid, those who may be picked are those that are used.
        let mut used = table.used().to_vec();
        used.sort_unstable();
        let first = may(&standings, &[]);
        assert_eq!(used, first, "seed {seed}: {standings:?}");
        let usable = standings.iter().filter(|standing| **standing == Standing::Usable).count();
        assert_eq!(table.is_panicking(), usable * 2 < count, "seed {seed}: {standings:?}");
        let may = may(&standings, &not);
        let right = picked.map_or(may.is_empty(), |at| may.contains(&at));
        assert!(right, "seed {seed}, {policy}: {picked:?} of {may:?}, {standings:?} without {not:?}");
        for (seen, count) in
            [table.is_panicking(), !not.is_empty(), picked.is_none(), may.len() > 2].iter().zip(&mut reached)
        {
            *count += u32::from(*seen);
        }
    }
    assert!(reached.iter().all(|count| *count > 1000), "{reached:?}");
}

#[test]
fn of_two_the_less_busy_for_its_weight_is_picked_and_the_busiest_of_all_never() {
    let names = names(8);
    for seed in 0..SCHEDULES {
        let bits = &mut Bits(seed);
        let count = 2 + bits.below(7) as usize;
        let weights: Vec<u32> = (0..count).map(|_| if seed % 2 == 0 { 7 } else { 1 + bits.below(4) as u32 }).collect();
        let loads: Vec<_> =
            (0..count).map(|_| Load { in_flight: 1 + bits.below(20) as u32, cost: bits.below(1000) as f64 }).collect();
        let policy = if seed % 4 < 2 { Policy::LeastRequest } else { Policy::PeakEwma };
        let table = Table::new(&policy, &candidates(&names, &weights));
        let picked = table.pick(Ask { chance: chance(bits), ..Ask::default() }, |at| loads[at], || 0);
        let picked = picked.expect("there are endpoints");
        let busy = |at: usize| match policy {
            Policy::PeakEwma => loads[at].cost / f64::from(weights[at]),
            _ => f64::from(loads[at].in_flight + 1) / f64::from(weights[at]),
        };
        let busiest = (0..count).filter(|at| *at != picked).all(|other| busy(other) < busy(picked));
        assert!(!busiest, "seed {seed}, {policy}: {picked} of {loads:?}, weights {weights:?}");
        if count == 2 {
            let other = 1 - picked;
            assert!(busy(picked) <= busy(other), "seed {seed}, {policy}: {picked} of {loads:?}, weights {weights:?}");
        }
    }
}

/// How often each is picked in 100 000 calls that end before the next.
fn shares(policy: &Policy, weights: &[u32]) -> Vec<f64> {
    let names = names(weights.len());
    let table = Table::new(policy, &candidates(&names, weights));
    let mut counts = vec![0_u32; weights.len()];
    let mut bits = Bits(7);
    for turn in 0..SCHEDULES {
        let ask = Ask { chance: chance(&mut bits), ..Ask::default() };
        counts[table.pick(ask, |_| Load::default(), || turn).expect("there are endpoints")] += 1;
    }
    counts.into_iter().map(|count| f64::from(count) / SCHEDULES as f64).collect()
}

#[test]
fn shares_follow_the_weights_when_nobody_is_busy() {
    for (policy, tolerance) in [(Policy::LeastRequest, 0.01), (Policy::RoundRobin, 0.001), (ring(None), 0.08)] {
        for weights in [&[1, 1, 1, 1][..], &[1, 3], &[1, 2, 3, 4], &[5, 1, 1, 1]] {
            let sum: u32 = weights.iter().sum();
            for (share, weight) in shares(&policy, weights).into_iter().zip(weights) {
                let expected = f64::from(*weight) / f64::from(sum);
                assert!((share - expected).abs() < tolerance, "{policy} {weights:?}: {share} for {expected}");
            }
        }
    }
}

#[test]
fn the_second_of_two_is_drawn_by_weight_too() {
    let (names, weights) = (names(3), [1, 1, 8]);
    let table = Table::new(&Policy::LeastRequest, &candidates(&names, &weights));
    // The first is never the better one; the others are as busy as their weights say, so that the one drawn first is picked.
    let loads = [1_000, 0, 7].map(|in_flight| Load { in_flight, cost: 0.0 });
    let mut counts = [0_u32; 3];
    let mut bits = Bits(11);
    for _ in 0..SCHEDULES {
        let ask = Ask { chance: chance(&mut bits), ..Ask::default() };
        counts[table.pick(ask, |at| loads[at], || 0).expect("there are endpoints")] += 1;
    }
    // Drawn first in a tenth; second behind the busy one in a ninth of another tenth.
    let (share, expected) = (f64::from(counts[1]) / SCHEDULES as f64, 0.1 + 0.1 / 9.0);
    assert_eq!(counts[0], 0);
    assert!((share - expected).abs() < 0.005, "{share} for {expected}");
}

#[test]
fn turns_are_taken_as_often_as_weights_say_and_evenly_spread() {
    let names = names(6);
    for seed in 0..2_000 {
        let bits = &mut Bits(seed);
        let count = 2 + bits.below(5) as usize;
        let weights: Vec<u32> = (0..count).map(|_| 1 + bits.below(9) as u32).collect();
        let table = Table::new(&Policy::RoundRobin, &candidates(&names, &weights));
        let round: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let picks: Vec<usize> = (0..2 * round)
            .map(|turn| table.pick(Ask::default(), |_| Load::default(), || turn).expect("there are endpoints"))
            .collect();
        for (at, weight) in weights.iter().enumerate() {
            let taken: Vec<usize> = (0..picks.len()).filter(|turn| picks[*turn] == at).collect();
            assert_eq!(taken.len() as u64, 2 * u64::from(*weight), "seed {seed}: weights {weights:?}");
            // No gap is twice what it would be if they were exactly even, and a turn of each other.
            let even = round as usize / *weight as usize;
            let widest = taken.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
            assert!(widest <= 2 * even + count, "seed {seed}: weights {weights:?}, gap {widest} for {even}");
        }
    }
}

#[test]
fn an_endpoint_that_goes_moves_its_own_share_of_a_ring_and_no_other() {
    let names = names(10);
    let weights = [1, 1, 2, 1, 3, 1, 1, 2, 1, 1];
    let all = candidates(&names, &weights);
    let place = |table: &Table, place| {
        table
            .pick(Ask { place: Some(place), ..Ask::default() }, |_| Load::default(), || 0)
            .expect("there are endpoints")
    };
    let whole = Table::new(&ring(None), &all);
    for gone in 0..all.len() {
        let mut left = all.clone();
        left.remove(gone);
        let less = Table::new(&ring(None), &left);
        // Dead instead of gone is the same.
        let mut dead = all.clone();
        dead[gone].standing = Standing::Dead;
        let dead = Table::new(&ring(None), &dead);
        let mut bits = Bits(gone as u64);
        for _ in 0..SCHEDULES / 10 {
            let at = chance(&mut bits);
            let before = place(&whole, at);
            let after = place(&less, at);
            let after = if after >= gone { after + 1 } else { after };
            assert!(before == gone || before == after, "{at}: moved from {before} to {after} when {gone} went");
            assert_eq!(place(&dead, at), after);
        }
    }
}

#[test]
fn a_bounded_ring_gives_no_endpoint_more_than_its_bound() {
    let names = names(4);
    let weights = [1, 1, 2, 4];
    let table = Table::new(&ring(Some(125)), &candidates(&names, &weights));
    let mut in_flight = [0_u32; 4];
    // All callers are the same one: without the bound one endpoint has all of them.
    for all in 1..=400_u32 {
        let load = |at: usize| Load { in_flight: in_flight[at], cost: 0.0 };
        let picked = table.pick(Ask { place: Some(42), ..Ask::default() }, load, || 0).expect("there are endpoints");
        in_flight[picked] += 1;
        let most = (f64::from(all) * f64::from(weights[picked]) / 8.0 * 1.25).ceil();
        assert!(f64::from(in_flight[picked]) <= most, "{in_flight:?}");
    }
}

#[test]
fn an_average_follows_its_formula_jumps_to_peaks_and_survives_being_packed() {
    let mut bits = Bits(3);
    for _ in 0..1_000 {
        let (mut now, mut at, mut naive) = (Duration::ZERO, Duration::ZERO, None::<f64>);
        let mut ewma = Ewma::default();
        assert_eq!((ewma.latency(), ewma.cost(0, now)), (None, 0.0));
        for _ in 0..100 {
            now += Duration::from_millis(bits.below(4_000));
            let took = Duration::from_micros(1 + bits.below(1_000_000));
            let micros = took.as_micros() as f64;
            let weight = (-(now - at).as_secs_f64() / DECAY.as_secs_f64()).exp();
            naive = Some(match naive {
                Some(average) if micros < average => average * weight + micros * (1.0 - weight),
                _ => micros,
            });
            at = now;
            ewma = Ewma::from_bits(ewma.observe(took, now).to_bits());
            let later = now + Duration::from_millis(bits.below(4_000));
            let weight = (-(later - at).as_secs_f64() / DECAY.as_secs_f64()).exp();
            let expected = naive.unwrap_or_default() * weight * 3.0;
            let cost = ewma.cost(2, later);
            assert!((cost - expected).abs() <= expected * 1e-3, "{cost} for {expected}");
        }
    }
}

#[test]
fn a_weight_grows_in_tenths_and_says_when() {
    let start = SlowStart { window: Duration::from_secs(10) };
    let mut age = Duration::ZERO;
    let mut seen = vec![(0, start.tenths(age))];
    while let Some(next) = start.next(age) {
        assert_eq!(start.tenths(next - Duration::from_nanos(1)), start.tenths(age));
        age = next;
        seen.push((age.as_secs(), start.tenths(age)));
    }
    let expected = [(0, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8), (9, 9), (10, 10)];
    assert_eq!(seen, expected);
    let at_once = SlowStart { window: Duration::ZERO };
    assert_eq!((at_once.tenths(Duration::ZERO), at_once.next(Duration::ZERO)), (10, None));
}
