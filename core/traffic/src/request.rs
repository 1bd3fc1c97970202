//! What a decision looks at of a request.

use http::{HeaderMap, HeaderName, Method, header};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The parts of a request that routes and canaries know.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'r> {
    /// As it came.
    pub method: &'r Method,
    /// What stands behind the `?`, as it came.
    pub query: Option<&'r str>,
    /// Those of a peer that is not trusted were cleaned before.
    pub headers: &'r HeaderMap,
    /// Whether the peer is one of those that the listener trusts.
    pub trusted: bool,
}

/// The value of a header, several of one name joined by commas (RFC 9110, section 5.3).
#[must_use]
pub fn header_value<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Option<Cow<'r, [u8]>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    let Some(second) = values.next() else { return Some(Cow::Borrowed(first)) };
    let mut joined = first.to_vec();
    for value in std::iter::once(second).chain(values) {
        joined.push(b',');
        joined.extend_from_slice(value.as_bytes());
    }
    Some(Cow::Owned(joined))
}

/// The first cookie of this name in the order of the headers (RFC 6265, section 5.4), without the quotes that
/// may stand around its value.
#[must_use]
pub fn cookie<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r [u8]> {
    let mut pairs = headers.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|&b| b == b';'));
    pairs.find_map(|pair| {
        let pair = pair.trim_ascii();
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let value = pair[equals + 1..].trim_ascii();
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        (pair[..equals].trim_ascii() == name.as_bytes()).then(|| unquoted.unwrap_or(value))
    })
}

/// The values of a query parameter, several of one name joined by commas, both percent-decoded once and with
/// `+` for a space, as forms have it. A parameter without `=` has the empty value.
#[must_use]
pub fn query_value<'r>(query: Option<&'r str>, name: &str) -> Option<Cow<'r, [u8]>> {
    let values: SmallVec<[Cow<'r, [u8]>; 1]> = query?
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (*decoded(key) == *name.as_bytes()).then(|| decoded(value))
        })
        .collect();
    match values.len() {
        0 => None,
        1 => values.into_iter().next(),
        _ => Some(Cow::Owned(values.join(&b","[..]))),
    }
}

/// Percent-decoded; what is no escape stays as it is.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(text.as_bytes());
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = || crate::path::hex_pair(bytes.get(at + 1..at + 3)?);
        match bytes[at] {
            b'+' => out.push(b' '),
            b'%' => match escape() {
                Some(byte) => {
                    out.push(byte);
                    at += 2;
                }
                None => out.push(b'%'),
            },
            byte => out.push(byte),
        }
        at += 1;
    }
    Cow::Owned(out)
}
