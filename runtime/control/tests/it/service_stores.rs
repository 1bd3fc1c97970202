//! A store that is a rate limit service, and what limits say of it.

use crate::{LISTENERS, ROUTES, UPSTREAMS, lines, parse};
use std::time::Duration;
use tidegate_gateway::config::QUOTA_OF_SERVICE;
use tidegate_limit::rules::FailurePolicy;
use tidegate_limit::{Algorithm, Rate};

/// A config with this store, in the fourth line, and this limit of one route, in the fifth.
fn config(store: &str, limit: &str) -> String {
    let routes = ROUTES.replace("shop }", "shop, limits: [one] }");
    let (stores, limits) = (format!("stores: {{ {store} }}"), format!("limits: {{ one: {{ {limit} }} }}"));
    lines(&[LISTENERS, UPSTREAMS, &routes, &stores, &limits])
}

const MESH: &str = "mesh: { url: rls://limits:8081, domain: edge }";

#[test]
fn a_service_has_a_domain_and_more_time() {
    let loaded = parse(&config(MESH, "key: peer, store: mesh")).expect("a config");
    let store = &loaded.stores[0];
    assert_eq!((store.domain.as_deref(), store.budget), (Some("edge"), Duration::from_millis(20)));
    let said = "mesh: { url: rlss://limits, domain: edge, budget: 5ms, connect_timeout: 2s, nodes: 3 }";
    let loaded = parse(&config(said, "key: peer, store: mesh")).expect("a config");
    let store = &loaded.stores[0];
    let (budget, connect) = (Duration::from_millis(5), Duration::from_secs(2));
    assert_eq!((store.budget, store.connect, store.store.nodes), (budget, connect, Some(3)));
}

#[test]
fn the_service_knows_parts_of_keys_by_names() {
    let of = |limit: &str| {
        let loaded = parse(&config(MESH, &format!("store: mesh, {limit}"))).expect("a config");
        let limit = &loaded.config.rate_limits[0];
        (limit.limit.algorithm, limit.descriptor.clone())
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let key = "key: [peer, 'constant:all', 'header:x-user', path, method, route, 'query:q']";
    let usual = ["remote_address", "generic_key", "x-user", "path", "method", "route", "q"];
    assert_eq!(of(key), (QUOTA_OF_SERVICE, names(&usual)));
    let hour = Rate::new(5, Duration::from_hours(1)).expect("a rate");
    let told = Algorithm::TokenBucket { rate: hour, burst: 5 };
    assert_eq!(of("key: peer, descriptor: address, rate: 5/h"), (told, names(&["address"])));
    assert_eq!(of("key: [peer, path], descriptor: [a, b]"), (QUOTA_OF_SERVICE, names(&["a", "b"])));
}

#[test]
fn what_makes_no_sense_of_a_service_is_told_at_its_place() {
    // Nothing is told of the limit besides: it would be right if the store were.
    const LIMIT: &str = "key: peer, store: mesh";
    for (store, column, message) in [
        ("mesh: { url: rls://a }", 19, "a rate limit service needs `domain`"),
        ("mesh: { url: rls://a, domain: '' }", 41, "`domain` must be a domain and is empty"),
        ("mesh: { url: rls://a, domain: e, prefix: x }", 44, "`prefix` has no meaning for a rate limit service"),
        ("mesh: { url: rls://a, domain: e, secret: x }", 44, "`secret` has no meaning for a rate limit service"),
        ("mesh: { url: rls://a, domain: e, combine: true }", 44, "`combine` has no meaning for a rate limit service"),
        ("mesh: { url: rls://a, domain: e, evicting: true }", 44, "`evicting` has no meaning for a rate limit service"),
        (
            "mesh: { url: rls://a, domain: e, after_loss: whole }",
            44,
            "`after_loss` has no meaning for a rate limit service",
        ),
    ] {
        told(&config(store, LIMIT), &format!("error: {message}\n --> tidegate.yaml:4:{column}"));
    }
    let store = "mesh: { url: redis://a, domain: edge }";
    let want = "error: `domain` is for a rate limit service\n --> tidegate.yaml:4:35";
    told(&config(store, "rate: 5/s"), want);
    let rls = "rate_limit_service: { resp: 127.0.0.1:6380, store: mesh }";
    let text = lines(&[&config(MESH, "rate: 5/s"), rls]);
    told(&text, "error: `mesh` is a rate limit service itself\n --> tidegate.yaml:7:52");
}

#[test]
fn what_a_service_cannot_do_is_told_at_its_place() {
    for (limit, column, message) in [
        ("store: mesh", 16, "the rate limit service `mesh` knows budgets by names and values: `key` is missing"),
        (
            "KEY, algorithm: fixed_window",
            42,
            "`algorithm` has no meaning for a limit that the rate limit service `mesh` keeps",
        ),
        ("KEY, give_back: true", 42, "`give_back` has no meaning for a limit that the rate limit service `mesh` keeps"),
        (
            "KEY, classes: { vip: { reserved: 20%, when: { method: GET } } }",
            42,
            "`classes` has no meaning for a limit that the rate limit service `mesh` keeps",
        ),
        ("KEY, rate: 5/s, burst: 9", 53, "`burst` cannot be told to a rate limit service"),
        ("KEY, rate: 5/10s", 48, "`rate` must be a rate of a rate limit service, not `5/10s`"),
        ("KEY, overrides: { a: { rate: 5/d, burst: 9 } }", 71, "`burst` cannot be told to a rate limit service"),
        (
            "KEY, overrides: { a: { rate: 5/500ms } }",
            66,
            "`rate` must be a rate of a rate limit service, not `5/500ms`",
        ),
        ("KEY, lease: 5ms", 49, "the rate limit service `mesh` lends nothing in advance"),
        (
            "KEY, on_failure: { reserve: 20% }",
            54,
            "a part of what the rate limit service `mesh` keeps cannot be reserved",
        ),
        ("KEY, on_failure: local_share", 54, "a share of a quota that only the rate limit service `mesh` knows"),
        ("KEY, keys: 5", 48, "`keys` is for limits that this process keeps by itself"),
        ("KEY, descriptor: [a, b]", 54, "`descriptor` has 2 names for 1 parts of the key"),
        ("KEY, descriptor: ['']", 55, "each of `descriptor` must be the key of a descriptor's entry and is empty"),
    ] {
        let limit = limit.replace("KEY", "key: peer, store: mesh");
        let store = MESH.replace("edge", "edge, nodes: 2");
        told(&config(&store, &limit), &format!("error: {message}\n --> tidegate.yaml:5:{column}"));
    }
    told(
        &config(MESH, "key: peer, rate: 5/s, descriptor: a"),
        "error: `descriptor` is for limits that a rate limit service keeps\n --> tidegate.yaml:5:40",
    );
}

#[test]
fn a_share_of_a_quota_that_is_told_can_be_taken() {
    let store = MESH.replace("edge", "edge, nodes: 2");
    let loaded =
        parse(&config(&store, "key: peer, store: mesh, rate: 5/s, on_failure: local_share")).expect("a config");
    assert_eq!(loaded.config.rate_limits[0].limit.failure, FailurePolicy::LocalShare);
}

#[track_caller]
fn told(text: &str, want: &str) {
    let report = match parse(text) {
        Ok(_) => panic!("this was taken: {text}"),
        Err(report) => report.to_string(),
    };
    assert_eq!(report.lines().take(2).collect::<Vec<_>>().join("\n"), want, "{text}");
    assert_eq!(report.matches("error: ").count(), 1, "{report}");
}
