use super::{Pace, jittered};
use crate::reflection::{FetchError, Fetched};
use std::time::Duration;

fn told(set: &'static str) -> Result<Fetched, FetchError> {
    Ok(Fetched { endpoint: "a:1".into(), method: "/", descriptor_set: set.into() })
}

fn failed() -> Result<Fetched, FetchError> {
    Err(FetchError { upstream: "up".into(), attempts: Vec::new() })
}

fn ms(durations: impl IntoIterator<Item = Duration>) -> Vec<u128> {
    durations.into_iter().map(|duration| duration.as_millis()).collect()
}

#[test]
fn after_failures_it_waits_twice_as_long_each_time_and_half_a_minute_at_most() {
    let mut pace = Pace::new(Duration::from_secs(30));
    let mut pauses = Vec::new();
    for _ in 0..8 {
        pace.note(&failed());
        pauses.push(pace.pause());
    }
    assert_eq!(ms(pauses), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    pace.note(&told("a"));
    pace.note(&failed());
    assert_eq!(ms([pace.pause()]), [500]);
    pace.failures = u32::MAX;
    pace.note(&failed());
    assert_eq!(ms([pace.pause()]), [30_000]);
}

#[test]
fn events_that_meant_nothing_count_later_each_time_and_never_later_than_the_interval() {
    let mut pace = Pace::new(Duration::from_secs(5));
    let mut gaps = Vec::new();
    for (early, result) in [
        (false, told("a")),
        (true, told("a")),
        (true, told("a")),
        (true, told("a")),
        (true, told("b")),
        (true, told("b")),
        // In its time.
        (false, told("b")),
        (true, told("b")),
        // It was restarted: that its schema is the same says nothing of the next time.
        (true, failed()),
        (true, told("b")),
    ] {
        pace.early = early;
        pace.note(&result);
        gaps.push(pace.gap());
    }
    assert_eq!(ms(gaps), [1_000, 2_000, 4_000, 5_000, 1_000, 2_000, 1_000, 2_000, 2_000, 1_000]);
}

#[test]
fn gateways_do_not_ask_all_at_once() {
    for duration in [Duration::from_millis(500), Duration::from_secs(30), Duration::from_secs(86_400)] {
        for _ in 0..100 {
            let jittered = jittered(duration);
            assert!(duration * 9 / 10 <= jittered && jittered <= duration * 11 / 10, "{jittered:?} for {duration:?}");
        }
    }
}
