//! What a request's headers say of its origin, and who is believed.
//!
//! [`cleanse`] comes before everything else, so that no route, policy or upstream sees what a client
//! only claims.

use crate::b3;
use crate::metadata::{FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO};
use crate::peer::Peer;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::borrow::Cow;

/// The longest `x-forwarded-for` that is appended to; one that is longer begins anew.
const FORWARDED_FOR_MAX: usize = 2048;

/// Headers in which a proxy tells where a request came from; from a client they are hearsay.
pub(crate) fn is_forwarding(name: &str) -> bool {
    match name.as_bytes().first() {
        Some(b'x') => name == "x-real-ip" || name.starts_with("x-forwarded-") || name.starts_with("x-envoy-"),
        Some(b'f') => name == "forwarded",
        _ => false,
    }
}

/// Takes out of a request what only trusted peers may say: who the user is, where the request came from,
/// and what is the gateway's own. Of names it makes no difference whether they have `_` or `-`: to many
/// programs they are the same.
///
/// What it says of its trace in Zipkin's headers it says in W3C's from here on.
pub(crate) fn cleanse(headers: &mut HeaderMap, peer: &Peer) {
    if headers.keys().any(|name| b3::is_b3(name.as_str())) {
        b3::accept(headers);
    }
    if peer.is_trusted() {
        return;
    }
    let gone: Vec<HeaderName> = headers.keys().filter(|name| !may_say(name, peer)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// Whether a peer may say this header at all.
pub(crate) fn may_say(name: &HeaderName, peer: &Peer) -> bool {
    if peer.is_trusted() {
        return true;
    }
    let text = name.as_str();
    let text = if text.contains('_') { Cow::Owned(text.replace('_', "-")) } else { Cow::Borrowed(text) };
    let identity = || peer.identity_headers().iter().any(|name| same(name.as_str(), &text));
    !(is_ours(&text) || identity())
}

fn is_ours(name: &str) -> bool {
    is_forwarding(name) || name.starts_with("tidegate-")
}

/// Whether the name, which has no `_`, is the configured one.
fn same(configured: &str, name: &str) -> bool {
    configured.len() == name.len()
        && configured.bytes().zip(name.bytes()).all(|(one, other)| one == other || (one == b'_' && other == b'-'))
}

/// Says of a request where it came from and what host it asked for: to what a trusted peer said it is
/// added, for any other it is said anew.
pub(crate) fn write_origin(said: &HeaderMap, host: Option<HeaderValue>, peer: &Peer, headers: &mut HeaderMap) {
    headers.insert(FORWARDED_FOR, forwarded_for(said, peer));
    let said = |name: HeaderName| said.get(name).filter(|_| peer.is_trusted()).cloned();
    headers.insert(FORWARDED_PROTO, said(FORWARDED_PROTO).unwrap_or(HeaderValue::from_static("http")));
    match said(FORWARDED_HOST).or(host) {
        Some(host) => headers.insert(FORWARDED_HOST, host),
        None => headers.remove(FORWARDED_HOST),
    };
}

/// The same where what was said and what is to be said are one.
pub(crate) fn add_origin(headers: &mut HeaderMap, host: Option<HeaderValue>, peer: &Peer) {
    let forwarded_for = forwarded_for(headers, peer);
    headers.insert(FORWARDED_FOR, forwarded_for);
    if !peer.is_trusted() || !headers.contains_key(FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if let Some(host) = host
        && !(peer.is_trusted() && headers.contains_key(FORWARDED_HOST))
    {
        headers.insert(FORWARDED_HOST, host);
    }
}

/// The value of `x-forwarded-for`.
fn forwarded_for(said: &HeaderMap, peer: &Peer) -> HeaderValue {
    let ours = peer.forwarded_for();
    if !peer.is_trusted() || !said.contains_key(FORWARDED_FOR) {
        return ours.clone();
    }
    let mut joined = Vec::new();
    for value in said.get_all(FORWARDED_FOR) {
        joined.extend_from_slice(value.as_bytes());
        joined.extend_from_slice(b", ");
    }
    if joined.len() > FORWARDED_FOR_MAX {
        return ours.clone();
    }
    joined.extend_from_slice(ours.as_bytes());
    HeaderValue::from_bytes(&joined).unwrap_or_else(|_| ours.clone())
}

#[cfg(test)]
mod tests;
