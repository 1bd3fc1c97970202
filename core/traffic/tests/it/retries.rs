//! Whether a call that failed is made again.

use crate::plans::Bits;
use http::{Method, StatusCode};
use std::time::Duration;
use tidegate_traffic::retry::{
    ATTEMPTS_MAX, Conditions, Failed, Failure, LEAST_TRY, PATIENCE_MAX, Pushback, Settings, SettingsError, Stop,
    Verdict, is_idempotent,
};

const MS: Duration = Duration::from_millis(1);

/// Pauses are the whole of their bound with this chance, but for a nanosecond.
const LATEST: u64 = u64::MAX;

fn failed(failure: Failure) -> Failed {
    Failed { made: 1, failure, idempotent: true, pushback: Pushback::None, left: None }
}

fn verdict(failed: Failed) -> Verdict {
    Settings::default().decide(&failed, 0)
}

const AGAIN: Verdict = Verdict::Again { after: Duration::ZERO };
const FINAL: Verdict = Verdict::Stop(Stop::Final);

#[test]
fn what_never_reached_the_application_is_made_again_whatever_it_asks_for() {
    for idempotent in [true, false] {
        assert_eq!(verdict(Failed { idempotent, ..failed(Failure::NotSent) }), AGAIN);
    }
}

#[test]
fn what_the_application_may_have_seen_is_made_again_only_if_it_may_be_done_twice() {
    let failures = [
        Failure::Reset,
        Failure::Timeout,
        Failure::Code(14),
        Failure::Status(StatusCode::BAD_GATEWAY),
        Failure::Status(StatusCode::SERVICE_UNAVAILABLE),
        Failure::Status(StatusCode::GATEWAY_TIMEOUT),
    ];
    for failure in failures {
        assert_eq!(verdict(failed(failure)), AGAIN, "{failure:?}");
        assert_eq!(verdict(Failed { idempotent: false, ..failed(failure) }), FINAL, "{failure:?}");
        let route = Settings { idempotent: true, ..Settings::default() };
        assert_eq!(route.decide(&Failed { idempotent: false, ..failed(failure) }, 0), AGAIN, "{failure:?}");
    }
}

#[test]
fn answers_that_would_be_the_same_again_are_final() {
    let codes = (0..=16).filter(|code| *code != 14).map(Failure::Code);
    let statuses = [200, 400, 404, 429, 500, 501, 505, 599]
        .map(|status| Failure::Status(StatusCode::from_u16(status).expect("a status")));
    for failure in codes.chain(statuses).chain([Failure::Final]) {
        assert_eq!(verdict(failed(failure)), FINAL, "{failure:?}");
    }
}

#[test]
fn a_route_may_say_which_failures_count() {
    let on = Conditions { codes: 1 << 10, statuses: vec![429], ..Conditions::NONE };
    let settings = Settings { on, ..Settings::default() };
    let again = [Failure::Code(10), Failure::Status(StatusCode::TOO_MANY_REQUESTS)];
    assert_eq!(again.map(|failure| settings.decide(&failed(failure), 0)), [AGAIN; 2]);
    let not = [Failure::NotSent, Failure::Reset, Failure::Timeout, Failure::Code(14), Failure::Code(200)];
    assert_eq!(not.map(|failure| settings.decide(&failed(failure), 0)), [FINAL; 5]);
}

#[test]
fn there_are_no_more_tries_than_attempts() {
    let made = [1, 2, 3, 4].map(|made| verdict(Failed { made, ..failed(Failure::Reset) }));
    let exhausted = Verdict::Stop(Stop::Exhausted);
    assert_eq!(made, [AGAIN, AGAIN, exhausted, exhausted]);
    let once = Settings { attempts: 1, ..Settings::default() };
    assert_eq!(once.decide(&failed(Failure::NotSent), 0), exhausted);
}

