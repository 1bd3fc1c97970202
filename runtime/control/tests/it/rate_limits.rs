//! `limits`: what a config may say, and what is wrong with it.

use crate::{LISTENERS, UPSTREAMS, lines, parse, rejects, same};
use std::time::Duration;
use tidegate_gateway::config::{LimitName, Place, RateLimit, Tells};
use tidegate_limit::rules::{
    Absent, Class, Condition, Cost, KeyPart, Limit, Matcher, Override, PEER, Percent, Quota, Source,
};
use tidegate_limit::{Algorithm, Rate};

/// Whose headers clients cannot choose.
const IDENTITY: &str = "listeners: [{ bind: 127.0.0.1:0, identity_headers: [x-user-id, x-plan] }]";

/// A config with this limit, in the fourth line, which its one route names.
fn limit(text: &str) -> String {
    let route = "routes: [{ service: shop.v1.Orders, upstream: shop, limits: [one] }]";
    lines(&[IDENTITY, UPSTREAMS, route, &format!("limits: {{ one: {text} }}")])
}

fn read(text: &str) -> RateLimit {
    parse(&limit(text)).expect("a config").config.rate_limits.remove(0)
}

fn bucket(count: u64, burst: u64) -> Algorithm {
    Algorithm::TokenBucket { rate: Rate::per_second(count), burst }
}

#[test]
fn a_limit_of_few_words_is_a_token_bucket_for_all() {
    let loaded = parse(&limit("{ rate: 100/s }")).expect("a config");
    let want = RateLimit {
        limit: Limit::new("one", vec![], bucket(100, 100)),
        headers: Tells::Refused,
        legacy_headers: false,
        gives_back: false,
        signed: None,
        descriptor: Vec::new(),
        place: Place { line: 4, column: 11 },
        sources: vec![],
    };
    assert_eq!(loaded.config.rate_limits, [want]);
    let named = LimitName { name: "one".into(), place: Place { line: 3, column: 62 } };
    assert_eq!(loaded.config.routes[0].rate_limits, [named]);
    assert_eq!(loaded.warnings.to_string(), "");
}

#[test]
fn every_word_of_a_limit_is_understood() {
    let text = lines(&[
        "listeners: [{ bind: 127.0.0.1:0, identity_headers: [x-user-id, x-plan], limits: [per-ip] }]",
        UPSTREAMS,
        "routes: [{ service: shop.v1.Orders, upstream: shop, limits: [all-words] }, { path: /a, upstream: shop, limits: [per-ip] }]",
        "limits:",
        "  per-ip: { key: peer, rate: 10/m, algorithm: sliding_window, give_back: true }",
        "  all-words:",
        "    key: [header:X-User-Id, path:order.id, field:order.kind, peer, route, method, constant:eu]",
        "    absent: skips",
        "    when: { method: POST, header:x-plan: { prefix: g }, path: { present: true } }",
        "    rate: 100/10s",
        "    burst: 200",
        "    overrides:",
        "      - { key: [acme, '*', '*', '*', '*', '*', '*'], rate: 5/s, burst: 7 }",
        "      - { key: ['*', '*', '*', '*', '*', '*', eu], unlimited: true }",
        "    classes: { vip: { when: { header:x-plan: gold }, reserved: 20% } }",
        "    cost: { value: field:order.lines, times: 2, otherwise: 3 }",
        "    enforce: 50%",
        "    keys: 1000",
        "    store: local",
        "    headers: always",
        "    legacy_headers: true",
    ]);
    let loaded = parse(&text).expect("a config");
    let mut found = loaded.config.rate_limits;
    let (all, per_ip) = (found.remove(1), found.remove(0));
    let minute = Rate::new(10, Duration::from_secs(60)).expect("a rate");
    assert_eq!(
        (per_ip.gives_back, per_ip.limit),
        (true, Limit::new("per-ip", vec![PEER], Algorithm::SlidingWindow(minute)))
    );
    let header = |name: &str| Source::Header(name.into());
    let key = [
        header("x-user-id"),
        Source::PathVariable("order.id".into()),
        Source::Field("order.kind".into()),
        PEER,
        Source::Route,
        Source::Method,
        Source::Constant("eu".into()),
    ];
    let values = |values: [&str; 7]| values.map(str::to_owned).to_vec();
    let when = |source, matcher| Condition { source, matcher };
    let want = Limit {
        name: "all-words".into(),
        key: key.into_iter().map(|source| KeyPart { source, absent: Absent::Skips }).collect(),
        when: vec![
            when(Source::Method, Matcher::Exact("POST".into())),
            when(header("x-plan"), Matcher::Prefix("g".into())),
            when(Source::Path, Matcher::Present),
        ],
        algorithm: Algorithm::TokenBucket {
            rate: Rate::new(100, Duration::from_secs(10)).expect("a rate"),
            burst: 200,
        },
        overrides: vec![
            Override { values: values(["acme", "*", "*", "*", "*", "*", "*"]), quota: Quota::Limited(bucket(5, 7)) },
            Override { values: values(["*", "*", "*", "*", "*", "*", "eu"]), quota: Quota::Unlimited },
        ],
        classes: vec![Class {
            name: "vip".into(),
            when: when(header("x-plan"), Matcher::Exact("gold".into())),
            reserved: Percent::new(20).expect("a percentage"),
        }],
        cost: Cost::Value { source: Source::Field("order.lines".into()), times: 2, otherwise: 3 },
        enforce: Percent::new(50).expect("a percentage"),
        keys: 1000,
        ..Limit::new("all-words", vec![], bucket(1, 1))
    };
    assert_eq!(all.limit, want);
    assert_eq!((all.headers, all.legacy_headers, all.gives_back, all.sources.len()), (Tells::Always, true, false, 12));
    let names = |names: &[LimitName]| names.iter().map(|name| name.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&loaded.config.listeners[0].rate_limits), ["per-ip"]);
    assert_eq!(names(&loaded.config.plain[0].rate_limits), ["per-ip"]);
    assert_eq!(loaded.warnings.to_string(), "");
}

