//! `Timestamp` and `Duration` as strings.
//!
//! Source: the comments of google/protobuf/timestamp.proto and duration.proto.

use super::number::{pair, quoted};
use super::writer::Writer;

/// 0001-01-01T00:00:00Z.
const TIMESTAMP_MIN: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const TIMESTAMP_MAX: i64 = 253_402_300_799;
/// ±10 000 years.
const DURATION_MAX: i64 = 315_576_000_000;
const NANOS_MAX: i32 = 999_999_999;
const DAY: i64 = 86_400;

/// Seconds or nanoseconds that the type does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfRange;

/// Writes `"1970-01-01T00:00:00.123Z"` with 0, 3, 6 or 9 digits behind the point.
pub(super) fn timestamp(out: &mut Writer, seconds: i64, nanos: i32) -> Result<(), OutOfRange> {
    if !(TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(&seconds) || !(0..=NANOS_MAX).contains(&nanos) {
        return Err(OutOfRange);
    }
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let second = seconds.rem_euclid(DAY) as u32;
    let [y1, y2] = pair(year / 100);
    let [y3, y4] = pair(year % 100);
    let [m1, m2] = pair(month);
    let [d1, d2] = pair(day);
    let [h1, h2] = pair(second / 3600);
    let [n1, n2] = pair(second / 60 % 60);
    let [s1, s2] = pair(second % 60);
    out.block(&[b'"', y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2], 20);
    fraction(out, nanos.unsigned_abs());
    out.block(b"Z\"", 2);
    Ok(())
}

/// Writes `"-3.5s"` with 0, 3, 6 or 9 digits behind the point.
pub(super) fn duration(out: &mut Writer, seconds: i64, nanos: i32) -> Result<(), OutOfRange> {
    let signs_differ = (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0);
    if seconds.unsigned_abs() > DURATION_MAX.unsigned_abs()
        || nanos.unsigned_abs() > NANOS_MAX.unsigned_abs()
        || signs_differ
    {
        return Err(OutOfRange);
    }
    quoted(out, seconds.unsigned_abs(), seconds < 0 || nanos < 0);
    // The closing quote goes behind the unit.
    out.rewind(out.position() - 1);
    fraction(out, nanos.unsigned_abs());
    out.block(b"s\"", 2);
    Ok(())
}

fn fraction(out: &mut Writer, nanos: u32) {
    if nanos == 0 {
        return;
    }
    let (millis, micros) = (nanos / 1_000_000, nanos / 1000 % 1000);
    let [[a, b, c], [d, e, f], [g, h, i]] = [millis, micros, nanos % 1000].map(|group| {
        let [low, lowest] = pair(group % 100);
        [b'0' + (group / 100) as u8, low, lowest]
    });
    let len = if nanos.is_multiple_of(1_000_000) {
        4
    } else if nanos.is_multiple_of(1000) {
        7
    } else {
        10
    };
    out.block(&[b'.', a, b, c, d, e, f, g, h, i], len);
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years begin in March here, so that the leap day is the last of its year.
fn civil(days: i64) -> (u32, u32, u32) {
    // 0000-03-01 is 719468 days before 1970-01-01; within the range of Timestamp all is positive.
    let days = (days + 719_468) as u32;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2), month, day)
}
