//! How much: `rate`, `burst`, `algorithm`.

use crate::fields::{Context, Fields, Located};
use crate::value::Wrong;
use std::time::Duration;
use tidegate_limit::{Algorithm, LONGEST_PERIOD, Rate};

/// More units a second than anything serves.
const MOST_A_SECOND: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    TokenBucket,
    LeakyBucket,
    SlidingWindow,
    SlidingLog,
    FixedWindow,
    /// No word of the config: a rate limit service counts as it likes.
    OfService,
}

const WORDS: [(&str, Word); 5] = [
    ("token_bucket", Word::TokenBucket),
    ("leaky_bucket", Word::LeakyBucket),
    ("sliding_window", Word::SlidingWindow),
    ("sliding_log", Word::SlidingLog),
    ("fixed_window", Word::FixedWindow),
];

/// An algorithm, and by which word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub(super) word: Word,
    pub(super) algorithm: Algorithm,
}

/// That of a limit.
pub(super) fn of_limit(fields: &mut Fields<'_>, cx: &mut Context) -> Option<Given> {
    let word = fields.word("algorithm", cx, &WORDS).unwrap_or(Word::TokenBucket);
    read(fields, word, cx).map(|algorithm| Given { word, algorithm })
}

/// `rate`, and `burst` or `queue` where the algorithm has one.
pub(super) fn read(fields: &mut Fields<'_>, word: Word, cx: &mut Context) -> Option<Algorithm> {
    if word == Word::OfService {
        return of_service(fields, cx);
    }
    let rate = fields.required("rate", cx, rate);
    let burst = fields.optional("burst", cx, units);
    let queue = fields.optional("queue", cx, units);
    let (is_bucket, is_leaky) = (word == Word::TokenBucket, word == Word::LeakyBucket);
    let name = WORDS.iter().find(|(_, known)| *known == word).map_or("", |(name, _)| *name);
    if let Some(burst) = burst.as_ref().filter(|_| !is_bucket) {
        let hint = if is_leaky { "say how many may wait: `queue`" } else { "its rate is all that it admits" };
        cx.error_with(burst.span, format!("`burst` is for `token_bucket`, not for `{name}`"), |d| d.label(hint));
    }
    if let Some(queue) = queue.as_ref().filter(|_| !is_leaky) {
        cx.error(queue.span, format!("`queue` is for `leaky_bucket`, not for `{name}`"));
    }
    let rate = rate?.value;
    let least = rate.count();
    Some(match word {
        Word::TokenBucket | Word::OfService => {
            Algorithm::TokenBucket { rate, burst: burst.map_or(least, |burst| burst.value) }
        }
        Word::LeakyBucket => Algorithm::LeakyBucket { rate, queue: queue.map_or(least, |queue| queue.value) },
        Word::SlidingWindow => Algorithm::SlidingWindow(rate),
        Word::SlidingLog => Algorithm::SlidingLog(rate),
        Word::FixedWindow => Algorithm::FixedWindow(rate),
    })
}

/// A quota that a rate limit service is told: so many requests in one of its units.
fn of_service(fields: &mut Fields<'_>, cx: &mut Context) -> Option<Algorithm> {
    for key in ["burst", "queue"] {
        if fields.has(key) {
            let message = format!("`{key}` cannot be told to a rate limit service");
            cx.error_with(fields.key_span(key), message, |d| d.label("it is told `rate` alone: remove this"));
        }
        fields.pass_over(key);
    }
    let rate = fields.required("rate", cx, told_rate)?.value;
    Some(Algorithm::TokenBucket { rate, burst: rate.count() })
}

/// A rate whose time is a unit of the protocol, and whose count fits into 32 bits.
fn told_rate(text: &str) -> Result<Rate, Wrong> {
    let rate = rate(text)?;
    if ![1, 60, 3600, 24 * 3600].contains(&rate.per().as_secs()) || rate.per().subsec_nanos() > 0 {
        let hint = "a rate limit service counts by `s`, `m`, `h` or `d`, and by one of them: `100/s`, `5000/h`";
        return Err(Wrong { expected: "a rate of a rate limit service", hint: hint.into() });
    }
    if rate.count() > u32::MAX.into() {
        let hint = format!("a rate limit service is told at most {} in a time", u32::MAX);
        return Err(Wrong { expected: "a rate of a rate limit service", hint });
    }
    Ok(rate)
}

