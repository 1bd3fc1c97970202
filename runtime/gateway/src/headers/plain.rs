//! Which headers of plain HTTP go on to the next hop: all but this one's own.

use super::{Nominated, is_hop};
use http::header::{CONNECTION, HeaderMap, HeaderName, TE, UPGRADE};
use http::{HeaderValue, Version};

/// Takes out of a request what is for this hop alone, and what the gateway answers by itself (`expect`).
///
/// `te: trailers` is said anew: it holds from us to the upstream, as whatever comes is passed on.
pub(crate) fn strip_request(headers: &mut HeaderMap, upstream: Version) {
    let trailers = headers.get_all(TE).iter().any(|value| {
        let codings = value.as_bytes().split(|&byte| byte == b',');
        codings.map(<[u8]>::trim_ascii).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
    });
    strip(headers, |name| is_of_hop(name) || matches!(name, "expect" | "proxy-authorization"));
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if upstream < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
    }
}

/// Takes out of a reply what was for us alone.
pub(crate) fn strip_reply(headers: &mut HeaderMap) {
    strip(headers, is_of_hop);
}

/// Asks the next hop to change the protocol of the connection, or says that it does.
pub(crate) fn write_upgrade(headers: &mut HeaderMap, protocol: &'static str) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(protocol));
}

/// `trailer` says what comes at the end of the message, wherever it goes.
fn is_of_hop(name: &str) -> bool {
    is_hop(name) && name != "trailer"
}

/// Removes those names, and those that `Connection` says.
fn strip(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    let nominated = headers.get(CONNECTION).map(|_| Nominated::new(headers));
    let nominates = |name: &HeaderName| nominated.as_ref().is_some_and(|nominated| nominated.holds(name));
    let ours = |name: &str| name.starts_with("tidegate-");
    let gone = headers.keys().filter(|name| goes(name.as_str()) || ours(name.as_str()) || nominates(name));
    let gone: Vec<HeaderName> = gone.cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
