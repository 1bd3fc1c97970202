//! `stores`: where limits are kept that gateways share, and what limits say of them.

use crate::{LISTENERS, ROUTES, UPSTREAMS, folder, lines, parse, parse_in, rejects};
use std::path::PathBuf;
use std::time::Duration;
use tidegate_control::config::{CertificateFile, Store};
use tidegate_gateway::config::{self as gateway, Place};
use tidegate_limit::rules::{FailurePolicy, Percent};

/// A config with this store, in the fourth line, and this limit of one route, in the fifth.
fn config(store: &str, limit: &str) -> String {
    let routes = ROUTES.replace("shop }", "shop, limits: [one] }");
    let (stores, limits) = (format!("stores: {{ {store} }}"), format!("limits: {{ one: {{ rate: 5/s, {limit} }} }}"));
    lines(&[LISTENERS, UPSTREAMS, &routes, &stores, &limits])
}

const REDIS: &str = "redis: { url: redis://127.0.0.1:6379 }";

#[test]
fn a_store_has_defaults() {
    let loaded = parse(&config(REDIS, "store: redis")).expect("a config");
    let store = gateway::Store {
        name: "redis".into(),
        secret: String::new(),
        nodes: None,
        place: Place { line: 4, column: 11 },
    };
    assert_eq!(loaded.config.stores, std::slice::from_ref(&store));
    let want = Store {
        store,
        url: "redis://127.0.0.1:6379".into(),
        domain: None,
        ca: None,
        identity: None,
        prefix: "tidegate:".into(),
        budget: Duration::from_millis(5),
        connect: Duration::from_secs(1),
        combine: true,
        evicting: false,
        forgiving: false,
        url_place: Place { line: 4, column: 25 },
    };
    assert_eq!(loaded.stores, [want]);
    let limit = &loaded.config.rate_limits[0].limit;
    assert_eq!((limit.store.as_deref(), limit.failure, limit.lease), (Some("redis"), FailurePolicy::Closed, None));
    assert_eq!(loaded.warnings.to_string(), "");
}

#[test]
fn all_that_is_said_of_a_store_arrives_and_secrets_are_not_shown() {
    let text = "r-1: { url: 'rediss://me:${PASS}@a:1', ca: ca.pem, cert: c.pem, key: k.pem, prefix: 'x:', secret: hush, \
                nodes: 4, budget: 9ms, connect_timeout: 2s, combine: false, evicting: true, after_loss: whole }";
    let limit = "store: r-1, on_failure: { reserve: 20% }, lease: 50ms, burst: 100";
    let here = folder(&[]);
    let loaded = parse_in(here.path(), &config(text, limit), &[("PASS", "geheim")]).expect("a config");
    let store = loaded.stores[0].clone().without_places();
    let file = |name: &str| CertificateFile { path: here.path().join(name), pem: vec![], place: Place::default() };
    let want = Store {
        store: gateway::Store { name: "r-1".into(), secret: "hush".into(), nodes: Some(4), place: Place::default() },
        url: "rediss://me:geheim@a:1".into(),
        domain: None,
        ca: Some(file("ca.pem")),
        identity: Some((file("c.pem"), file("k.pem"))),
        prefix: "x:".into(),
        budget: Duration::from_millis(9),
        connect: Duration::from_secs(2),
        combine: false,
        evicting: true,
        forgiving: true,
        url_place: Place::default(),
    };
    assert!(store == want, "{store:?}");
    let files: Vec<PathBuf> = loaded.stores[0].files().map(|file| file.path.clone()).collect();
    assert_eq!(files, ["ca.pem", "c.pem", "k.pem"].map(|name| here.path().join(name)));
    let shown = format!("{:?}{:?}", loaded.config, loaded.stores);
    assert!(!shown.contains("geheim") && !shown.contains("hush"), "{shown}");
    let limit = &loaded.config.rate_limits[0].limit;
    let reserve = FailurePolicy::Reserve(Percent::new(20).expect("a percentage"));
    assert_eq!((limit.failure, limit.lease), (reserve, Some(Duration::from_millis(50))));
}

