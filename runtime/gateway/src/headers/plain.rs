//! Which headers of plain HTTP go on to the next hop: all but this one's own.

use super::{Nominated, is_hop};
use http::header::{CONNECTION, HeaderMap, HeaderName, TE, UPGRADE};
use http::{HeaderValue, Version};

/// Takes out of a request what is for this hop alone, and what the gateway answers by itself (`expect`).
///
/// `te: trailers` is said anew: it holds from us to the upstream, as whatever comes is passed on.
pub(crate) fn strip_request(headers: &mut HeaderMap, upstream: Version) {
    let mut te = false;
    let gone = gone(headers, |name| {
        te |= *name == TE;
        is_of_hop(name.as_str()) || matches!(name.as_str(), "expect" | "proxy-authorization")
    });
    let trailers = te && takes_trailers(headers);
    remove(headers, gone);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if upstream < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
    }
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(TE).iter().any(|value| {
        let codings = value.as_bytes().split(|&byte| byte == b',');
        codings.map(<[u8]>::trim_ascii).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
    })
}

/// Takes out of a reply what was for us alone.
pub(crate) fn strip_reply(headers: &mut HeaderMap) {
    let gone = gone(headers, |name| is_of_hop(name.as_str()));
    remove(headers, gone);
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

/// Those names, ours, and those that `Connection` says: found in one pass, most often none.
fn gone(headers: &HeaderMap, mut goes: impl FnMut(&HeaderName) -> bool) -> Vec<HeaderName> {
    let mut connection = false;
    let mut gone = Vec::new();
    for name in headers.keys() {
        connection |= *name == CONNECTION;
        if goes(name) || name.as_str().starts_with("tidegate-") {
            gone.push(name.clone());
        }
    }
    if connection {
        let nominated = Nominated::new(headers);
        gone.extend(headers.keys().filter(|name| nominated.holds(name)).cloned());
    }
    gone
}

fn remove(headers: &mut HeaderMap, gone: Vec<HeaderName>) {
    for name in gone {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
