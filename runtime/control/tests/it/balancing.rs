//! Endpoints of an upstream, how one is chosen, and when it is not.

use crate::{LISTENERS, ROUTES, lines, parse, rejects};
use std::time::Duration;
use tidegate_traffic::balance::Policy;
use tidegate_traffic::outlier::{Settings, SuccessRate};
use tidegate_traffic::{Share, Split, SplitKey, health};
use tidegate_upstream::{Check, Config, Discovery, Endpoint, Question};

const SECOND: Duration = Duration::from_secs(1);

/// A config with another upstream, in the fourth line.
fn with(upstream: &str) -> String {
    lines(&[
        LISTENERS,
        ROUTES,
        "upstreams: { shop: { endpoints: [a:1], schema: { proto: [proto] } },",
        &format!("  web: {upstream} }}"),
    ])
}

fn pool(upstream: &str) -> Config {
    let loaded = parse(&with(upstream)).unwrap_or_else(|report| panic!("{report}"));
    loaded.config.upstreams.into_iter().find(|upstream| upstream.name == "web").expect("it is there").pool
}

fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint { host: host.into(), port }
}

#[test]
fn endpoints_are_listed_with_weights_or_found() {
    let listed = pool("{ endpoints: [a:1, { address: b:2, weight: 3 }, { address: c:3, weight: 0 }] }");
    assert_eq!(listed.endpoints, [endpoint("a", 1), endpoint("b", 2), endpoint("c", 3)]);
    assert_eq!(listed.weights, [1, 3, 0]);
    assert_eq!(pool("{ endpoints: [a:1, b:1] }").weights, [0; 0]);
    let found = |text: &str| {
        let pool = pool(&format!("{{ endpoints: {text} }}"));
        (pool.endpoints.len(), pool.discovery)
    };
    let dns = |servers| Some(Discovery::Dns { name: endpoint("web.local", 3000), servers });
    assert_eq!(found("{ dns: web.local:3000 }"), (0, dns(vec![])));
    let servers = vec!["127.0.0.1:8600".parse().expect("one"), "[::1]:53".parse().expect("one")];
    assert_eq!(found("{ dns: web.local:3000, servers: [127.0.0.1:8600, '::1'] }"), (0, dns(servers.clone())));
    let srv = |servers| Some(Discovery::Srv { name: "_grpc._tcp.web.local".into(), servers });
    assert_eq!(found("{ srv: _grpc._tcp.web.local }"), (0, srv(vec![])));
    assert_eq!(found("{ srv: _grpc._tcp.web.local, servers: [127.0.0.1:8600, '::1'] }"), (0, srv(servers)));
    assert_eq!(found("{ etcd: /endpoints/web/ }"), (0, Some(Discovery::Etcd("/endpoints/web/".into()))));
}

#[test]
fn one_of_several_endpoints_is_chosen_as_it_is_said() {
    let balance = |text: &str| pool(&format!("{{ endpoints: [a:1], balance: {text} }}")).balance;
    assert_eq!(pool("{ endpoints: [a:1] }").balance, Policy::LeastRequest);
    let words = ["least_request", "peak_ewma", "round_robin"].map(balance);
    assert_eq!(words, [Policy::LeastRequest, Policy::PeakEwma, Policy::RoundRobin]);
    let ring = |key, bound| Policy::RingHash { split: Split { key, salt: String::new() }, bound };
    let header = SplitKey::Header("x-user-id".parse().expect("a name"));
    assert_eq!(balance("{ ring_hash: { header: X-User-Id } }"), ring(header, None));
    let cookie = SplitKey::Cookie("uid".into());
    assert_eq!(balance("{ ring_hash: { cookie: uid, bounded_load: 125% } }"), ring(cookie, Some(125)));
    assert_eq!(pool("{ endpoints: [a:1], slow_start: 30s }").slow_start, 30 * SECOND);
}

#[test]
fn health_checks_ask_a_path_or_a_service() {
    let health = |text: &str| pool(&format!("{{ endpoints: [a:1], protocol: h2, health: {text} }}")).health;
    let question = Question::Http("/healthz".into());
    assert_eq!(health("{ http: /healthz }"), Some(Check { question, settings: health::Settings::default() }));
    let settings = health::Settings { interval: 10 * SECOND, timeout: 2 * SECOND, unhealthy: 3, healthy: 4 };
    let all = "{ grpc: shop.v1.Orders, interval: 10s, timeout: 2s, unhealthy: 3, healthy: 4 }";
    assert_eq!(health(all), Some(Check { question: Question::Grpc("shop.v1.Orders".into()), settings }));
    let whole = health("{ grpc: \"\" }").map(|check| check.question);
    assert_eq!(whole, Some(Question::Grpc(String::new())));
    assert_eq!(pool("{ endpoints: [a:1] }").health, None);
}