#[test]
fn a_limit_says_what_happens_without_its_store() {
    let of = |words: &str| {
        let store = "redis: { url: redis://a, nodes: 3 }";
        let loaded = parse(&config(store, &format!("store: redis, {words}"))).expect("a config");
        let limit = &loaded.config.rate_limits[0].limit;
        (limit.failure, limit.lease)
    };
    assert_eq!(of("on_failure: closed"), (FailurePolicy::Closed, None));
    assert_eq!(of("on_failure: open, lease: off"), (FailurePolicy::Open, None));
    assert_eq!(of("on_failure: local_share"), (FailurePolicy::LocalShare, None));
}

#[test]
fn a_store_that_there_is_not_is_named_with_what_may_be_meant() {
    rejects(
        &config(REDIS, "store: rediss"),
        r"
error: unknown store `rediss`
 --> tidegate.yaml:5:36
  |
5 | limits: { one: { rate: 5/s, store: rediss } }
  |                                    ^^^^^^ did you mean `redis`?
",
    );
}

#[test]
fn what_makes_no_sense_of_a_store_is_told_at_its_place() {
    for (store, column, message) in [
        ("redis: {}", 18, "a store needs `url`"),
        ("redis: redis://a", 18, "a store must be a mapping"),
        ("local: { url: redis://a }", 11, "`local` cannot name a store"),
        ("a b: { url: redis://a }", 11, "`a b` cannot name a store"),
        ("redis: { url: redis://a, bugdet: 5ms }", 36, "unknown key `bugdet`"),
        ("redis: { url: redis://a, budget: 5 }", 44, "`budget` must be a duration, not `5`"),
        ("redis: { url: redis://a, budget: 1500us }", 44, "`budget` must be a budget of time, not `1500us`"),
        ("redis: { url: redis://a, budget: 2s }", 44, "`budget` must be a budget of time, not `2s`"),
        ("redis: { url: redis://a, nodes: 0 }", 43, "`nodes` must be a number of gateways, not `0`"),
        ("redis: { url: redis://a, prefix: 'a{b' }", 44, "`prefix` must be a prefix, not `a{b`"),
        ("redis: { url: redis://a, cert: a.pem }", 42, "`cert` and `key` go together"),
        ("redis: { url: redis://a, after_loss: full }", 48, "`after_loss` must be `used_up` or `whole`, not `full`"),
    ] {
        told(&config(store, "key: peer"), &format!("error: {message}\n --> tidegate.yaml:4:{column}"));
    }
}

#[test]
fn what_makes_no_sense_of_a_shared_limit_is_told_at_its_place() {
    for (limit, column, message) in [
        ("store: redis, on_failure: opne", 55, "`on_failure` must be `closed`, `open` or `local_share`, not `opne`"),
        (
            "store: redis, on_failure: local_share",
            55,
            "a share for each gateway, and it is not said how many there are",
        ),
        (
            "store: redis, on_failure: { reserve: 5% }",
            55,
            "a share for each gateway, and it is not said how many there are",
        ),
        ("store: redis, on_failure: { reserve: 0% }", 66, "a reserve is from `1%` to `99%` of the limit"),
        ("store: redis, keys: 5", 49, "`keys` is for limits that this process keeps by itself"),
        ("store: redis, lease: 20s", 50, "`lease` must be an age, not `20s`"),
        (
            "store: redis, lease: 5s",
            43,
            "limit `one`: leases of 5s need a token bucket whose burst is more than its rate in that time",
        ),
        (
            "store: redis, algorithm: sliding_window, lease: 5ms",
            70,
            "limit `one`: leases of 5ms need a token bucket whose burst is more than its rate in that time",
        ),
    ] {
        told(&config(REDIS, limit), &format!("error: {message}\n --> tidegate.yaml:5:{column}"));
    }
    let shares = "store: redis, algorithm: sliding_window, on_failure: local_share";
    told(
        &config("redis: { url: redis://a, nodes: 2 }", shares),
        "error: limit `one`: only a token bucket or a leaky bucket can be shared out among nodes; say `open` or \
         `closed`\n --> tidegate.yaml:5:70",
    );
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
