use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::ask::Ask;
use crate::key::Keys;
use crate::local::Store;
use crate::quota::{QuotaError, Rate};

struct Request {
    values: HashMap<String, Vec<u8>>,
    peer: IpAddr,
}

impl Facts for Request {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        self.values.get(&source.label()).map(|value| Cow::Borrowed(value.as_slice()))
    }

    fn peer(&self) -> IpAddr {
        self.peer
    }
}

fn request(values: &[(&str, &str)]) -> Request {
    let values = values.iter().map(|(label, value)| ((*label).to_owned(), value.as_bytes().to_vec()));
    Request { values: values.collect(), peer: IpAddr::from([192, 0, 2, 1]) }
}

fn from(peer: &str) -> Request {
    Request { peer: peer.parse().expect("an address"), ..request(&[]) }
}

fn header(name: &str) -> Source {
    Source::Header(name.to_owned())
}

fn bucket(count: u64, burst: u64) -> Algorithm {
    Algorithm::TokenBucket { rate: Rate::per_second(count), burst }
}

fn context() -> Context {
    Context { keys: Keys::new(1), nodes: 4, verifies_identity: false }
}

fn compiled(limit: Limit) -> Rule {
    let rules = Rules::compile(&[limit], &context()).expect("legal");
    rules.rules.into_iter().next().expect("one limit")
}

#[track_caller]
fn problems(limit: Limit) -> Vec<String> {
    let problems = Rules::compile(&[limit], &context()).expect_err("not legal");
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn keys_differ_by_limit_and_by_every_value() {
    let two = |name| compiled(Limit::new(name, vec![header("x-user"), Source::Route], bucket(1, 1)));
    let (limit, other) = (two("a"), two("b"));
    let values = [
        request(&[("header:x-user", "u"), ("route", "r")]),
        request(&[("header:x-user", "ur"), ("route", "")]),
        request(&[("header:x-user", ""), ("route", "ur")]),
        request(&[("header:x-user", "")]),
        request(&[("route", "ur")]),
        request(&[]),
        request(&[("header:x-user", &"x".repeat(128))]),
        request(&[("header:x-user", &"x".repeat(129))]),
        request(&[("header:x-user", &"x".repeat(1 << 20))]),
    ];
    let keys = |rule: &Rule| values.iter().map(|one| rule.ruling(one, 0).expect("applies").key).collect::<Vec<_>>();
    let mut all = [keys(&limit), keys(&other)].concat();
    assert_eq!(keys(&limit), keys(&limit));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 18);
}

#[test]
fn a_missing_value_shares_a_budget_unless_the_limit_skips_it() {
    let mut limit = Limit::new("a", vec![header("x-user")], bucket(1, 1));
    let rule = compiled(limit.clone());
    assert_eq!(
        rule.ruling(&request(&[]), 0).map(|ruling| ruling.key),
        rule.ruling(&request(&[]), 9).map(|one| one.key)
    );
    limit.key[0].absent = Absent::Skips;
    assert!(compiled(limit).ruling(&request(&[]), 0).is_none());
}

#[test]
fn a_peer_is_its_address_or_its_network() {
    let rule = compiled(Limit::new("a", vec![PEER], bucket(1, 1)));
    let key = |peer| rule.ruling(&from(peer), 0).expect("applies").key;
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    let wide = compiled(Limit::new("a", vec![Source::Peer { v4_prefix: 0, v6_prefix: 0 }], bucket(1, 1)));
    let key = |peer| wide.ruling(&from(peer), 0).expect("applies").key;
    assert_eq!((key("10.0.0.1"), key("::1")), (key("192.0.2.2"), key("2001:db8::1")));
}

#[test]
fn overrides_go_from_the_exact_to_the_star() {
    let mut limit = Limit::new("a", vec![header("tenant"), header("kind")], bucket(1, 1));
    let to = |values: [&str; 2], quota| Override { values: values.map(str::to_owned).into(), quota };
    limit.overrides = vec![
        to(["*", "read"], Quota::Limited(bucket(2, 2))),
        to(["eu-*", "*"], Quota::Limited(bucket(3, 3))),
        to(["acme", "*"], Quota::Limited(bucket(4, 4))),
        to(["acme", "w*e"], Quota::Unlimited),
    ];
    let rule = compiled(limit);
    let burst = |tenant, kind| {
        let request = request(&[("header:tenant", tenant), ("header:kind", kind)]);
        rule.ruling(&request, 0).map(|ruling| match ruling.policy {
            Policy::Bucket(bucket) => bucket.burst(),
            _ => 0,
        })
    };
    assert_eq!(burst("other", "write"), Some(1));
    assert_eq!(burst("other", "read"), Some(2));
    assert_eq!(burst("eu-west", "read"), Some(3));
    assert_eq!(burst("acme", "read"), Some(4));
    assert_eq!(burst("acme", "write"), None);
    assert_eq!(burst("acme", "writes"), Some(4));
}

