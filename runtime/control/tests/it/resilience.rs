//! `retry`, `concurrency` and `priority`.

use crate::{LISTENERS, UPSTREAMS, lines, parse, rejects};
use std::time::Duration;
use tidegate_gateway::config::{Config, Priority, PriorityHeader, Protection, Resilience};
use tidegate_traffic::bulkhead::{Limit, Settings};
use tidegate_traffic::priority::{Class, Shares};
use tidegate_traffic::retry::{self, Conditions};
use tidegate_traffic::{Share, gradient};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A config whose one route says this, in the fourth line.
fn with(keys: &str) -> String {
    let route = format!("  - {{ service: shop.v1.Orders, upstream: shop, {keys} }}");
    lines(&[LISTENERS, UPSTREAMS, "routes:", &route])
}

fn config(text: &str) -> Config {
    match parse(text) {
        Ok(loaded) => loaded.config,
        Err(report) => panic!("{report}"),
    }
}

fn route(keys: &str) -> Resilience {
    config(&with(keys)).routes[0].resilience.clone()
}

#[test]
fn a_route_says_when_calls_are_made_again() {
    let all = "retry: { attempts: 4, per_try_timeout: 500ms, backoff: { base: 10ms, max: 1s }, \
               on: [connect, ABORTED, 429, 500], idempotent: true }";
    let want = retry::Settings {
        attempts: 4,
        per_try_timeout: Some(500 * MS),
        base: 10 * MS,
        max: SECOND,
        on: Conditions { connect: true, codes: 1 << 10, statuses: vec![429, 500], ..Conditions::NONE },
        idempotent: true,
    };
    assert_eq!(route(all).retry, Some(want));
    assert_eq!(route("retry: {}").retry, Some(retry::Settings::default()));
    let long = retry::Settings { base: SECOND, max: SECOND, ..retry::Settings::default() };
    assert_eq!(
        route("retry: { backoff: { base: 1s } }").retry,
        Some(long),
        "the longest is not shorter than the first"
    );
    assert_eq!(
        route("timeout: 1s, retry: { per_try_timeout: 1s }").retry.and_then(|it| it.per_try_timeout),
        Some(SECOND)
    );
    assert_eq!(route("timeout: 1s"), Resilience::default());
}

#[test]
fn routes_and_upstreams_say_how_many_calls_are_in_flight() {
    let fixed = |limit, queue| Settings {
        limit: Limit::Fixed(limit),
        queue,
        wait: Settings::DEFAULT_WAIT,
        shares: Shares::EVEN,
    };
    assert_eq!(route("concurrency: { max: 100 }").concurrency, Some(fixed(100, 0)));
    assert_eq!(route("concurrency: { max: 7, queue: 0 }").concurrency, Some(fixed(7, 0)));
    let waits = Settings { wait: 250 * MS, ..fixed(1, 50) };
    assert_eq!(route("concurrency: { max: 1, queue: 50, wait: 250ms }").concurrency, Some(waits));
    let found = |min, max| Settings {
        limit: Limit::Adaptive(gradient::Settings { min, max, ..gradient::Settings::default() }),
        ..fixed(0, 10)
    };
    assert_eq!(route("concurrency: { adaptive: true }").concurrency, Some(found(4, 1000)));
    assert_eq!(route("concurrency: { adaptive: true, min: 2, max: 50 }").concurrency, Some(found(2, 50)));
    assert_eq!(route("concurrency: { adaptive: true, max: 3 }").concurrency, Some(found(3, 3)));
    assert_eq!(route("concurrency: { adaptive: true, min: 2000 }").concurrency, Some(found(2000, 2000)));
    let upstreams = "upstreams: { web: { endpoints: [a:1], retry_budget: 5%, concurrency: { max: 9, queue: 8 } } }";
    let routes =
        "routes: [{ path: /a/*, upstream: web, retry: { attempts: 2 }, concurrency: { max: 3 }, priority: low }]";
    let config = config(&lines(&[LISTENERS, upstreams, routes]));
    let want = Protection { retry_budget: Share::percent(5), concurrency: Some(fixed(9, 8)) };
    assert_eq!(config.upstreams[0].protection, want);
    let want = Resilience {
        retry: Some(retry::Settings { attempts: 2, ..retry::Settings::default() }),
        concurrency: Some(fixed(3, 0)),
        priority: Some(Priority { class: Class::Low, header: None }),
    };
    assert_eq!(config.plain[0].resilience, want);
}

#[test]
fn a_route_or_a_header_says_who_goes_first() {
    assert_eq!(route("priority: critical").priority, Some(Priority { class: Class::Critical, header: None }));
    let listeners = "listeners: [{ bind: 0.0.0.0:0, trusted_peers: [10.0.0.0/8] }]";
    let said = |priority: &str| {
        let route = format!("routes: [{{ service: shop.v1.Orders, upstream: shop, priority: {priority} }}]");
        let loaded = parse(&lines(&[listeners, UPSTREAMS, &route])).expect("a config");
        assert_eq!(loaded.warnings.to_string(), "");
        loaded.config.routes[0].resilience.priority.clone().expect("a priority")
    };
    let header = |values: &[(&str, Class)]| {
        let values = values.iter().map(|(value, class)| ((*value).to_owned(), *class)).collect();
        Some(PriorityHeader { name: "x-tier".parse().expect("a name"), values })
    };
    let words = [("low", Class::Low), ("normal", Class::Normal), ("high", Class::High), ("critical", Class::Critical)];
    assert_eq!(said("{ header: x-tier }"), Priority { class: Class::Normal, header: header(&words) });
    let all = "{ header: x-tier, values: { gold: critical, batch: low }, default: high }";
    let values = [("gold", Class::Critical), ("batch", Class::Low)];
    assert_eq!(said(all), Priority { class: Class::High, header: header(&values) });
}

