//! RFC 3339 in UTC with milliseconds, without a calendar library.

use super::format::push_number;

const MS_PER_DAY: u64 = 24 * 60 * 60 * 1_000;

/// Appends a time as `2026-11-23T04:05:06.789Z`. Years above 9999 take more digits.
pub(super) fn push(unix_ms: u64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(unix_ms / MS_PER_DAY);
    let ms = unix_ms % MS_PER_DAY;
    push_number(year, 4, out);
    out.push(b'-');
    push_number(month, 2, out);
    out.push(b'-');
    push_number(day, 2, out);
    out.push(b'T');
    push_number(ms / 3_600_000, 2, out);
    out.push(b':');
    push_number(ms / 60_000 % 60, 2, out);
    out.push(b':');
    push_number(ms / 1_000 % 60, 2, out);
    out.push(b'.');
    push_number(ms % 1_000, 3, out);
    out.push(b'Z');
}

/// The proleptic Gregorian date of a day after 1970-01-01: Howard Hinnant's `civil_from_days`.
/// Years begin in March, so that the leap day is the last of its year.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}
