//! Circuit breakers in virtual time.

mod keyed;
mod naive;

use crate::plans::Bits;
use naive::Naive;
use std::sync::Arc;
use std::time::Duration;
use tidegate_traffic::Share;
use tidegate_traffic::breaker::{
    Breaker, Change, Machine, Outcome, Refusal, Settings, SettingsError, State, Ticket, Why, Window,
};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

const OK: Outcome = Outcome { failed: false, took: MS };
const FAILED: Outcome = Outcome { failed: true, took: MS };
const SLOW: Outcome = Outcome { failed: false, took: Duration::from_millis(200) };

/// Half of at least four of ten calls; slow from 100 ms on.
fn settings() -> Settings {
    Settings {
        window: Window::Calls(10),
        failure_rate: Share::percent(50),
        slow_call: Duration::from_millis(100),
        slow_rate: Share::percent(80),
        min_calls: 4,
        open: 5 * SECOND,
        open_max: 60 * SECOND,
        half_open: 3,
        probing: 10 * SECOND,
    }
}

/// Makes a call that ends at once.
fn call(machine: &mut Machine, outcome: Outcome, now: Duration) -> Option<Change> {
    let (admitted, change) = machine.admit(now, 0);
    let settled = machine.settle(admitted.expect("admitted"), outcome, now, 0);
    change.or(settled)
}

/// One that has opened at 0 s, for 5 s.
fn opened() -> Machine {
    let mut machine = Machine::new(settings());
    let changes: Vec<_> = (0..4).filter_map(|_| call(&mut machine, FAILED, Duration::ZERO)).collect();
    let why = Why::Failures { calls: 4, failed: 4 };
    assert_eq!(changes, [Change { from: State::Closed, to: State::Open, why, open: Some(5 * SECOND) }]);
    machine
}

#[test]
fn it_opens_when_a_rate_is_reached_and_not_before_there_are_enough_calls() {
    let mut machine = Machine::new(settings());
    for outcome in [FAILED, FAILED, OK] {
        assert_eq!(call(&mut machine, outcome, SECOND), None);
    }
    let why = Why::Failures { calls: 4, failed: 2 };
    let change = Change { from: State::Closed, to: State::Open, why, open: Some(5 * SECOND) };
    assert_eq!(call(&mut machine, OK, SECOND), Some(change));
    let refusal = Refusal { state: State::Open, retry_after: Some(4 * SECOND) };
    assert_eq!(machine.admit(2 * SECOND, 0), (Err(refusal), None));
}

#[test]
fn slow_calls_open_it_although_they_succeed() {
    let mut machine = Machine::new(settings());
    let changes: Vec<_> = [OK, SLOW, SLOW, SLOW, SLOW].map(|outcome| call(&mut machine, outcome, SECOND)).into();
    let why = Why::Slowness { calls: 5, slow: 4 };
    let change = Change { from: State::Closed, to: State::Open, why, open: Some(5 * SECOND) };
    assert_eq!(changes, [None, None, None, None, Some(change)]);
}

#[test]
fn a_window_of_calls_forgets_the_oldest_and_one_of_time_those_that_are_out_of_it() {
    let mut machine = Machine::new(settings());
    for outcome in [OK, OK, OK, OK, OK, OK, FAILED, FAILED, FAILED, FAILED] {
        assert_eq!(call(&mut machine, outcome, SECOND), None);
    }
    let why = Why::Failures { calls: 10, failed: 5 };
    assert_eq!(call(&mut machine, FAILED, SECOND).map(|change| change.why), Some(why));

    let mut machine = Machine::new(Settings { window: Window::Time(SECOND), ..settings() });
    for at in [0, 50, 99, 1000] {
        assert_eq!(call(&mut machine, FAILED, at * MS), None, "the first three are out of it at 1000 ms");
    }
    assert_eq!(call(&mut machine, FAILED, 1950 * MS), None);
    let found: Vec<_> = [1960, 1999].map(|at| call(&mut machine, FAILED, at * MS).map(|change| change.why)).into();
    assert_eq!(found, [None, Some(Why::Failures { calls: 4, failed: 4 })], "that of 1000 ms is in it until 2000 ms");
}

