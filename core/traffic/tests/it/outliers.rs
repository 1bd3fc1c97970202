//! Ejections in virtual time, beside one that remembers every call.
//!
//! What breaks what: ejection without the cap, a success that does not end a row, a release that comes early or never,
//! or a length that does not grow, a trial that is not begun, passed by a failure or counts one call more, each fails
//! `it_ejects_whom_one_ejects…`; a reason that is given twice by two threads fails `threads_that_fail_together…`; without the
//! gap of five points `one_that_fails_a_thousandth…` fails; without
//! the deviations `one_of_many_that_differ…` does; where few endpoints are not judged, or one is measured by a mean that it
//! is part of, `one_of_three_that_fails…` fails; without the test of proportions `endpoints_that_fail_alike…` does.

use crate::plans::Bits;
use std::time::Duration;
use tidegate_traffic::Share;
use tidegate_traffic::outlier::{
    Outcome, Record, Sample, Settings, SettingsError, Sign, SuccessRate, TRIAL_CALLS, Tally, Trial, Why, judge,
};

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
    /// How many calls may fail of the trial that began with the first of `calls`.
    trial: Option<u32>,
}

impl Naive {
    fn row(&self, counts: fn(Outcome) -> bool) -> usize {
        self.calls.iter().rev().take_while(|outcome| counts(**outcome)).count()
    }

    /// What the last call says, for which this is a reason by itself: by going through all since the trial began.
    fn sign(&self, reason: Option<Why>, counts: impl Fn(Outcome) -> bool) -> Option<Sign> {
        let by_itself = reason.map(Sign::Eject);
        let Some(may_fail) = self.trial else { return by_itself };
        let (mut counted, mut failures, mut sign) = (0, 0, by_itself);
        for outcome in &self.calls {
            let failed = counts(*outcome);
            sign = match (counted == TRIAL_CALLS, failed && failures == may_fail) {
                (true, _) => by_itself,
                (_, true) => Some(Sign::Eject(Why::Again)),
                _ => {
                    (counted, failures) = (counted + 1, failures + u32::from(failed));
                    if counted == TRIAL_CALLS { by_itself.or(Some(Sign::Passed)) } else { by_itself }
                }
            };
        }
        sign
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
    let mut seen = [0_u32; 6];
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
                    let may_fail = bits.below(3) as u32;
                    tallies[at].begin_trial(Trial { may_fail, others: None });
                    naive[at].calls.clear();
                    naive[at].trial = Some(may_fail);
                    let (_, until) = naive[at].ejections.last_mut().expect("it was ejected");
                    assert!(*until <= now, "seed {seed}: released early");
                    *until = now;
                    seen[0] += 1;
                }
                assert_eq!(records[at].until.is_some(), naive[at].is_ejected(now), "seed {seed}");
            }
            let at = bits.below(count as u64) as usize;
            let outcomes =
                [Outcome::Failed, Outcome::Unreached, Outcome::Fine, Outcome::Fine, Outcome::Fine, Outcome::Fine];
            let outcome = outcomes[bits.below(if seed % 2 == 0 { 3 } else { 6 }) as usize];
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
            let counts = |outcome| match outcome {
                Outcome::Fine => false,
                Outcome::Failed => settings.consecutive_errors.is_some(),
                Outcome::Unreached => {
                    settings.consecutive_errors.is_some() || settings.consecutive_gateway_errors.is_some()
                }
            };
            let expected = naive[at].sign(expected, counts);
            assert_eq!(told, expected, "seed {seed}: {settings:?}");
            seen[4] += u32::from(told == Some(Sign::Passed));
            seen[5] += u32::from(told == Some(Sign::Eject(Why::Again)));
            if !matches!(told, Some(Sign::Eject(_))) {
                continue;
            }
            let ejected = naive.iter().filter(|other| other.is_ejected(now)).count();
            let most = (count as f64 * settings.max_ejected.ratio()) as usize;
            let may = count > 1 && !naive[at].is_ejected(now) && ejected < most.max(1);
            let length = may.then(|| naive[at].length(&settings, now));
            assert_eq!(settings.eject(&mut records, at, now, 0), length, "seed {seed}: {settings:?}");
            if let Some(length) = length {
                naive[at].ejections.push((now, now + length));
                tallies[at].end_trial();
                naive[at].trial = None;
                seen[1] += 1;
                seen[2] += u32::from(length > settings.ejection);
            }
            seen[3] += u32::from(!may);
        }
    }
    let of = "released, ejected, for longer, not ejected, passed, failed again";
    assert!(seen.iter().all(|count| *count > 5_000), "{of}: {seen:?}");
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
fn one_of_many_that_differ_does_not_stand_out_by_what_is_usual_among_them() {
    // The mean is 78 %, the deviation 14.1 points: 1.9 of them below it is 51 %.
    let mut samples = [0, 10, 20, 30, 40].map(|failed| sample(100, failed + 2, 5));
    assert_eq!(of_rates(&samples), [0; 0], "by far more than five points lower");
    samples = [5, 5, 5, 5, 60].map(|failed| sample(100, failed, 5));
    assert_eq!(of_rates(&samples), [4]);
}

