//! Ejections in virtual time, beside one that remembers every call.
//!
//! What breaks what: ejection without the cap, a success that does not end a row, a release that comes early or never,
//! or a length that does not grow, each fails `it_ejects_whom_one_ejects…`; a reason that is given twice by two threads fails
//! `threads_that_fail_together…`; without the gap of five points `one_that_fails_a_thousandth…` fails.

use crate::plans::Bits;
use std::time::Duration;
use tidegate_traffic::Share;
use tidegate_traffic::outlier::{Outcome, Record, Sample, Settings, SettingsError, SuccessRate, Tally, Why, judge};

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Settings {
    Settings {
        consecutive_errors: Some(3),
        success_rate: None,
        ejection: 10 * SECOND,
        ejection_max: 35 * SECOND,
        ..Settings::default()
    }
}

/// One that remembers every call of an endpoint, and every ejection.
#[derive(Clone, Default)]
struct Naive {
    /// Calls since the last ejection ended, and whether they failed; the newest last.
    calls: Vec<Outcome>,
    /// When ejections began and ended.
    ejections: Vec<(Duration, Duration)>,
}

impl Naive {
    fn row(&self, counts: fn(Outcome) -> bool) -> usize {
        self.calls.iter().rev().take_while(|outcome| counts(**outcome)).count()
    }

    fn is_ejected(&self, now: Duration) -> bool {
        self.ejections.last().is_some_and(|(_, until)| *until > now)
    }

    /// The length of an ejection that begins now: by going through all that there were.
    fn length(&self, settings: &Settings, now: Duration) -> Duration {
        let mut times = 0_u32;
        let mut ended = Duration::ZERO;
        for (begin, end) in self.ejections.iter().copied().chain([(now, now)]) {
            let free = (begin - ended).as_nanos() / settings.ejection.as_nanos();
            times = times.saturating_sub(u32::try_from(free).unwrap_or(u32::MAX)) + 1;
            ended = end;
        }
        (settings.ejection * times).min(settings.ejection_max)
    }
}

#[test]
fn it_ejects_whom_one_ejects_that_remembers_every_call() {
    let mut seen = [0_u32; 4];
    for seed in 0..100_000 {
        let bits = &mut Bits(seed);
        let settings = Settings {
            consecutive_errors: (bits.below(4) > 0).then(|| 1 + bits.below(3) as u32),
            consecutive_gateway_errors: (bits.below(3) == 0).then(|| 1 + bits.below(2) as u32),
            max_ejected: Share::percent([10, 34, 50, 100][bits.below(4) as usize]),
            ..settings()
        };
        let count = 1 + bits.below(5) as usize;
        let (mut records, mut naive) = (vec![Record::default(); count], vec![Naive::default(); count]);
        let tallies: Vec<Tally> = (0..count).map(|_| Tally::default()).collect();
        let mut now = Duration::ZERO;
        for _ in 0..60 {
            now += Duration::from_millis(bits.below(4_000));
            for at in 0..count {
                if records[at].release(now) {
                    tallies[at].clear();
                    naive[at].calls.clear();
                    let (_, until) = naive[at].ejections.last_mut().expect("it was ejected");
                    assert!(*until <= now, "seed {seed}: released early");
                    *until = now;
                    seen[0] += 1;
                }
                assert_eq!(records[at].until.is_some(), naive[at].is_ejected(now), "seed {seed}");
            }
            let at = bits.below(count as u64) as usize;
            let outcome = [Outcome::Fine, Outcome::Failed, Outcome::Unreached, Outcome::Failed][bits.below(4) as usize];
            naive[at].calls.push(outcome);
            let told = tallies[at].add(&settings, outcome, None);
            let errors = naive[at].row(|outcome| outcome != Outcome::Fine);
            let gateway = naive[at].row(|outcome| outcome == Outcome::Unreached);
            let reached = |row: usize, limit: Option<u32>| {
                limit.and_then(|limit| (row > 0 && row.is_multiple_of(limit as usize)).then_some(row as u32))
            };
            let expected = reached(errors, settings.consecutive_errors).map(Why::Errors).or(reached(
                gateway,
                settings.consecutive_gateway_errors,
            )
            .map(Why::GatewayErrors));
            assert_eq!(told, expected, "seed {seed}: {settings:?}");
            if told.is_none() {
                continue;
            }
            let ejected = naive.iter().filter(|other| other.is_ejected(now)).count();
            let most = (count as f64 * settings.max_ejected.ratio()) as usize;
            let may = count > 1 && !naive[at].is_ejected(now) && ejected < most.max(1);
            let length = may.then(|| naive[at].length(&settings, now));
            assert_eq!(settings.eject(&mut records, at, now, 0), length, "seed {seed}: {settings:?}");
            if let Some(length) = length {
                naive[at].ejections.push((now, now + length));
                seen[1] += 1;
                seen[2] += u32::from(length > settings.ejection);
            }
            seen[3] += u32::from(!may);
        }
    }
    assert!(seen.iter().all(|count| *count > 10_000), "released, ejected, for longer, not ejected: {seen:?}");
}

