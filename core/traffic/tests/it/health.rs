//! Health checks, beside one that remembers every check.
//!
//! What breaks what: a first check that does not decide, a run that a check between does not end, or thresholds that are
//! exchanged, all fail `it_does_what_one_does…`; no jitter fails `checks_are_spread…`.

use crate::plans::Bits;
use std::time::Duration;
use tidegate_traffic::health::{Health, Machine, Settings};

/// What is known after these checks, by looking at all of them.
fn naive(settings: &Settings, checks: &[bool]) -> Health {
    let mut health = Health::Unknown;
    for end in 1..=checks.len() {
        let last = checks[end - 1];
        let run = checks[..end].iter().rev().take_while(|check| **check == last).count() as u32;
        health = match (health, last) {
            (Health::Unknown, true) => Health::Healthy,
            (Health::Unknown, false) => Health::Unhealthy,
            (Health::Healthy, false) if run >= settings.unhealthy => Health::Unhealthy,
            (Health::Unhealthy, true) if run >= settings.healthy => Health::Healthy,
            (health, _) => health,
        };
    }
    health
}

#[test]
fn it_does_what_one_does_that_remembers_every_check() {
    let mut changes = 0;
    for seed in 0..100_000 {
        let mut bits = Bits(seed);
        let settings =
            Settings { unhealthy: 1 + bits.below(4) as u32, healthy: 1 + bits.below(4) as u32, ..Settings::default() };
        let mut machine = Machine::default();
        let mut checks = Vec::new();
        let failing = 1 + bits.below(9);
        for _ in 0..20 {
            let before = machine.health();
            let passed = bits.below(10) >= failing;
            checks.push(passed);
            let told = machine.step(&settings, passed);
            let expected = naive(&settings, &checks);
            assert_eq!(machine.health(), expected, "seed {seed}: {settings:?}, {checks:?}");
            assert_eq!(told, (expected != before).then_some(expected), "seed {seed}: {checks:?}");
            changes += u32::from(told.is_some());
        }
    }
    assert!(changes > 200_000, "{changes} changes");
}

#[test]
fn checks_are_spread_and_come_sooner_while_there_is_doubt() {
    let settings = Settings { interval: Duration::from_secs(10), ..Settings::default() };
    let mut machine = Machine::default();
    machine.step(&settings, true);
    let ends = [0, u64::MAX / 2 + 1].map(|chance| machine.pause(&settings, chance));
    assert_eq!(ends, [Duration::from_secs(9), Duration::from_secs(10)]);
    assert!(machine.pause(&settings, u64::MAX) < Duration::from_secs(11));
    machine.step(&settings, false);
    assert_eq!(machine.pause(&settings, u64::MAX / 2 + 1), Duration::from_secs(2));
}
