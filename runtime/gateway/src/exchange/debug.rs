//! What a trusted peer may ask about its request: who took it, and how long that took.

use super::Exchange;
use crate::breakers::Instead;
use crate::metadata::REQUEST_ID;
use crate::peer::Peer;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Asks for the headers below.
const DEBUG: HeaderName = HeaderName::from_static("tidegate-debug");

const ROUTE: HeaderName = HeaderName::from_static("tidegate-route");
const UPSTREAM: HeaderName = HeaderName::from_static("tidegate-upstream");
const ENDPOINT: HeaderName = HeaderName::from_static("tidegate-endpoint");
const CANARY: HeaderName = HeaderName::from_static("tidegate-canary");
const FALLBACK: HeaderName = HeaderName::from_static("tidegate-fallback");
const ATTEMPTS: HeaderName = HeaderName::from_static("tidegate-attempts");
const UPSTREAM_TIME: HeaderName = HeaderName::from_static("tidegate-upstream-time");

/// Whether the request asks, and may.
pub(super) fn asked(headers: &HeaderMap, peer: &Peer) -> bool {
    peer.is_trusted() && headers.get(DEBUG).is_some_and(|value| value == "1")
}

impl Exchange {
    /// What every answer says of its request, and what this one was asked for.
    pub(super) fn stamp(&self, headers: &mut HeaderMap) {
        if let Some(told) = &self.told {
            told.write(headers);
        }
        if let Some(canned) = &self.canned {
            canned.write_headers(headers);
        }
        headers.insert(REQUEST_ID, self.request_id.clone());
        let Some(log) = self.log.as_ref().filter(|_| self.debug) else { return };
        let made = log.made().to_string();
        let took = log.upstream_took.map(|took| format!("{:.3}", took.as_secs_f64() * 1000.0));
        let lines = [
            (ROUTE, log.route.as_deref()),
            (UPSTREAM, log.upstream.as_deref()),
            (ENDPOINT, log.endpoint.as_deref()),
            (CANARY, self.canary_rule()),
            (FALLBACK, self.instead.map(Instead::word)),
            (ATTEMPTS, Some(&made)),
            (UPSTREAM_TIME, took.as_deref()),
        ];
        for (name, value) in lines {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        }
    }
}