#[test]
fn outliers_are_ejected_unless_that_is_off() {
    let outlier = |text: &str| pool(&format!("{{ endpoints: [a:1], outlier: {text} }}")).outlier;
    assert_eq!(pool("{ endpoints: [a:1] }").outlier, Some(Settings::default()));
    assert_eq!((outlier("off"), outlier("{}")), (None, Some(Settings::default())));
    let all = "{ consecutive_errors: off, consecutive_gateway_errors: 3, slow: 5, interval: 1s, ejection: 10m, \
               max_ejected: 30%, success_rate: { deviations: 2.5, min_endpoints: 3, min_calls: 50 } }";
    let expected = Settings {
        consecutive_errors: None,
        consecutive_gateway_errors: Some(3),
        success_rate: Some(SuccessRate { deviations: 2500, min_endpoints: 3, min_calls: 50 }),
        slow: Some(5),
        interval: SECOND,
        ejection: 600 * SECOND,
        ejection_max: 600 * SECOND,
        max_ejected: Share::percent(30),
    };
    assert_eq!(outlier(all), Some(expected));
    let none = Settings { success_rate: None, ..Settings::default() };
    assert_eq!(outlier("{ success_rate: off }"), Some(none));
}

/// The one error in a config with this upstream, without the place: that is on the fourth line.
#[track_caller]
fn error_of(upstream: &str) -> String {
    let report = parse(&with(upstream)).expect_err("it is wrong");
    let text = report.to_string();
    assert_eq!(text.matches("error:").count(), 1, "{text}");
    assert!(text.contains("tidegate.yaml:4:"), "{text}");
    let (first, rest) = text.trim_start().split_once('\n').expect("a place");
    let label = rest.lines().find_map(|line| Some(line.split_once('^')?.1.trim_start_matches('^').trim()));
    match label {
        Some(label) if !label.is_empty() => format!("{first}: {label}"),
        _ => first.to_owned(),
    }
}