/// A cost beyond what the limit holds would never be admitted.
pub(super) fn fits(cost: &Located<u64>, given: &Given, cx: &mut Context) -> bool {
    let holds = given.algorithm.holds();
    if cost.value > holds {
        let message = format!("a cost of {} is never admitted: the limit holds {holds} at most", cost.value);
        cx.error_with(cost.span, message, |d| {
            d.label(if given.word == Word::TokenBucket { "raise `burst`, or lower this" } else { "lower this" })
        });
    }
    cost.value <= holds
}

/// `100/s`, `5/m`, `1000/10s`: more than nothing.
pub(super) fn rate(text: &str) -> Result<Rate, Wrong> {
    let wrong = |hint: &str| Wrong { expected: "a rate", hint: hint.into() };
    let Some((count, per)) = text.split_once('/') else {
        let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let hint =
            if bare { format!("in which time? `{text}/s`") } else { "write for example `100/s` or `5000/h`".into() };
        return Err(wrong(&hint));
    };
    let plain = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let Ok(count) = count.parse::<u64>() else {
        return Err(wrong(if plain {
            "that is more than anything serves"
        } else {
            "write for example `100/s` or `5000/h`"
        }));
    };
    if count == 0 {
        return Err(wrong("it must be more than 0: to refuse everything remove the route"));
    }
    let per = period(per)?;
    let nanos = per.as_nanos().max(1);
    if u128::from(count) * 1_000_000_000 > u128::from(MOST_A_SECOND) * nanos {
        return Err(wrong("it can be at most `1000000000/s`"));
    }
    Rate::new(count, per).map_err(|error| wrong(&error.to_string()))
}

/// `s`, `m`, `h`, `d`, or so many of them.
fn period(text: &str) -> Result<Duration, Wrong> {
    let wrong = |hint: &str| Wrong { expected: "a rate", hint: hint.into() };
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3600),
        "d" => Duration::from_secs(24 * 3600),
        _ => return Err(wrong("the time is `s`, `m`, `h` or `d`, or so many of them: `100/s`, `1000/10s`")),
    };
    let number = if number.is_empty() { Some(1) } else { number.parse::<u32>().ok() };
    match number.and_then(|number| unit.checked_mul(number)) {
        Some(Duration::ZERO) => Err(wrong("the time must be more than 0")),
        Some(per) if per <= LONGEST_PERIOD => Ok(per),
        _ => Err(wrong("the time can be at most 366 days")),
    }
}

/// `1` to 2³²−1.
pub(super) fn units(text: &str) -> Result<u64, Wrong> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(units) if plain && units > 0 => Ok(units.into()),
        _ => Err(Wrong { expected: "a number", hint: format!("from `1` to `{}`", u32::MAX) }),
    }
}

#[cfg(test)]
mod tests {
    use super::{rate, units};
    use std::time::Duration;
    use tidegate_limit::Rate;

    #[test]
    fn rates_are_units_in_a_time() {
        let of = |count, seconds| Ok(Rate::new(count, Duration::from_secs(seconds)).expect("a rate"));
        let hint = |text: &str| rate(text).map_err(|wrong| wrong.hint);
        assert_eq!(
            ["100/s", "5/m", "1000/10s", "1/366d"].map(hint),
            [of(100, 1), of(5, 60), of(1000, 10), of(1, 366 * 86400)]
        );
        for (text, want) in [
            ("100", "in which time? `100/s`"),
            ("", "write for example `100/s` or `5000/h`"),
            ("0/s", "it must be more than 0: to refuse everything remove the route"),
            ("-1/s", "write for example `100/s` or `5000/h`"),
            ("1/0s", "the time must be more than 0"),
            ("1/367d", "the time can be at most 366 days"),
            ("100/sec", "the time is `s`, `m`, `h` or `d`, or so many of them: `100/s`, `1000/10s`"),
            ("1000000001/s", "it can be at most `1000000000/s`"),
            ("99999999999999999999/s", "that is more than anything serves"),
        ] {
            assert_eq!(hint(text), Err(want.to_owned()), "{text}");
        }
        assert!(["0", "+1", "4294967296", "x", ""].into_iter().all(|text| units(text).is_err()));
    }
}