#[test]
fn one_of_three_that_fails_half_of_its_calls_stands_out_by_default() {
    let of = |samples: &[Sample]| judge(&Settings::default(), samples);
    let good = sample(300, 0, 5);
    let why = |others| Why::SuccessRate { calls: 300, failed: 150, others };
    assert_eq!(of(&[good, good, sample(300, 150, 5)]), [(2, why(1.0))]);
    assert_eq!(of(&[sample(300, 150, 5), good]), [(0, why(1.0))], "one of two");
    assert_eq!(of(&[sample(300, 150, 5), sample(99, 0, 5)]), [], "beside too few calls");
    assert_eq!(of(&[sample(300, 150, 5)]), [], "alone");
    assert_eq!(of(&[good, good, sample(300, 29, 5)]), [], "less than ten points");
    let worst_first = of(&[good, sample(300, 150, 5), sample(300, 300, 5)]);
    assert_eq!(worst_first.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [2], "the one between is well beside it");
    assert_eq!(of(&[good, sample(300, 120, 5), sample(300, 150, 5)])[0].0, 2, "the worst first");
}

#[test]
fn endpoints_that_fail_alike_are_not_ejected_by_chance() {
    let bits = &mut Bits(5);
    let mut ejected = 0;
    for _ in 0..20_000 {
        let failing = 1 + bits.below(99);
        let calls = 100 + bits.below(50) as u32;
        let samples: [Sample; 3] = std::array::from_fn(|_| {
            let failed = (0..calls).filter(|_| bits.below(100) < failing).count();
            sample(calls, failed as u32, 5)
        });
        ejected += judge(&Settings::default(), &samples).len();
    }
    // Four standard errors: about one in 30 000 of 60 000. Ten points alone would eject thousands.
    assert!(ejected <= 12, "{ejected}");
}

#[test]
fn an_endpoint_on_trial_may_fail_as_the_others_do() {
    let may_fail = |samples: &[Sample]| Trial::beside(samples).may_fail;
    assert_eq!(may_fail(&[]), 0);
    assert_eq!(may_fail(&[sample(1000, 0, 5), sample(1000, 0, 5)]), 0);
    assert_eq!(may_fail(&[sample(1000, 1, 5), sample(0, 0, 5)]), 1);
    assert_eq!(may_fail(&[sample(500, 0, 5), sample(500, 100, 5)]), 3);
    assert_eq!(may_fail(&[sample(10, 20, 5)]), 10);
}

#[test]
fn an_endpoint_that_was_slow_passes_its_trial_if_it_is_quick() {
    let settings = Settings { slow: Some(5), ..settings() };
    let others = Duration::from_millis(4);
    let tried = |ms: u64| {
        let tally = Tally::default();
        tally.begin_trial(Trial { may_fail: 0, others: Some(others) });
        let mut signs = (0..TRIAL_CALLS).map(|_| tally.add(&settings, Outcome::Fine, Some(Duration::from_millis(ms))));
        let first = signs.find_map(|sign| sign);
        (first, signs.count(), tally.is_on_trial())
    };
    let slow = Why::Slow { took: Duration::from_millis(20), others };
    assert_eq!(tried(20), (Some(Sign::Eject(slow)), 0, false));
    assert_eq!(tried(19), (Some(Sign::Passed), 0, false));
}

#[test]
fn threads_that_end_a_trial_together_are_told_once() {
    for _ in 0..200 {
        let tally = Tally::default();
        let settings = settings();
        tally.begin_trial(Trial { may_fail: 2, others: None });
        let outcome = |at: u32| if at == 1 { Outcome::Failed } else { Outcome::Fine };
        let told: usize = std::thread::scope(|scope| {
            let ends = || (0..TRIAL_CALLS / 2).filter(|at| tally.add(&settings, outcome(*at), None).is_some()).count();
            let threads = [scope.spawn(ends), scope.spawn(ends)];
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!((told, tally.is_on_trial()), (1, false));
    }
}

#[test]
fn an_endpoint_that_is_many_times_as_slow_as_the_others_stands_out() {
    let settings = Settings { slow: Some(5), ..settings() };
    let of = |samples: &[Sample]| judge(&settings, samples);
    let good = sample(100, 0, 5);
    let why = Why::Slow { took: Duration::from_millis(50), others: Duration::from_millis(5) };
    assert_eq!(of(&[good, sample(50, 0, 50), good]), [(1, why)]);
    assert_eq!(of(&[good, sample(50, 0, 50)]), [(1, why)], "of two, the quicker one is the measure");
    let both = of(&[good, sample(100, 0, 30), sample(100, 0, 50)]);
    assert_eq!(
        both.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        [2, 1],
        "of two others, the quicker one is the measure"
    );
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