#[test]
fn what_is_wrong_with_endpoints_has_one_error_at_its_place() {
    let error = |text: &str| error_of(&format!("{{ endpoints: {text} }}"));
    let cases = [
        ("[{ address: a:1, weight: 0 }]", "error: the weights of `endpoints` sum to 0: no endpoint would take a call"),
        (
            "[{ address: a:1, weight: -1 }]",
            "error: `weight` must be a weight, not `-1`: write a whole number, `0` (no calls) to `65535`",
        ),
        ("[{ weight: 1 }]", "error: an endpoint needs `address`"),
        ("{}", "error: `endpoints` needs one of `dns`, `srv` and `etcd`"),
        (
            "{ dns: 10.0.0.1:80 }",
            "error: `dns` must be a name and a port, not `10.0.0.1:80`: an address is no name: write `endpoints: [10.0.0.1:80]`",
        ),
        (
            "{ dns: web:80, etcd: /web/ }",
            "error: `endpoints` has more than one source: keep one of `dns`, `srv` and `etcd`",
        ),
        (
            "{ srv: web.local }",
            "error: `srv` must be the name of an SRV record, not `web.local`: for example `_grpc._tcp.shop.example`; it says the ports itself",
        ),
        (
            "{ etcd: web }",
            "error: `etcd` must be a prefix of keys in etcd, not `web`: it begins and ends with a slash: `/endpoints/shop/`, or `etcd://10.0.0.1:2379/endpoints/shop/`",
        ),
        (
            "{ etcd: 'etcd://root:secret@10.0.0.1:2379/web/' }",
            "error: `etcd` must be a prefix of keys in etcd, not `etcd://root:secret@10.0.0.1:2379/web/`: a URL without credentials: those of the environment are used",
        ),
        (
            "{ dns: web:80, servers: [consul:8600] }",
            "error: each of `servers` must be a DNS server, not `consul:8600`: write its IP address, with a port if that is not 53: `127.0.0.1:8600`",
        ),
        ("{ dns: web:80, servers: [] }", "error: `servers` is empty: leave it out to ask those of the system"),
        ("{ etcd: /web/, servers: [127.0.0.1] }", "error: `servers` are those of DNS: etcd is named in its URL"),
        ("{ dsn: web:80 }", "error: unknown key `dsn`: did you mean `dns`?"),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_with_balancing_has_one_error_at_its_place() {
    let error = |text: &str| error_of(&format!("{{ endpoints: [a:1], {text} }}"));
    let cases = [
        (
            "balance: least_reqest",
            "error: `balance` must be `least_request`, `peak_ewma`, `round_robin` or `ring_hash`, not `least_reqest`: did you mean `least_request`?",
        ),
        ("balance: ring_hash", "error: `ring_hash` needs `header` or `cookie`: what stays at one endpoint"),
        (
            "balance: { ring_hash: { header: x, bounded_load: 100% } }",
            "error: `bounded_load` must be a percentage of the mean load, not `100%`: from `101%` to `1000%`, for example `125%`",
        ),
        ("slow_start: 0s", "error: `slow_start` must be a duration, not `0s`: it must be more than 0"),
        (
            "slow_start: -5s",
            "error: `slow_start` must be a duration, not `-5s`: write for example `250ms`, `2s` or `1m`",
        ),
        ("health: { interval: 5s }", "error: `health` needs `http` (a path) or `grpc` (a service): what is asked"),
        ("health: { http: /h, interval: 1ms }", "error: `interval` must be at least 100ms"),
        (
            "health: { http: /h, timeout: 0ms }",
            "error: `timeout` must be a duration, not `0ms`: it must be more than 0",
        ),
        ("health: { http: /h, unhealthy: 0 }", "error: `unhealthy` must be a number, not `0`: from `1` to `1000000`"),
        ("health: { grpc: a.B }", "error: gRPC's health protocol needs HTTP/2, which this upstream does not speak"),
        ("outlier: on", "error: `outlier` must be `off` or a mapping, not `on`: for example `{ ejection: 30s }`"),
        ("outlier: { max_ejected: 0% }", "error: `max_ejected` is more than `0%`"),
        (
            "outlier: { max_ejected: 101% }",
            "error: `max_ejected` must be a percentage, not `101%`: it can be at most `100%`",
        ),
        ("outlier: { ejection: 0s }", "error: `ejection` must be a duration, not `0s`: it must be more than 0"),
        ("outlier: { ejection: 30s, ejection_max: 10s }", "error: `ejection_max` is at least `ejection`"),
        (
            "outlier: { consecutive_errors: 0 }",
            "error: `consecutive_errors` must be a number of at least 1, or `off`, not `0`: for example `5`",
        ),
        ("outlier: { slow: 1 }", "error: `slow` is at least 2: so many times as slow as the others"),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn an_endpoint_that_is_the_gateway_itself_is_refused() {
    let listeners = "listeners: [{ bind: 0.0.0.0:8080 }, { bind: 10.0.0.1:8081 }]";
    let upstreams = [
        "upstreams: { shop: { endpoints: [localhost:8080], schema: { proto: [proto] } },",
        "  web: { endpoints: [10.0.0.1:8081, 127.0.0.1:8081] } }",
    ];
    rejects(
        &lines(&[listeners, ROUTES, upstreams[0], upstreams[1]]),
        r"
error: the endpoint localhost:8080 is this gateway itself
 --> tidegate.yaml:3:34
  |
3 | upstreams: { shop: { endpoints: [localhost:8080], schema: { proto: [proto] } },
  |                                  ^^^^^^^^^^^^^^ calls would go round in a circle
 ::: tidegate.yaml:1:21
  |
1 | listeners: [{ bind: 0.0.0.0:8080 }, { bind: 10.0.0.1:8081 }]
  |                     ------------ it listens here

error: the endpoint 10.0.0.1:8081 is this gateway itself
 --> tidegate.yaml:4:22
  |
4 |   web: { endpoints: [10.0.0.1:8081, 127.0.0.1:8081] } }
  |                      ^^^^^^^^^^^^^ calls would go round in a circle
 ::: tidegate.yaml:1:45
  |
1 | listeners: [{ bind: 0.0.0.0:8080 }, { bind: 10.0.0.1:8081 }]
  |                                             ------------- it listens here
",
    );
}

#[test]
fn connections_of_http_2_are_opened_ahead_unless_that_is_none() {
    let ahead = |text: &str| pool(&format!("{{ endpoints: [a:1], {text} }}")).connections_ahead;
    assert_eq!([ahead("protocol: h2"), ahead("protocol: h1")], [1, 0]);
    assert_eq!(ahead("protocol: h2, connections_ahead: 0"), 0);
    assert_eq!(ahead("protocol: h1, connections: 2, connections_ahead: 2"), 2);
    let error = |text: &str| error_of(&format!("{{ endpoints: [a:1], protocol: h2, {text} }}"));
    let many = "error: `connections_ahead` is more than `connections` allows";
    assert_eq!(error("connections: 2, connections_ahead: 3"), many);
    let wrong = "error: `connections_ahead` must be a number, not `-1`: `0` (none), or more";
    assert_eq!(error("connections_ahead: -1"), wrong);
}
