//! How long a call may take: what the caller asks for, capped by the route.

use crate::answer::{Answer, Refusal};
use crate::metadata::GRPC_TIMEOUT;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::cell::RefCell;
use std::time::Duration;

thread_local! {
    /// The last value that [`grpc_timeout_value`] made, and room for the next: most calls of a route have the same.
    static LAST: RefCell<(HeaderValue, Vec<u8>)> = const { RefCell::new((HeaderValue::from_static("1n"), Vec::new())) };
}

const REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");

/// `grpc-timeout` holds at most eight digits.
const GRPC_TIMEOUT_DIGITS: usize = 8;

/// Reads a `grpc-timeout` header: one to eight digits and a unit of `H M S m u n`.
///
/// Source: gRPC over HTTP/2, "Timeout".
///
/// # Errors
/// The value does not have that form.
pub(crate) fn parse_grpc_timeout(value: &[u8]) -> Result<Duration, BadTimeout> {
    let (unit, digits) = value.split_last().ok_or(BadTimeout)?;
    if digits.is_empty() || digits.len() > GRPC_TIMEOUT_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BadTimeout);
    }
    let count = digits.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Ok(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return Err(BadTimeout),
    })
}

/// Reads an `x-request-timeout` header: seconds, as `2`, `0.25`, or with a unit of `ms`, `s`, `m`.
///
/// # Errors
/// The value does not have that form, or is above 10⁹ of its unit.
pub(crate) fn parse_request_timeout(value: &[u8]) -> Result<Duration, BadTimeout> {
    let text = std::str::from_utf8(value).map_err(|_| BadTimeout)?.trim();
    let (number, scale) = match text {
        _ if text.ends_with("ms") => (&text[..text.len() - 2], 0.001),
        _ if text.ends_with('s') => (&text[..text.len() - 1], 1.0),
        _ if text.ends_with('m') => (&text[..text.len() - 1], 60.0),
        _ => (text, 1.0),
    };
    // `f64::from_str` takes `inf`, `nan`, signs and exponents as well.
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(BadTimeout);
    }
    let number: f64 = number.parse().map_err(|_| BadTimeout)?;
    if number > 1e9 {
        return Err(BadTimeout);
    }
    Ok(Duration::from_secs_f64(number * scale))
}

/// What a REST client asks for: the shorter of `grpc-timeout` and `x-request-timeout`.
///
/// # Errors
/// 400 for a header that cannot be read.
pub(crate) fn asked_timeout(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let grpc = asked_grpc_timeout(headers)?;
    let plain = headers.get(&REQUEST_TIMEOUT).map(|value| parse_request_timeout(value.as_bytes())).transpose();
    let plain = plain.map_err(|_| bad_timeout(&REQUEST_TIMEOUT, "a number of seconds, or a number with ms, s or m"))?;
    Ok(match (grpc, plain) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    })
}

/// What a native client asks for, by `grpc-timeout` alone.
///
/// # Errors
/// 400 for a header that cannot be read.
pub(crate) fn asked_grpc_timeout(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let grpc = headers.get(&GRPC_TIMEOUT).map(|value| parse_grpc_timeout(value.as_bytes())).transpose();
    grpc.map_err(|_| bad_timeout(&GRPC_TIMEOUT, "one to eight digits and a unit of H, M, S, m, u or n"))
}

fn bad_timeout(name: &HeaderName, want: &str) -> Refusal {
    Refusal::new(Answer::BadRequest, format!("header `{name}` is not {want}"))
}

/// A timeout header that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadTimeout;

/// Writes a `grpc-timeout`, rounded up as gRPC's own clients do, so that an upstream never gives up before
/// the deadline that its caller was promised: to milliseconds from one second on (the few values that remain compress well in HPACK, and
/// nobody's second depends on a microsecond), else in the finest unit that fits eight digits. Zero
/// becomes `1n`.
pub(crate) fn grpc_timeout(left: Duration, buffer: &mut Vec<u8>) {
    const LARGEST: u128 = 10u128.pow(GRPC_TIMEOUT_DIGITS as u32) - 1;
    const MILLI: u128 = 1_000_000;
    let nanos = left.as_nanos().max(1);
    let finest = if left >= Duration::from_secs(1) { MILLI } else { 1 };
    let units = [(1, b'n'), (1_000, b'u'), (MILLI, b'm'), (1_000_000_000, b'S'), (60_000_000_000, b'M')];
    let fitting = units.into_iter().find(|(size, _)| *size >= finest && nanos.div_ceil(*size) <= LARGEST);
    let (count, unit) = fitting.map_or((LARGEST, b'M'), |(size, unit)| (nanos.div_ceil(size), unit));
    buffer.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    buffer.push(unit);
}

/// The value of a `grpc-timeout` header, see [`grpc_timeout`].
pub(crate) fn grpc_timeout_value(left: Duration) -> HeaderValue {
    LAST.with_borrow_mut(|(last, text)| {
        text.clear();
        grpc_timeout(left, text);
        if last.as_bytes() != text
            && let Ok(mut value) = HeaderValue::from_bytes(text)
        {
            // Those in nanoseconds are all different: HPACK's table is not for them.
            value.set_sensitive(left < Duration::from_secs(1));
            *last = value;
        }
        last.clone()
    })
}

#[cfg(test)]
mod tests;
