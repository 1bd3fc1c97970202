use super::{cleanse, write_origin};
use crate::config::Trust;
use crate::peer::Peer;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

fn peer(trusted: bool) -> Peer {
    let network = if trusted { "192.0.2.0/24" } else { "10.0.0.0/8" };
    let identity_headers = ["x-user-id", "account_id"].map(HeaderName::from_static).to_vec();
    let trust = Trust { peers: vec![network.parse().expect("a network")], identity_headers };
    Peer::new(([192, 0, 2, 1], 4711).into()).with_trust(&Arc::new(trust))
}

fn headers(lines: &[&'static str]) -> HeaderMap {
    let line = |line: &&'static str| {
        let (name, value) = line.split_once(": ").expect("name: value");
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.iter().map(line) {
        headers.append(name, value);
    }
    headers
}

const SPOOFED: &[&str] = &[
    "x-user-id: 1",
    "x_user_id: 1",
    "x-user_id: 1",
    "account-id: 1",
    "account_id: 1",
    "x-forwarded-for: 198.51.100.9",
    "x-forwarded-proto: https",
    "x_forwarded_for: 198.51.100.9",
    "x-forwarded-anything: 1",
    "forwarded: for=198.51.100.9",
    "x-real-ip: 198.51.100.9",
    "x-envoy-original-path: /admin",
    "tidegate-debug: 1",
    "tidegate_debug: 1",
    "x-request-id: kept",
    "x-other: kept",
];

#[test]
fn what_an_untrusted_peer_says_of_its_origin_is_gone() {
    let mut said = headers(SPOOFED);
    cleanse(&mut said, &peer(false));
    assert_eq!(said, headers(&["x-request-id: kept", "x-other: kept"]));
}

#[test]
fn what_a_trusted_peer_says_stays() {
    let mut said = headers(SPOOFED);
    cleanse(&mut said, &peer(true));
    assert_eq!(said, headers(SPOOFED));
}

#[test]
fn the_origin_is_written_anew_or_added_to() {
    let said =
        headers(&["x-forwarded-for: a", "x-forwarded-for: b, c", "x-forwarded-proto: https", "x-forwarded-host: edge"]);
    let written = |peer: &Peer, said: &HeaderMap| {
        let mut written = HeaderMap::new();
        write_origin(said, Some(HeaderValue::from_static("shop")), peer, &mut written);
        written
    };
    let anew = headers(&["x-forwarded-for: 192.0.2.1", "x-forwarded-proto: http", "x-forwarded-host: shop"]);
    assert_eq!(written(&peer(false), &said), anew);
    assert_eq!(written(&peer(true), &HeaderMap::new()), anew);
    let added = headers(&["x-forwarded-for: a, b, c, 192.0.2.1", "x-forwarded-proto: https", "x-forwarded-host: edge"]);
    assert_eq!(written(&peer(true), &said), added);
}