#[test]
fn pauses_are_a_random_part_of_a_bound_that_doubles_up_to_the_longest() {
    let settings = Settings { attempts: 10, ..Settings::default() };
    let pause = |made, chance| match settings.decide(&Failed { made, ..failed(Failure::Reset) }, chance) {
        Verdict::Again { after } => after.as_nanos(),
        Verdict::Stop(why) => panic!("{why:?}"),
    };
    let bounds = [1, 2, 3, 4, 5, 9].map(|made| pause(made, LATEST) + 1);
    assert_eq!(bounds, [25, 50, 100, 200, 250, 250].map(|ms: u128| ms * 1_000_000));
    assert_eq!([0, 1 << 62, 1 << 63].map(|chance| pause(2, chance)), [0, 12_500_000, 25_000_000]);
}

#[test]
fn what_the_service_says_of_the_pause_goes_before() {
    let with = |pushback| verdict(Failed { pushback, ..failed(Failure::Code(14)) });
    let after = 70 * MS;
    assert_eq!(with(Pushback::After(after)), Verdict::Again { after });
    assert_eq!(with(Pushback::Never), Verdict::Stop(Stop::Pushback));
    assert_eq!(with(Pushback::After(PATIENCE_MAX)), Verdict::Again { after: PATIENCE_MAX });
    assert_eq!(with(Pushback::After(PATIENCE_MAX + MS)), Verdict::Stop(Stop::Pushback));
}

#[test]
fn what_the_service_says_is_read_as_its_protocol_has_it() {
    let grpc = |value: &str| Pushback::of(Some(value.as_bytes()), Some(b"7"));
    assert_eq!(grpc("70"), Pushback::After(70 * MS));
    assert_eq!(grpc("0"), Pushback::After(Duration::ZERO));
    assert_eq!(["-1", "", "soon", "99999999999999999999"].map(grpc), [Pushback::Never; 4]);
    let http = |value: &str| Pushback::of(None, Some(value.as_bytes()));
    assert_eq!(http("2"), Pushback::After(2000 * MS));
    assert_eq!(["-2", "Fri, 31 Dec 1999 23:59:59 GMT", ""].map(http), [Pushback::Never; 3]);
    assert_eq!(Pushback::of(None, None), Pushback::None);
    assert_eq!(Pushback::of(Some(b"\xff"), None), Pushback::Never);
}

#[test]
fn no_try_begins_that_could_not_end_by_the_deadline() {
    let with = |left, pushback| verdict(Failed { left: Some(left), pushback, ..failed(Failure::Reset) });
    let pushback = Pushback::After(20 * MS);
    let late = Verdict::Stop(Stop::Deadline);
    assert_eq!(with(20 * MS + LEAST_TRY - Duration::from_nanos(1), pushback), late);
    assert_eq!(with(20 * MS + LEAST_TRY, pushback), Verdict::Again { after: 20 * MS });
    assert_eq!(with(Duration::ZERO, Pushback::None), late);
}

#[test]
fn methods_are_idempotent_as_http_says() {
    let idempotent = [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::TRACE];
    assert!(idempotent.iter().all(is_idempotent));
    let other = [Method::POST, Method::PATCH, Method::CONNECT, Method::from_bytes(b"QUERY").expect("a method")];
    assert!(!other.iter().any(is_idempotent));
}

#[test]
fn settings_that_make_no_retries_are_told() {
    let usual = Settings::default;
    let cases = [
        (Settings { attempts: 0, ..usual() }, SettingsError::NoAttempts),
        (Settings { attempts: ATTEMPTS_MAX + 1, ..usual() }, SettingsError::ManyAttempts),
        (Settings { per_try_timeout: Some(Duration::ZERO), ..usual() }, SettingsError::NoTry),
        (Settings { base: Duration::ZERO, ..usual() }, SettingsError::NoBase),
        (Settings { max: MS, ..usual() }, SettingsError::ShortMax),
    ];
    for (wrong, error) in cases {
        assert_eq!(wrong.check(), Err(error), "{wrong:?}");
    }
    assert_eq!(usual().check(), Ok(()));
}

