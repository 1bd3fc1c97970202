//! The limits of listeners: who is asked, what is given back.

use super::{ALICE, SECOND, ask_as, echo, figures, header, limit, names, peer};
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_gateway::config::{Config, Listener, Place, RateLimit, Trust};
use tidegate_gateway::{Gateway, Peer};
use tidegate_limit::rules::{PEER, Source};
use tokio::time::advance;

fn bind() -> SocketAddr {
    "127.0.0.1:8080".parse().expect("an address")
}

/// A gateway whose one listener has the first limit, and whose one route has the others.
fn gateway(edge: RateLimit, others: Vec<RateLimit>, trust: Trust) -> Arc<Gateway> {
    echo(|config: &mut Config| {
        let mut listener = Listener::new(bind(), Place::default());
        listener.rate_limits = names(&[&edge.limit.name]);
        listener.trust = Arc::new(trust);
        config.listeners.push(listener);
        super::with(others)(config);
        config.rate_limits.insert(0, edge);
    })
}

fn at(address: &str) -> Peer {
    peer(address).by_listener(bind())
}

#[tokio::test(start_paused = true)]
async fn a_listener_asks_before_anything_is_looked_up() {
    let gateway = gateway(limit("per-ip", &[PEER], 2), vec![], Trust::default());
    let mut seen = Vec::new();
    for line in ["GET /things/7", "GET /nothing", "GET /things/7", "GET /nothing"] {
        seen.push(ask_as(&gateway, &at("192.0.2.1:1"), line, &[]).await.status);
    }
    assert_eq!(seen, [200, 404, 429, 429]);
    let said = [("x-forwarded-for", "198.51.100.9")];
    assert_eq!(ask_as(&gateway, &at("192.0.2.1:2"), "GET /things/7", &said).await.status, 429, "whatever it says");
    assert_eq!(ask_as(&gateway, &at("192.0.2.2:1"), "GET /things/7", &[]).await.status, 200, "another client");
    assert_eq!(ask_as(&gateway, &peer("192.0.2.1:1"), "GET /things/7", &[]).await.status, 200, "another listener");
}

#[tokio::test(start_paused = true)]
async fn behind_a_trusted_proxy_its_client_counts() {
    let trust = Trust { peers: vec!["10.0.0.0/8".parse().expect("a block")], ..Trust::default() };
    let gateway = gateway(limit("per-ip", &[PEER], 1), vec![], trust);
    let mut seen = Vec::new();
    for said in ["198.51.100.9", "192.0.2.7, 198.51.100.9", "198.51.100.9, 10.0.0.2", "198.51.100.8", "no address"] {
        seen.push(ask_as(&gateway, &at("10.0.0.1:1"), "GET /things/7", &[("x-forwarded-for", said)]).await.status);
    }
    assert_eq!(seen, [200, 429, 429, 200, 200], "what stands before the client is what it claims");
}

#[tokio::test(start_paused = true)]
async fn two_ways_to_write_a_path_are_one_budget() {
    let gateway = gateway(limit("per-path", &[Source::Path], 1), vec![], Trust::default());
    let mut seen = Vec::new();
    for line in ["GET /things/7?name=a", "GET /things/./7", "GET //things/7?name=b", "GET /things/8"] {
        seen.push(ask_as(&gateway, &at("192.0.2.1:1"), line, &[]).await.status);
    }
    assert_eq!(seen[..2], [200, 429]);
    assert_eq!(seen[2..], [429, 200]);
}

#[tokio::test(start_paused = true)]
async fn what_a_later_limit_refuses_is_given_back_if_the_rule_says_so() {
    for (gives_back, want) in [(false, 429), (true, 200)] {
        let mut edge = limit("all", &[], 3);
        edge.gives_back = gives_back;
        let gateway = gateway(edge, vec![limit("per-user", &[header("x-user")], 1)], Trust::default());
        for status in [200, 429, 429] {
            assert_eq!(ask_as(&gateway, &at("192.0.2.1:1"), "GET /things/7", ALICE).await.status, status);
        }
        assert_eq!(ask_as(&gateway, &at("192.0.2.1:1"), "GET /things/7", &[]).await.status, want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_trusted_peer_that_asks_is_told_which_budget_said_what() {
    let trust = Trust { peers: vec!["10.0.0.0/8".parse().expect("a block")], ..Trust::default() };
    let gateway = gateway(limit("per-ip", &[PEER], 9), vec![limit("per-user", &[header("x-user")], 1)], trust);
    let asked = [("x-user", "al\"ice"), ("tidegate-debug", "1")];
    let line = |seen: &crate::rig::Seen| {
        seen.headers.get("tidegate-limit").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let first = ask_as(&gateway, &at("10.0.0.1:1"), "GET /things/7", &asked).await;
    let want = concat!(
        r#"per-ip: admitted; cost=1; remaining=8; peer="10.0.0.1", "#,
        r#"per-user: admitted; cost=1; remaining=0; header:x-user="al\"ice""#
    );
    assert_eq!((first.status, line(&first).as_str()), (200, want));
    let second = ask_as(&gateway, &at("10.0.0.1:1"), "GET /things/7", &asked).await;
    assert!(line(&second).contains("per-user: refused; cost=1; remaining=0"), "{second:?}");
    let other = ask_as(&gateway, &at("192.0.2.1:1"), "GET /things/7", &asked).await;
    assert_eq!(line(&other), "", "nobody else is");
}

#[tokio::test(start_paused = true)]
async fn keys_that_say_nothing_any_more_are_not_counted() {
    let gateway = gateway(limit("per-ip", &[PEER], 1), vec![], Trust::default());
    for host in 1..=5 {
        let _ = ask_as(&gateway, &at(&format!("192.0.2.{host}:1")), "GET /things/7", &[]).await;
    }
    let keys = || figures(&gateway).into_iter().find(|line| line.starts_with("keys{"));
    assert_eq!(keys().as_deref(), Some(r#"keys{limit="per-ip"} 5"#));
    advance(2 * SECOND).await;
    assert_eq!(keys(), None);
}