#[test]
fn what_cannot_be_is_refused_at_its_place() {
    for (keys, at, message) in [
        ("retry: { attempts: 11 }", "attempts", "`attempts` is at most 10"),
        ("retry: { per_try_timeout: 500us }", "per_try", "`per_try_timeout` is at least `1ms`"),
        ("retry: { backoff: { base: 10us } }", "base", "`base` is at least `1ms`"),
        ("retry: { backoff: { base: 1s, max: 500ms } }", "max", "`max` is at least `base`"),
        (
            "timeout: 1s, retry: { per_try_timeout: 2s }",
            "2s",
            "`per_try_timeout` is longer than the route's `timeout` of 1s",
        ),
        ("retry: { on: [] }", "[]", "`on` is empty: nothing would be tried again"),
        ("concurrency: { queue: 7 }", "{ queue", "`concurrency` needs `max`, or `adaptive: true`"),
        ("concurrency: {}", "{}", "`concurrency` needs `max`, or `adaptive: true`"),
        ("concurrency: { max: 7, min: 2 }", "min", "`min` is for a limit that is `adaptive`"),
        ("concurrency: { adaptive: true, min: 9, max: 8 }", "max", "`max` is at least `min`"),
        ("concurrency: { max: 7, wait: 500us }", "wait", "`wait` is at least `1ms`"),
        ("priority: { header: x-tier, values: {} }", "{}", "`values` is empty: the header would say nothing"),
    ] {
        let report = match parse(&with(keys)) {
            Ok(_) => panic!("this was taken: {keys}"),
            Err(report) => report.to_string(),
        };
        let place = with(keys).lines().last().and_then(|line| line.find(at)).expect("it is there") + 1;
        let first = report.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(first, format!("error: {message}\n --> tidegate.yaml:4:{place}"), "{keys}");
        assert_eq!(report.matches("error: ").count(), 1, "{report}");
    }
}

#[test]
fn values_of_the_wrong_kind_are_refused_with_what_is_expected() {
    for (keys, what) in [
        ("retry: { attempts: 0 }", "`attempts` must be a number, not `0`"),
        ("retry: { per_try_timeout: 0s }", "`per_try_timeout` must be a duration, not `0s`"),
        ("retry: { backoff: { base: -1s } }", "`base` must be a duration, not `-1s`"),
        ("retry: { on: [OK] }", "each of `on` must be a failure, not `OK`"),
        ("retry: { on: [200] }", "each of `on` must be a failure, not `200`"),
        ("retry: { on: unavailable }", "`on` must be a list"),
        ("retry: { attempt: 3 }", "did you mean `attempts`?"),
        ("concurrency: { max: 0 }", "`max` must be a number, not `0`"),
        ("concurrency: { max: 7, queue: -1 }", "`queue` must be a number, not `-1`"),
        ("concurrency: { adaptive: false }", "remove the key"),
        ("priority: urgent", "`priority` must be `low`, `normal`, `high` or `critical`, not `urgent`"),
        ("priority: { values: { a: low } }", "`priority` needs `header`"),
        ("priority: { header: x-tier, values: { a: hihg } }", "did you mean `high`?"),
    ] {
        let report = parse(&with(keys)).map(drop).expect_err("refused").to_string();
        assert!(report.contains(what), "{keys}: {report}");
    }
    let upstreams = "upstreams: { web: { endpoints: [a:1], retry_budget: 0% } }";
    let report = parse(&lines(&[LISTENERS, upstreams, "routes: [{ path: /a, upstream: web }]"]));
    let report = report.map(drop).expect_err("refused").to_string();
    assert!(report.contains("`retry_budget` is more than `0%`"), "{report}");
}

#[test]
fn routes_that_send_nothing_on_have_none() {
    let plain = "  - { path: /a, respond: { status: 204 }, retry: {} }";
    rejects(
        &lines(&[LISTENERS, UPSTREAMS, "routes:", "  - { service: shop.v1.Orders, upstream: shop }", plain]),
        &lines(&[
            "error: `retry` is for routes with an `upstream`",
            " --> tidegate.yaml:5:43",
            "  |",
            "5 |   - { path: /a, respond: { status: 204 }, retry: {} }",
            "  |                                           ^^^^^",
        ]),
    );
}

#[test]
fn a_header_that_nobody_is_believed_is_warned_of() {
    let loaded = parse(&with("priority: { header: x-tier }")).expect("a config");
    let warnings = loaded.warnings.to_string();
    assert!(warnings.contains("nobody is believed what `x-tier` says: no listener has `trusted_peers`"), "{warnings}");
}