#[test]
fn it_closes_when_all_probes_ended_well() {
    let mut machine = opened();
    let half_open = Change { from: State::Open, to: State::HalfOpen, why: Why::Interval, open: None };
    assert_eq!(machine.admit(5 * SECOND - MS, 0).0.expect_err("refused").retry_after, Some(MS));
    assert_eq!(call(&mut machine, OK, 5 * SECOND), Some(half_open));
    assert_eq!(call(&mut machine, FAILED, 5 * SECOND), None);
    let closed = Change { from: State::HalfOpen, to: State::Closed, why: Why::ProbesWell, open: None };
    assert_eq!(call(&mut machine, OK, 6 * SECOND), Some(closed));
    for _ in 0..3 {
        assert_eq!(call(&mut machine, FAILED, 6 * SECOND), None, "it begins with nothing counted");
    }
}

#[test]
fn no_more_calls_probe_than_are_allowed() {
    let mut machine = opened();
    let tickets: Vec<_> = (0..3).map(|_| machine.admit(5 * SECOND, 0).0.expect("a probe")).collect();
    let full = Refusal { state: State::HalfOpen, retry_after: None };
    assert_eq!(machine.admit(5 * SECOND, 0), (Err(full), None));
    let ends: Vec<_> = tickets.into_iter().map(|ticket| machine.settle(ticket, OK, 6 * SECOND, 0)).collect();
    assert!(matches!(ends[..], [None, None, Some(Change { to: State::Closed, .. })]), "{ends:?}");
}

#[test]
fn probes_that_fail_open_it_for_twice_as_long_up_to_the_longest() {
    let mut machine = opened();
    let mut now = Duration::ZERO;
    let mut intervals = vec![5];
    for _ in 0..6 {
        now += Duration::from_secs(*intervals.last().expect("one"));
        let _ = call(&mut machine, FAILED, now);
        // The second of three: half is reached, whatever the third does.
        let change = call(&mut machine, FAILED, now).expect("opens");
        assert_eq!((change.to, change.why), (State::Open, Why::Failures { calls: 2, failed: 2 }));
        intervals.push(change.open.expect("an interval").as_secs());
    }
    assert_eq!(intervals, [5, 10, 20, 40, 60, 60, 60]);
}

#[test]
fn intervals_are_spread_by_up_to_a_tenth() {
    let spread = [0, u64::MAX / 2, u64::MAX].map(|chance| {
        let mut machine = Machine::new(settings());
        let end = |machine: &mut Machine| {
            let ticket = machine.admit(SECOND, chance).0.expect("admitted");
            machine.settle(ticket, FAILED, SECOND, chance)
        };
        let change = (0..4).find_map(|_| end(&mut machine)).expect("opens");
        change.open.expect("an interval").as_millis()
    });
    assert_eq!(spread, [5000, 5249, 5499]);
}

#[test]
fn a_caller_that_leaves_gives_the_place_of_its_probe_back() {
    let breaker = Breaker::new(Settings { half_open: 1, ..settings() });
    for _ in 0..4 {
        let permit = breaker.admit(Duration::ZERO, 0).0.expect("admitted");
        let _ = permit.end(FAILED, Duration::ZERO, 0);
    }
    let probe = breaker.admit(5 * SECOND, 0).0.expect("a probe");
    assert_eq!(breaker.admit(5 * SECOND, 0).0.err(), Some(Refusal { state: State::HalfOpen, retry_after: None }));
    drop(probe);
    let probe = breaker.admit(5 * SECOND, 0).0.expect("its place is free again");
    assert_eq!(probe.end(OK, 5 * SECOND, 0).map(|change| change.to), Some(State::Closed));
    assert_eq!(Arc::strong_count(&breaker), 1);
}

#[test]
fn probes_that_do_not_end_have_failed_after_a_while() {
    let mut machine = opened();
    let hanging: Vec<_> = (0..3).map(|_| machine.admit(5 * SECOND, 0).0.expect("a probe")).collect();
    assert_eq!(machine.admit(15 * SECOND - MS, 0).1, None);
    let (refused, change) = machine.admit(15 * SECOND, 0);
    let open = Some(10 * SECOND);
    assert_eq!(change, Some(Change { from: State::HalfOpen, to: State::Open, why: Why::ProbesHang, open }));
    assert_eq!(refused, Err(Refusal { state: State::Open, retry_after: open }));
    for ticket in hanging {
        assert_eq!(machine.settle(ticket, OK, 16 * SECOND, 0), None, "of a state that is over");
    }
}