#[test]
fn an_operator_finds_the_budget_that_requests_have() {
    let mut limit = Limit::new("a", vec![header("tenant"), Source::Constant("eu".to_owned()), PEER], bucket(1, 2));
    limit.overrides = vec![
        Override { values: ["acme", "*", "*"].map(str::to_owned).into(), quota: Quota::Limited(bucket(3, 4)) },
        Override { values: ["free", "*", "*"].map(str::to_owned).into(), quota: Quota::Unlimited },
    ];
    let rule = compiled(limit);
    let of = |values: &[Option<&[u8]>]| rule.budget_of(values).map(|budget| (budget.key, *budget.algorithm));
    for (tenant, algorithm) in [("acme", bucket(3, 4)), ("other", bucket(1, 2))] {
        let request =
            Request { peer: "2001:db8::7:1".parse().expect("an address"), ..request(&[("header:tenant", tenant)]) };
        let ruling = rule.ruling(&request, 0).expect("applies");
        assert_eq!((*ruling.algorithm, ruling.algorithm.holds()), (algorithm, algorithm.holds()));
        let same_network = of(&[Some(tenant.as_bytes()), Some(b"2001:db8::8")]);
        assert_eq!(same_network, Some((ruling.key, algorithm)));
    }
    let nobody = rule.ruling(&request(&[]), 0).expect("applies").key;
    assert_eq!(of(&[None, Some(b"192.0.2.1")]), Some((nobody, bucket(1, 2))));
    assert_eq!(of(&[Some(b"free"), None]), None);
    assert_eq!(of(&[Some(b"acme")]), None);
}

#[test]
fn a_limit_is_whole_again_after_its_window() {
    let second = Duration::from_secs(1);
    let all = [
        bucket(10, 25),
        Algorithm::LeakyBucket { rate: Rate::per_second(10), queue: 9 },
        Algorithm::SlidingWindow(Rate::new(5, 60 * second).expect("a rate")),
        bucket(0, 1),
        Algorithm::Concurrency(3),
    ];
    assert_eq!(all.map(|one| one.window()), [second * 5 / 2, second, 60 * second, Duration::ZERO, Duration::ZERO]);
}

#[test]
fn descriptors_match_as_those_of_envoys_service() {
    let mut tree = Tree::new();
    let path = |entries: &[(&str, &str)]| -> Vec<(String, Value)> {
        let value = |value: &str| if value.is_empty() { Value::Any } else { Value::Pattern(value.to_owned()) };
        entries.iter().map(|(key, one)| ((*key).to_owned(), value(one))).collect()
    };
    for (number, entries) in [
        &[("k", "")][..],
        &[("k", "v*")],
        &[("k", "va*e")],
        &[("k", "value")],
        &[("k", "value"), ("sub", "")],
        &[("other", "x"), ("sub", "a*b*c")],
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(tree.insert(&path(entries), number), Ok(()));
        assert_eq!(tree.insert(&path(entries), number), Err(TreeError));
    }
    assert_eq!(tree.insert(&[], 9), Err(TreeError));
    let find = |entries: &[(&str, &str)]| {
        let entries: Vec<_> = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        tree.find(&entries).copied()
    };
    assert_eq!(find(&[("k", "zzz")]), Some(0));
    assert_eq!(find(&[("k", "vase")]), Some(1));
    assert_eq!(find(&[("k", "value")]), Some(3));
    assert_eq!(find(&[("k", "value"), ("sub", "1")]), Some(4));
    assert_eq!(find(&[("k", "vase"), ("sub", "1")]), None);
    assert_eq!(find(&[("k", "value"), ("sub", "1"), ("more", "1")]), None);
    assert_eq!(find(&[("other", "x")]), None);
    assert_eq!(find(&[("other", "x"), ("sub", "a--b--c")]), Some(5));
    assert_eq!(find(&[("other", "x"), ("sub", "abc")]), Some(5));
    assert_eq!(find(&[("other", "x"), ("sub", "acb")]), None);
    assert_eq!(find(&[]), None);
}

#[test]
fn a_class_finds_its_share_whatever_others_do_and_others_use_the_rest() {
    let mut limit = Limit::new("a", vec![], bucket(10, 100));
    let when = Condition { source: header("tier"), matcher: Matcher::Exact("vip".to_owned()) };
    limit.classes = vec![Class { name: "vip".to_owned(), when, reserved: Percent::new(30).expect("legal") }];
    let rule = compiled(limit);
    let (anybody, vip) = (request(&[]), request(&[("header:tier", "vip")]));
    let (others, vips) = (rule.ruling(&anybody, 0).expect("applies"), rule.ruling(&vip, 0).expect("applies"));
    assert_eq!((rule.class(vips.class), rule.class(others.class)), (Some("vip"), None));
    assert_eq!(vips.key, others.key);
    let store = Store::new(rule.algorithm().kind(), rule.keys());
    let take = |ruling: &Ruling<'_>, second, cost| {
        store.decide(ruling.key, Duration::from_secs(second), ruling.policy, Ask::partial(cost)).granted
    };
    assert_eq!(take(&others, 1, 1000), 70);
    // The rate of the share is lent: others get all of it.
    assert_eq!(take(&others, 2, 1000), 10);
    assert_eq!(take(&others, 3, 1000), 10);
    // And it is there at once.
    assert_eq!(take(&vips, 3, 1000), 30);
    // What comes in now fills the share again first.
    assert_eq!(take(&others, 4, 1000), 0);
    assert_eq!(take(&vips, 4, 1000), 10);
}