#[test]
fn a_key_of_one_part_has_overrides_by_its_value() {
    let text = "{ key: header:x-user-id, rate: 1/s, overrides: { acme: { rate: 9/s }, \"eu-*\": unlimited } }";
    let over = |value: &str, quota| Override { values: vec![value.into()], quota };
    let want = [over("acme", Quota::Limited(bucket(9, 9))), over("eu-*", Quota::Unlimited)];
    assert_eq!(read(text).limit.overrides, want);
}

#[test]
fn each_algorithm_has_its_own_words() {
    let minute = Rate::new(5, Duration::from_secs(60)).expect("a rate");
    for (text, want) in [
        ("leaky_bucket, queue: 9", Algorithm::LeakyBucket { rate: minute, queue: 9 }),
        ("leaky_bucket", Algorithm::LeakyBucket { rate: minute, queue: 5 }),
        ("sliding_log", Algorithm::SlidingLog(minute)),
        ("fixed_window", Algorithm::FixedWindow(minute)),
        ("token_bucket, burst: 2", Algorithm::TokenBucket { rate: minute, burst: 2 }),
    ] {
        assert_eq!(read(&format!("{{ rate: 5/m, algorithm: {text} }}")).limit.algorithm, want, "{text}");
    }
    let shadow = |text: &str| read(&format!("{{ rate: 5/m, {text} }}")).limit.enforce;
    assert_eq!(
        [shadow("shadow: true"), shadow("shadow: false"), shadow("enforce: 0%")],
        [Percent::NONE, Percent::ALL, Percent::NONE]
    );
}