#[test]
fn threads_that_fail_together_give_the_reason_once() {
    for _ in 0..200 {
        let tally = Tally::default();
        let settings = Settings { consecutive_errors: Some(8), ..settings() };
        let told: usize = std::thread::scope(|scope| {
            let fails = || (0..4).filter(|_| tally.add(&settings, Outcome::Failed, None).is_some()).count();
            let threads = [scope.spawn(fails), scope.spawn(fails)];
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(told, 1);
    }
}

fn sample(calls: u32, failed: u32, ms: u64) -> Sample {
    Sample { calls, failed, timed: calls, micros: u64::from(calls) * ms * 1000 }
}

fn of_rates(samples: &[Sample]) -> Vec<usize> {
    let settings = Settings { success_rate: Some(SuccessRate::default()), ..settings() };
    judge(&settings, samples).into_iter().map(|(at, _)| at).collect()
}

#[test]
fn an_endpoint_that_fails_much_more_than_the_others_stands_out() {
    let mut samples = vec![sample(100, 1, 5); 5];
    samples[3] = sample(120, 60, 5);
    assert_eq!(of_rates(&samples), [3]);
    assert_eq!(of_rates(&samples[..4]), [0; 0], "of fewer than five nothing is judged");
    samples[3] = sample(99, 60, 5);
    assert_eq!(of_rates(&samples), [0; 0], "of fewer than a hundred calls neither");
    assert_eq!(of_rates(&[sample(100, 50, 5); 6]), [0; 0], "all fail alike: ejecting one helps nobody");
}

#[test]
fn one_that_fails_a_thousandth_of_its_calls_does_not_although_the_others_never_do() {
    let mut samples = vec![sample(1000, 0, 5); 6];
    samples[0] = sample(1000, 1, 5);
    assert_eq!(of_rates(&samples), [0; 0]);
    samples[0] = sample(1000, 200, 5);
    assert_eq!(of_rates(&samples), [0]);
}

#[test]
fn an_endpoint_that_is_many_times_as_slow_as_the_others_stands_out() {
    let settings = Settings { slow: Some(5), ..settings() };
    let of = |samples: &[Sample]| judge(&settings, samples);
    let good = sample(100, 0, 5);
    let why = Why::Slow { took: Duration::from_millis(50), others: Duration::from_millis(5) };
    assert_eq!(of(&[good, sample(50, 0, 50), good]), [(1, why)]);
    assert_eq!(of(&[good, sample(50, 0, 50)]), [(1, why)], "of two, the quicker one is the measure");
    assert_eq!(of(&[good, sample(50, 0, 24), good]), [], "less than five times");
    assert_eq!(of(&[good, sample(19, 0, 50), good]), [], "too few calls");
    assert_eq!(of(&[sample(100, 0, 1), sample(100, 0, 9)]), [], "nine times, but 8 ms are nothing");
    assert_eq!(of(&[sample(100, 0, 50)]), [], "alone");
}

#[test]
fn settings_that_eject_nothing_or_for_no_time_are_refused() {
    let check = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().map_err(SettingsError::setting)
    };
    assert_eq!(check(|_| {}), Ok(()));
    assert_eq!(check(|settings| settings.max_ejected = Share::NONE), Err("max_ejected"));
    assert_eq!(check(|settings| settings.ejection = Duration::ZERO), Err("ejection"));
    assert_eq!(check(|settings| settings.ejection_max = SECOND), Err("ejection_max"));
    assert_eq!(check(|settings| settings.interval = Duration::ZERO), Err("interval"));
    assert_eq!(check(|settings| settings.slow = Some(1)), Err("slow"));
}
