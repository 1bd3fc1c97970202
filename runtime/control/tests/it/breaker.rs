//! `breaker` of a route.

use crate::{LISTENERS, ROUTES, UPSTREAMS, lines, parse, rejects};
use std::time::Duration;
use tidegate_traffic::Share;
use tidegate_traffic::breaker::{Settings, Window};

const SECOND: Duration = Duration::from_secs(1);

/// A config whose one route has this breaker, in the fourth line.
fn breaker(settings: &str) -> String {
    let route = format!("  - {{ service: shop.v1.Orders, upstream: shop, breaker: {settings} }}");
    lines(&[LISTENERS, UPSTREAMS, "routes:", &route])
}

fn settings(text: &str) -> Settings {
    let loaded = parse(&breaker(text)).expect("a config");
    loaded.config.routes[0].breaker.as_ref().expect("a breaker").settings
}

#[test]
fn a_breaker_says_when_it_opens_and_closes() {
    let all = "{ window: 30s, failure_rate: 40%, slow_call: 1s, slow_rate: 80%, min_calls: 20, open: 2s, \
               open_max: 10s, half_open: 3, probing: 7s }";
    let want = Settings {
        window: Window::Time(30 * SECOND),
        failure_rate: Share::percent(40),
        slow_call: SECOND,
        slow_rate: Share::percent(80),
        min_calls: 20,
        open: 2 * SECOND,
        open_max: 10 * SECOND,
        half_open: 3,
        probing: 7 * SECOND,
    };
    assert_eq!(settings(all), want);
    assert_eq!(settings("{}"), Settings::default());
    let calls = Settings { window: Window::Calls(50), min_calls: 50, ..Settings::default() };
    assert_eq!(settings("{ window: 50 }"), calls, "it is judged when it is full");
    let long = Settings { open: 300 * SECOND, open_max: 300 * SECOND, ..Settings::default() };
    assert_eq!(settings("{ open: 5m }"), long, "the longest is not shorter than the first");
    let none = parse(&lines(&[LISTENERS, UPSTREAMS, ROUTES])).expect("a config");
    assert!(none.config.routes[0].breaker.is_none());
}

#[test]
fn a_plain_route_has_one_too() {
    let upstreams = "upstreams: { web: { endpoints: [a:1], protocol: h1 } }";
    let text =
        lines(&[LISTENERS, upstreams, "routes: [{ path: /assets/*, upstream: web, breaker: { min_calls: 7 } }]"]);
    let loaded = parse(&text).expect("a config");
    let settings = loaded.config.plain[0].breaker.as_ref().map(|breaker| breaker.settings);
    assert_eq!(settings, Some(Settings { min_calls: 7, ..Settings::default() }));
}

#[test]
fn a_breaker_that_cannot_be_is_refused_at_its_place() {
    for (settings, place, message) in [
        ("{ window: 5ms }", 59, "`window` is at least one call, or `10ms`"),
        ("{ window: 200000 }", 59, "`window` is at most 100000 calls"),
        ("{ failure_rate: 0% }", 59, "`failure_rate` is more than `0%`"),
        ("{ slow_call: 1s, slow_rate: 0% }", 74, "`slow_rate` is more than `0%`"),
        ("{ slow_rate: 50% }", 59, "`slow_rate` needs `slow_call`: from when on a call is slow"),
        ("{ window: 10, min_calls: 11 }", 71, "`min_calls` is at least 1, and at most the calls of the window"),
        ("{ open: 500us }", 59, "`open` is at least `1ms`"),
        ("{ open: 5s, open_max: 1s }", 69, "`open_max` is at least `open`"),
    ] {
        let text = breaker(settings);
        let report = match parse(&text) {
            Ok(_) => panic!("this was taken: {settings}"),
            Err(report) => report.to_string(),
        };
        let first = report.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(first, format!("error: {message}\n --> tidegate.yaml:4:{place}"), "{settings}");
        assert_eq!(report.matches("error: ").count(), 1, "{report}");
    }
}

#[test]
fn values_of_the_wrong_kind_are_refused_with_what_is_expected() {
    for (settings, what) in [
        ("{ window: soon }", "`window` must be a number of calls, or a duration"),
        ("{ window: 0 }", "`window` must be a number"),
        ("{ half_open: 0 }", "`half_open` must be a number"),
        ("{ open: 0s }", "`open` must be a duration"),
        ("{ failure_rate: -5% }", "`failure_rate` must be a percentage"),
        ("{ windows: 10s }", "unknown key `windows`"),
    ] {
        let report = parse(&breaker(settings)).map(drop).expect_err("refused").to_string();
        assert!(report.contains(what), "{settings}: {report}");
    }
}

#[test]
fn routes_that_send_nothing_on_have_none() {
    let plain = "  - { path: /a, respond: { status: 204 }, breaker: {} }";
    rejects(
        &lines(&[LISTENERS, UPSTREAMS, "routes:", "  - { service: shop.v1.Orders, upstream: shop }", plain]),
        &lines(&[
            "error: `breaker` is for routes with an `upstream`",
            " --> tidegate.yaml:5:43",
            "  |",
            "5 |   - { path: /a, respond: { status: 204 }, breaker: {} }",
            "  |                                           ^^^^^^^",
        ]),
    );
}