/// The verdict as one would write it first: a list of reasons not to.
fn naive(settings: &Settings, failed: &Failed, chance: u64) -> Verdict {
    let listed = match failed.failure {
        Failure::NotSent => settings.on.connect,
        Failure::Reset => settings.on.reset,
        Failure::Timeout => settings.on.timeout,
        Failure::Code(14) if settings.on.unavailable => true,
        Failure::Code(code) => (0..32).any(|bit| bit == u32::from(code) && settings.on.codes >> bit & 1 == 1),
        Failure::Status(status) => {
            let among = |statuses: &[u16]| statuses.contains(&status.as_u16());
            among(&settings.on.statuses) || (settings.on.unavailable && among(&[502, 503, 504]))
        }
        Failure::Final => false,
    };
    let harmless = matches!(failed.failure, Failure::NotSent) || failed.idempotent || settings.idempotent;
    if !(listed && harmless) {
        return FINAL;
    }
    if settings.attempts <= failed.made {
        return Verdict::Stop(Stop::Exhausted);
    }
    let mut bound = settings.base;
    for _ in 1..failed.made {
        bound = (bound * 2).min(settings.max);
    }
    let nanos = bound.min(settings.max).as_nanos() * u128::from(chance) / (1 << 64);
    let mut after = Duration::from_nanos(u64::try_from(nanos).expect("short"));
    match failed.pushback {
        Pushback::Never => return Verdict::Stop(Stop::Pushback),
        Pushback::After(long) if long > Duration::from_secs(5) => return Verdict::Stop(Stop::Pushback),
        Pushback::After(short) => after = short,
        Pushback::None => {}
    }
    if failed.left.is_some_and(|left| after + MS > left) {
        return Verdict::Stop(Stop::Deadline);
    }
    Verdict::Again { after }
}

fn random(bits: &mut Bits) -> (Settings, Failed) {
    let flag = |bits: &mut Bits| bits.below(2) == 0;
    let base = MS * u32::try_from(1 + bits.below(100)).expect("small");
    let on = Conditions {
        connect: flag(bits),
        reset: flag(bits),
        timeout: flag(bits),
        unavailable: flag(bits),
        codes: u32::try_from(bits.below(1 << 17)).expect("small"),
        statuses: (0..bits.below(3)).map(|_| u16::try_from(400 + bits.below(120)).expect("small")).collect(),
    };
    let settings = Settings {
        attempts: u32::try_from(1 + bits.below(6)).expect("small"),
        per_try_timeout: None,
        max: base * u32::try_from(1 + bits.below(9)).expect("small"),
        base,
        on,
        idempotent: bits.below(4) == 0,
    };
    let failure = match bits.below(6) {
        0 => Failure::NotSent,
        1 => Failure::Reset,
        2 => Failure::Timeout,
        3 => Failure::Code(u8::try_from(bits.below(20)).expect("small")),
        4 => Failure::Status(StatusCode::from_u16(u16::try_from(400 + bits.below(120)).expect("small")).expect("one")),
        _ => Failure::Final,
    };
    let pushback = match bits.below(6) {
        0 => Pushback::Never,
        1 => Pushback::After(MS * u32::try_from(bits.below(7000)).expect("small")),
        _ => Pushback::None,
    };
    let left = (bits.below(3) > 0).then(|| MS * u32::try_from(bits.below(400)).expect("small"));
    let made = u32::try_from(1 + bits.below(6)).expect("small");
    (settings, Failed { made, failure, idempotent: flag(bits), pushback, left })
}

#[test]
fn it_decides_as_a_list_of_reasons_does() {
    let mut seen = [0; 5];
    for seed in 0..200_000 {
        let mut bits = Bits(seed);
        let (settings, failed) = random(&mut bits);
        let chance = bits.below(u64::MAX);
        let found = settings.decide(&failed, chance);
        assert_eq!(found, naive(&settings, &failed, chance), "seed {seed}: {settings:?} {failed:?}");
        let index = match found {
            Verdict::Again { .. } => 0,
            Verdict::Stop(Stop::Final) => 1,
            Verdict::Stop(Stop::Exhausted) => 2,
            Verdict::Stop(Stop::Pushback) => 3,
            Verdict::Stop(Stop::Deadline) => 4,
        };
        seen[index] += 1;
    }
    assert!(seen.iter().all(|count| *count > 1000), "each was seen: {seen:?}");
}