#[test]
fn one_probe_that_hangs_beside_good_ones_does_not_keep_it_half_open() {
    let mut machine = opened();
    let _hangs = machine.admit(5 * SECOND, 0).0.expect("a probe");
    let _ = call(&mut machine, OK, 5 * SECOND);
    let _ = call(&mut machine, OK, 5 * SECOND);
    let (admitted, change) = machine.admit(15 * SECOND, 0);
    assert_eq!(change, Some(Change { from: State::HalfOpen, to: State::Closed, why: Why::ProbesWell, open: None }));
    assert!(admitted.is_ok());
}

#[test]
fn few_calls_do_not_make_probes_hang() {
    let mut machine = opened();
    for minute in 1..=2 {
        let _ = call(&mut machine, OK, minute * 60 * SECOND);
        assert_eq!(machine.state(), State::HalfOpen);
    }
    assert_eq!(call(&mut machine, OK, 180 * SECOND).map(|change| change.to), Some(State::Closed));
}

#[test]
fn what_began_before_it_opened_does_not_count_when_it_is_half_open() {
    let mut machine = Machine::new(settings());
    let early = machine.admit(Duration::ZERO, 0).0.expect("admitted");
    let late = machine.admit(Duration::ZERO, 0).0.expect("admitted");
    for _ in 0..4 {
        let _ = call(&mut machine, FAILED, Duration::ZERO);
    }
    let _ = call(&mut machine, OK, 5 * SECOND);
    assert_eq!(machine.settle(early, FAILED, 5 * SECOND, 0), None);
    machine.release(late);
    let _ = call(&mut machine, OK, 5 * SECOND);
    assert_eq!(call(&mut machine, OK, 5 * SECOND).map(|change| change.to), Some(State::Closed));
}

#[test]
fn commands_hold_until_the_next() {
    let mut machine = Machine::new(settings());
    let forced = Change { from: State::Closed, to: State::ForcedOpen, why: Why::Command, open: None };
    assert_eq!((machine.force_open(), machine.force_open()), (Some(forced), None));
    let refusal = Refusal { state: State::ForcedOpen, retry_after: None };
    assert_eq!(machine.admit(1000 * SECOND, 0), (Err(refusal), None));
    assert_eq!(machine.disable().map(|change| change.to), Some(State::Disabled));
    for _ in 0..20 {
        assert_eq!(call(&mut machine, FAILED, SECOND), None);
    }
    assert_eq!(machine.reset().to, State::Closed);
    let opens = (0..20).find_map(|_| call(&mut machine, FAILED, SECOND));
    assert_eq!(opens.map(|change| change.open), Some(Some(5 * SECOND)));
}

#[test]
fn settings_that_make_no_breaker_are_told() {
    let cases = [
        (Settings { window: Window::Calls(0), ..settings() }, SettingsError::EmptyWindow),
        (Settings { window: Window::Time(MS), ..settings() }, SettingsError::EmptyWindow),
        (Settings { window: Window::Calls(100_001), ..settings() }, SettingsError::LargeWindow),
        (Settings { min_calls: 11, ..settings() }, SettingsError::MinCalls),
        (Settings { min_calls: 0, ..settings() }, SettingsError::MinCalls),
        (Settings { failure_rate: Share::NONE, ..settings() }, SettingsError::NoFailureRate),
        (Settings { slow_rate: Share::NONE, ..settings() }, SettingsError::NoSlowRate),
        (Settings { half_open: 0, ..settings() }, SettingsError::NoProbes),
        (Settings { open: Duration::ZERO, ..settings() }, SettingsError::NoTime),
        (Settings { open_max: SECOND, ..settings() }, SettingsError::ShortGrowth),
    ];
    for (wrong, error) in cases {
        assert_eq!(wrong.check(), Err(error), "{wrong:?}");
    }
    assert_eq!((settings().check(), Settings::default().check()), (Ok(()), Ok(())));
}