#[test]
fn costs_come_from_requests_and_are_never_nothing() {
    let mut limit = Limit::new("a", vec![], bucket(10, 100));
    limit.cost = Cost::Value { source: header("n"), times: 2, otherwise: 5 };
    let rule = compiled(limit);
    let cost = |value| rule.ruling(&request(&[("header:n", value)]), 0).expect("applies").ask.cost;
    assert_eq!(
        ["3", "0", "", "-1", "x", "18446744073709551615", "99999999999999999999999"].map(cost),
        [6, 1, 10, 10, 10, u64::MAX, u64::MAX]
    );
    assert_eq!(rule.ruling(&request(&[]), 0).expect("applies").ask.cost, 10);
}

#[test]
fn a_limit_is_enforced_for_its_part_of_requests() {
    let enforced = |percent| {
        let mut limit = Limit::new("a", vec![], bucket(10, 100));
        limit.enforce = Percent::new(percent).expect("legal");
        let rule = compiled(limit);
        let count = |part: &u64| rule.ruling(&request(&[]), part * (u64::MAX / 1000)).expect("applies").enforced;
        (0..=1000).filter(count).count()
    };
    assert_eq!([0, 1, 25, 99, 100].map(enforced), [0, 11, 251, 991, 1001]);
    assert_eq!(Percent::new(101), None);
}

#[test]
fn conditions_say_which_requests_a_limit_is_about() {
    let mut limit = Limit::new("a", vec![], bucket(10, 100));
    let when = |source, matcher| Condition { source, matcher };
    limit.when = vec![
        when(Source::Method, Matcher::Exact("POST".to_owned())),
        when(Source::Route, Matcher::Prefix("/v1".to_owned())),
        when(header("x"), Matcher::Present),
    ];
    let rule = compiled(limit);
    let applies = |values: &[(&str, &str)]| rule.ruling(&request(values), 0).is_some();
    assert!(applies(&[("method", "POST"), ("route", "/v1/a"), ("header:x", "")]));
    assert!(!applies(&[("method", "GET"), ("route", "/v1/a"), ("header:x", "")]));
    assert!(!applies(&[("method", "POST"), ("route", "/v2/a"), ("header:x", "")]));
    assert!(!applies(&[("method", "POST"), ("route", "/v1/a")]));
}

#[test]
fn every_problem_is_told_with_its_limit() {
    let mut limit = Limit::new("per-user", vec![Source::Identity("sub".to_owned())], bucket(10, 0));
    let when = Condition { source: PEER, matcher: Matcher::Present };
    limit.classes = vec![Class { name: "all".to_owned(), when, reserved: Percent::ALL }];
    limit.keys = 0;
    limit.overrides = vec![
        Override { values: vec!["a".to_owned(), "b".to_owned()], quota: Quota::Unlimited },
        Override { values: vec!["a".to_owned()], quota: Quota::Unlimited },
        Override { values: vec!["a".to_owned()], quota: Quota::Limited(Algorithm::Concurrency(1)) },
    ];
    assert_eq!(
        problems(limit),
        [
            "limit `per-user`: `identity:sub` needs authentication, which is not configured; an unverified token is no key",
            "limit `per-user`: its classes reserve 100 % of it, and less than 100 % can be",
            "limit `per-user`: between 1 and 67108864 keys, not 0",
            "limit `per-user`: override 1 has 2 patterns for 1 parts of the key",
            "limit `per-user`: override 3 must have the limit's own algorithm and window",
            "limit `per-user`: override 3 has the patterns of an earlier one",
            "limit `per-user`: the burst must be at least 1; a rate of 0 refuses everything",
        ]
    );
    let mut limit = Limit::new("a", vec![], Algorithm::SlidingWindow(Rate::per_second(1)));
    limit.store = Some("redis".to_owned());
    limit.failure = FailurePolicy::LocalShare;
    limit.lease = Some(Duration::from_millis(10));
    assert_eq!(
        problems(limit),
        [
            "limit `a`: only a token bucket or a leaky bucket can be shared out among nodes; say `open` or `closed`",
            "limit `a`: leases of 10ms need a token bucket whose burst is more than its rate in that time",
        ]
    );
    let same = Limit::new("a", vec![], bucket(1, 1));
    assert_eq!(Rules::compile(&[same.clone(), same], &context()).expect_err("twice"), [Problem::Twice("a".to_owned())]);
    let error = QuotaError::TooMany { what: "a limit of concurrency", most: u64::from(u32::MAX), given: u64::MAX };
    assert_eq!(
        Rules::compile(&[Limit::new("c", vec![], Algorithm::Concurrency(u64::MAX))], &context()).expect_err("too many"),
        [Problem::Quota { limit: "c".to_owned(), error }]
    );
}
