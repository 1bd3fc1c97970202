//! The texts of `google.protobuf.Timestamp` and `google.protobuf.Duration`.

/// Seconds from year 1 to the epoch, 1970.
const YEAR_ONE: i64 = -62_135_596_800;
/// The last second of year 9999.
const YEAR_9999: i64 = 253_402_300_799;
/// The longest duration, in seconds: about 10 000 years.
const LONGEST: i64 = 315_576_000_000;

/// Seconds since the epoch and nanoseconds (0..10⁹) of an RFC 3339 date and time with seconds, at
/// most nine digits behind them, and `Z` or an offset; both letters in upper case. Years 1 to 9999,
/// also in UTC; no leap seconds.
pub(crate) fn timestamp(text: &[u8]) -> Option<(i64, i32)> {
    let (date, rest) = text.split_first_chunk::<19>()?;
    let two = |at: usize| digits(date.get(at..at + 2)?);
    let year = digits(date.get(..4)?)?;
    let (month, day) = (two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    let separators = [date[4], date[7], date[10], date[13], date[16]];
    if separators != *b"--T::" || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, rest) = fraction(rest)?;
    let offset = match *rest {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[h1, h2])?, digits(&[m1, m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = (hours * 60 + minutes) * 60;
            if sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    (YEAR_ONE..=YEAR_9999).contains(&seconds).then_some((seconds, nanos))
}

/// Seconds and nanoseconds, of the same sign, of a decimal number with at most nine digits behind
/// the point, and `s`.
pub(crate) fn duration(text: &[u8]) -> Option<(i64, i32)> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, rest) = text.split_at_checked(len)?;
    // Leading zeros do no harm, but a bound keeps the sum below from overflowing.
    if whole.is_empty() || whole.len() > 18 {
        return None;
    }
    let seconds = digits(whole)?;
    let (nanos, rest) = fraction(rest)?;
    if rest != b"s" || seconds > LONGEST {
        return None;
    }
    Some(if negative { (-seconds, -nanos) } else { (seconds, nanos) })
}

/// The nanoseconds that a point and one to nine digits say, or none if there is no point; the rest.
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let [b'.', text @ ..] = text else {
        return Some((0, text));
    };
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&len) {
        return None;
    }
    let (fraction, rest) = text.split_at_checked(len)?;
    let nanos = digits(fraction)? * 10i64.pow(9 - u32::try_from(len).ok()?);
    Some((i32::try_from(nanos).ok()?, rest))
}

/// The number that at most 18 digits say.
fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last one of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let years = if month < 3 { year - 1 } else { year };
    let months = if month < 3 { month + 9 } else { month - 3 };
    let before_year = years * 365 + years / 4 - years / 100 + years / 400;
    // 30.6 days a month, rounded so that 31, 30, 31, 30, 31 repeats.
    let before_month = (months * 153 + 2) / 5;
    // 0000-03-01 is 719 468 days before the epoch.
    before_year + before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests;