fn random_settings(bits: &mut Bits) -> Settings {
    let window = match bits.below(2) {
        0 => Window::Calls(u32::try_from(1 + bits.below(12)).expect("small")),
        _ => Window::Time(MS * u32::try_from(10 + bits.below(3000)).expect("small")),
    };
    let most = if let Window::Calls(calls) = window { u64::from(calls) } else { 8 };
    let settings = Settings {
        window,
        failure_rate: Share::percent(u32::try_from(1 + bits.below(100)).expect("small")),
        slow_call: Duration::from_millis(100),
        slow_rate: Share::percent(u32::try_from(1 + bits.below(100)).expect("small")),
        min_calls: u32::try_from(1 + bits.below(most)).expect("small"),
        open: MS * u32::try_from(1 + bits.below(500)).expect("small"),
        open_max: 2 * SECOND,
        half_open: u32::try_from(1 + bits.below(5)).expect("small"),
        probing: MS * u32::try_from(1 + bits.below(1000)).expect("small"),
    };
    assert_eq!(settings.check(), Ok(()));
    settings
}

/// One schedule of calls that overlap, end in any order or not at all, and commands, on both.
fn agree(seed: u64, steps: u32) -> [bool; 3] {
    let mut bits = Bits(seed);
    let settings = random_settings(&mut bits);
    let (mut machine, mut naive) = (Machine::new(settings), Naive::new(settings));
    let mut calls: Vec<(Ticket, u64)> = Vec::new();
    let mut now = Duration::ZERO;
    let mut seen = [false; 3];
    let failing = bits.below(10);
    for step in 0..steps {
        now += MS * u32::try_from(bits.below(40) * bits.below(6)).expect("small");
        let chance = bits.below(u64::MAX);
        match bits.below(100) {
            0..45 => {
                let (admitted, change) = machine.admit(now, chance);
                let expected = naive.admit(now, change.and_then(|change| change.open));
                let found = (admitted.as_ref().map(drop).map_err(|refusal| *refusal), change);
                assert_eq!(found, expected, "seed {seed}, step {step}, at {now:?}");
                calls.extend(admitted.ok().map(|ticket| (ticket, naive.period)));
            }
            45..97 if !calls.is_empty() => {
                let index = usize::try_from(bits.below(calls.len() as u64)).expect("an index");
                let (ticket, period) = calls.swap_remove(index);
                if bits.below(8) == 0 {
                    machine.release(ticket);
                    if period == naive.period {
                        naive.release();
                    }
                    continue;
                }
                let outcome =
                    Outcome { failed: bits.below(10) < failing, took: MS * 125 * u32::from(bits.below(6) == 0) };
                let change = machine.settle(ticket, outcome, now, chance);
                let opened = change.and_then(|change| change.open);
                let expected = (period == naive.period).then(|| naive.settle(outcome, now, opened)).flatten();
                assert_eq!(change, expected, "seed {seed}, step {step}, at {now:?}");
            }
            97 => assert_eq!(machine.reset(), naive.command(State::Closed)),
            98 if naive.state != State::ForcedOpen && bits.below(4) == 0 => {
                assert_eq!(machine.force_open(), Some(naive.command(State::ForcedOpen)));
            }
            99 if naive.state != State::Disabled && bits.below(4) == 0 => {
                assert_eq!(machine.disable(), Some(naive.command(State::Disabled)));
            }
            _ => {}
        }
        assert_eq!(machine.state(), naive.state, "seed {seed}, step {step}");
        let index = [State::Open, State::HalfOpen, State::Disabled].iter().position(|state| *state == naive.state);
        if let Some(index) = index {
            seen[index] = true;
        }
    }
    seen
}

#[test]
fn it_does_what_one_does_that_remembers_every_call() {
    let mut seen = [0; 3];
    for seed in 0..100_000 {
        for (count, saw) in seen.iter_mut().zip(agree(seed, 60)) {
            *count += u32::from(saw);
        }
    }
    assert!(seen.iter().all(|count| *count > 1000), "open, half-open and disabled were seen: {seen:?}");
}
