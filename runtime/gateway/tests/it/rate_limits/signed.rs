//! What services behind are told that the gateway spent.

use super::{ALICE, BOB, echo, header, limit, names, with};
use crate::native::{call, tell};
use crate::rig::{Scripted, request};
use bytes::Bytes;
use http::HeaderMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use tidegate_gateway::config::{Config, Listener, Place, RateLimit, Secret};
use tidegate_gateway::{Gateway, Peer, Single, pipeline};
use tidegate_limit::Key;
use tidegate_limit::rules::Percent;
use tidegate_limit::spent::{HEADER, Proof, Seal};
use tidegate_telemetry::clock;

const BIND: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));
const SECRET: &str = "known to the services too";

fn signed(limit: RateLimit, secret: &str) -> RateLimit {
    RateLimit { signed: Some(Secret(secret.to_owned())), ..limit }
}

fn per_user(burst: u64) -> RateLimit {
    limit("per-user", &[header("x-user")], burst)
}

/// The headers with which a request reaches the upstream.
async fn sent(gateway: &Arc<Gateway>, lines: &[(&str, &str)]) -> HeaderMap {
    sent_by(&Peer::unknown(), gateway, lines).await
}

async fn sent_by(peer: &Peer, gateway: &Arc<Gateway>, lines: &[(&str, &str)]) -> HeaderMap {
    let upstream = Single(Scripted::unary(b"\x08\x07"));
    let answer = pipeline::handle(gateway, &upstream, request("GET /things/7", lines, ""), peer).await;
    assert_eq!(answer.status(), 200);
    upstream.0.request().0.headers
}

/// What who knows the secret reads in each line.
fn read(secret: &str, headers: &HeaderMap) -> Vec<Option<Proof>> {
    let (seal, id) = (Seal::new(secret).expect("long enough"), headers["x-request-id"].to_str().expect("text"));
    let now = clock::unix(clock::wall());
    headers.get_all(HEADER).iter().map(|text| seal.read(text.to_str().expect("text"), id, now).ok()).collect()
}

fn key(secret: &str, limit: &str, value: &str) -> Key {
    let keys = Seal::new(secret).expect("long enough").keys().of(limit);
    keys.start().with(value.as_bytes()).key()
}

#[tokio::test]
async fn a_service_is_told_what_was_spent_for_whom_and_for_this_request_alone() {
    let gateway = echo(with(vec![signed(per_user(9), SECRET), limit("untold", &[], 9)]));
    let headers = sent(&gateway, ALICE).await;
    let [Some(proof)] = &read(SECRET, &headers)[..] else { panic!("one line that is believed: {headers:?}") };
    assert!(proof.covers(key(SECRET, "per-user", "alice"), 1));
    assert!(!proof.covers(key(SECRET, "per-user", "bob"), 1));
    assert!(!proof.covers(key(SECRET, "per-user", "alice"), 2));
    let mut other = sent(&gateway, BOB).await;
    other.insert(HEADER, headers[HEADER].clone());
    assert_eq!(read(SECRET, &other), [None]);
}

#[tokio::test]
async fn native_calls_are_told_of_too() {
    let gateway = echo(with(vec![signed(per_user(9), SECRET)]));
    let upstream = Single(Scripted::unary(b""));
    tell(&gateway, &upstream, call("/test.Echo/Get", ALICE, Bytes::new())).await;
    let headers = upstream.0.request().0.headers;
    let [Some(proof)] = &read(SECRET, &headers)[..] else { panic!("one line that is believed: {headers:?}") };
    assert!(proof.covers(key(SECRET, "per-user", "alice"), 1));
}

#[tokio::test]
async fn limits_of_the_listener_and_of_the_route_are_told_together_and_each_secret_in_a_line() {
    const OTHER: &str = "known to other services";
    let gateway = echo(|config: &mut Config| {
        let edge = signed(limit("edge", &[header("x-user")], 9), SECRET);
        let other = signed(limit("other", &[header("x-user")], 9), OTHER);
        config.rate_limits = vec![edge, signed(per_user(9), SECRET), other];
        let mut listener = Listener::new(BIND, Place::default());
        listener.rate_limits = names(&["edge"]);
        config.listeners.push(listener);
        config.routes[0].rate_limits = names(&["per-user", "other"]);
    });
    let headers = sent_by(&Peer::unknown().by_listener(BIND), &gateway, ALICE).await;
    let [Some(ours), None] = &read(SECRET, &headers)[..] else { panic!("the first line is ours: {headers:?}") };
    assert!(ours.covers(key(SECRET, "edge", "alice"), 1) && ours.covers(key(SECRET, "per-user", "alice"), 1));
    let [None, Some(theirs)] = &read(OTHER, &headers)[..] else { panic!("the second is theirs: {headers:?}") };
    assert!(theirs.covers(key(OTHER, "other", "alice"), 1));
}

#[tokio::test]
async fn what_was_not_charged_is_not_told_and_clients_tell_nothing() {
    let mut watched = signed(per_user(1), SECRET);
    watched.limit.enforce = Percent::NONE;
    let gateway = echo(with(vec![watched]));
    assert_eq!(read(SECRET, &sent(&gateway, ALICE).await).len(), 1, "it was charged");
    let lines = [("x-user", "alice"), (HEADER, "1;2;3"), ("tidegate_spent", "1;2;3")];
    let headers = sent(&gateway, &lines).await;
    assert!(headers.keys().all(|name| !name.as_str().starts_with("tidegate")), "{headers:?}");
}