#[test]
fn what_makes_no_sense_is_told_in_one_sentence_at_its_place() {
    for (text, column, message) in [
        ("{ key: peer }", 16, "a limit needs `rate`"),
        ("{ rate: 0/s }", 24, "`rate` must be a rate, not `0/s`"),
        ("{ rate: 100/sec }", 24, "`rate` must be a rate, not `100/sec`"),
        ("{ rate: 5/s, burst: 0 }", 36, "`burst` must be a number, not `0`"),
        (
            "{ rate: 1/d, burst: 400 }",
            29,
            "limit `one`: a burst of 400 at this rate takes more than 366 days to refill",
        ),
        ("{ rate: 5/s, cost: 6 }", 35, "a cost of 6 is never admitted: the limit holds 5 at most"),
        (
            "{ rate: 5/s, algorithm: tokn_bucket }",
            40,
            "`algorithm` must be `token_bucket`, `leaky_bucket`, `sliding_window`, `sliding_log` or `fixed_window`, not `tokn_bucket`",
        ),
        (
            "{ rate: 5/s, algorithm: fixed_window, burst: 9 }",
            61,
            "`burst` is for `token_bucket`, not for `fixed_window`",
        ),
        ("{ rate: 5/s, queue: 9 }", 36, "`queue` is for `leaky_bucket`, not for `token_bucket`"),
        ("{ rate: 5/s, key: [] }", 34, "`key` is empty"),
        ("{ rate: 5/s, key: [peers] }", 35, "each of `key` must be something of a request, not `peers`"),
        ("{ rate: 5/s, key: [heade:x-a] }", 35, "each of `key` must be something of a request, not `heade:x-a`"),
        (
            "{ rate: 5/s, key: [identity:sub] }",
            35,
            "limit `one`: `identity:sub` needs authentication, which is not configured; an unverified token is no key",
        ),
        (
            "{ rate: 5/s, shadow: true, enforce: 5% }",
            52,
            "a limit has both `shadow: true` and `enforce`: a shadow refuses nothing",
        ),
        ("{ rate: 5/s, keys: 0 }", 35, "`keys` must be a number of keys, not `0`"),
        ("{ rate: 5/s, store: redis }", 36, "unknown store `redis`"),
        ("{ rate: 5/s, lease: 1s }", 36, "`lease` is for limits that gateways share"),
        ("{ rate: 5/s, on_failure: open }", 41, "`on_failure` is for limits that gateways share"),
        ("{ rate: 5/s, signed: { secret: short } }", 47, "a secret has at least 16 bytes"),
        ("{ rate: 5/s, signed: { secrt: 0123456789abcdef } }", 39, "unknown key `secrt`"),
        ("{ rate: 5/s, brust: 9 }", 29, "unknown key `brust`"),
        (
            "{ rate: 5/s, overrides: { acme: { rate: 9/s } } }",
            40,
            "`overrides` needs `key`: without one there is one budget for all",
        ),
        (
            "{ rate: 5/s, algorithm: sliding_window, key: peer, overrides: { 10.0.0.1: { rate: 5/m } } }",
            67,
            "limit `one`: override 1 must have the limit's own algorithm and window",
        ),
        (
            "{ rate: 5/s, key: [peer, path], overrides: [{ key: [a], rate: 5/m }] }",
            67,
            "this override has 1 values for 2 parts of the key",
        ),
        (
            "{ rate: 5/s, classes: { vip: { when: { header:x-plan: a }, reserved: 100% } } }",
            29,
            "limit `one`: its classes reserve 100 % of it, and less than 100 % can be",
        ),
    ] {
        let report = match parse(&limit(text)) {
            Ok(_) => panic!("this was taken: {text}"),
            Err(report) => report.to_string(),
        };
        let first = report.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(first, format!("error: {message}\n --> tidegate.yaml:4:{column}"), "{text}");
        assert_eq!(report.matches("error: ").count(), 1, "{report}");
    }
}

#[test]
fn names_of_limits_are_checked_where_they_are_used() {
    rejects(
        &lines(&[
            "listeners: [{ bind: 127.0.0.1:0, limits: [per-ipp] }]",
            UPSTREAMS,
            "routes: [{ service: shop.v1.Orders, upstream: shop, limits: [per-ip, per-ip] }]",
            "limits: { per-ip: { key: peer, rate: 5/s } }",
        ]),
        r#"
error: unknown limit `per-ipp`
 --> tidegate.yaml:1:43
  |
1 | listeners: [{ bind: 127.0.0.1:0, limits: [per-ipp] }]
  |                                           ^^^^^^^ did you mean `per-ip`?

error: the limit `per-ip` is named twice
 --> tidegate.yaml:3:70
  |
3 | routes: [{ service: shop.v1.Orders, upstream: shop, limits: [per-ip, per-ip] }]
  |                                                                      ^^^^^^ again here
 ::: tidegate.yaml:3:62
  |
3 | routes: [{ service: shop.v1.Orders, upstream: shop, limits: [per-ip, per-ip] }]
  |                                                              ------ first here
"#,
    );
}

#[test]
fn check_warns_of_what_clients_can_choose_and_of_what_nobody_names() {
    let text = lines(&[
        LISTENERS,
        UPSTREAMS,
        "routes: [{ service: shop.v1.Orders, upstream: shop, limits: [one] }]",
        "limits:",
        "  one: { key: [header:x-user-id, query:user, path:id], rate: 5/s }",
        "  two: { rate: 5/s }",
    ]);
    let warnings = parse(&text).expect("a config").warnings.to_string();
    let want = r"
warning: any client can choose the header `x-user-id`, and so its limit
 --> tidegate.yaml:5:16
  |
5 |   one: { key: [header:x-user-id, query:user, path:id], rate: 5/s }
  |                ^^^^^^^^^^^^^^^^
  = help: name it in `identity_headers` of the listeners, or limit by `peer` too

warning: any client can choose the query parameter `user`, and so its limit
 --> tidegate.yaml:5:34
  |
5 |   one: { key: [header:x-user-id, query:user, path:id], rate: 5/s }
  |                                  ^^^^^^^^^^
  = help: limit by `peer` too

warning: no listener and no route names the limit `two`
 --> tidegate.yaml:6:3
  |
6 |   two: { rate: 5/s }
  |   ^^^
";
    same(&warnings, want);
}
