//! `breaker` of a route.

use crate::{LISTENERS, ROUTES, UPSTREAMS, lines, parse, rejects};
use http::StatusCode;
use std::time::Duration;
use tidegate_gateway::config::{BreakerKey, Fallback, FallbackAnswer, Place};
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

/// The upstreams of a config whose breakers fall back.
const SHOPS: &str = "upstreams: { shop: { endpoints: [a:1], schema: { proto: [proto] } }, \
                     spare: { endpoints: [b:1], schema: { like: shop } }, web: { endpoints: [c:1], protocol: h1 } }";
const WEB: &str = "  - { path: /web, upstream: web }";

fn breakers(route: &str) -> String {
    lines(&[LISTENERS, SHOPS, "routes:", route, WEB])
}

#[test]
fn a_breaker_says_which_calls_it_judges_together() {
    for (text, key, max_keys) in [
        ("{}", BreakerKey::Upstream, 0),
        ("{ key: upstream }", BreakerKey::Upstream, 0),
        ("{ key: route }", BreakerKey::Route, 0),
        ("{ key: endpoint }", BreakerKey::Endpoint, 1000),
        ("{ key: 'header:X-Tenant' }", BreakerKey::Header("x-tenant".parse().expect("a name")), 1000),
        (
            "{ key: 'field:order.type', max_keys: 50 }",
            BreakerKey::Field { path: "order.type".into(), place: Place { line: 4, column: 64 } },
            50,
        ),
    ] {
        let loaded = parse(&breaker(text)).expect("a config");
        let breaker = loaded.config.routes[0].breaker.as_ref().expect("a breaker");
        assert_eq!((&breaker.key, breaker.max_keys), (&key, max_keys), "{text}");
    }
}

#[test]
fn a_fallback_is_an_error_an_answer_or_another_upstream() {
    let fallback = |text: &str| {
        let route = format!("  - {{ service: shop.v1.Orders, upstream: shop, breaker: {{ fallback: {text} }} }}");
        let loaded = parse(&breakers(&route)).expect("a config");
        loaded.config.routes[0].breaker.as_ref().expect("a breaker").fallback.clone()
    };
    assert_eq!(fallback("{ status: 503 }"), Fallback::default());
    assert_eq!(fallback("{ status: 429 }"), Fallback::Refuse(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(fallback("{ upstream: spare }"), Fallback::Upstream("spare".into()));
    let body = "{ orders: [{ id: '7', count: 7, open: true, note: 1e, none: ~ }], total: -1.50 }";
    let want = FallbackAnswer {
        status: StatusCode::OK,
        headers: vec![("x-stale".parse().expect("a name"), "yes".parse().expect("a value"))],
        body: r#"{"orders":[{"count":7,"id":"7","none":null,"note":"1e","open":true}],"total":-1.50}"#.into(),
        methods: vec![("ListOrders".into(), Place { line: 4, column: 81 })],
        place: Place { line: 4, column: 100 },
    };
    let given = fallback(&format!("{{ methods: [ListOrders], body: {body}, headers: {{ x-stale: 'yes' }} }}"));
    let Fallback::Answer(answer) = given else { panic!("{given:?}") };
    let sorted = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(sorted(&answer.body), sorted(&want.body));
    assert_eq!(FallbackAnswer { body: want.body.clone(), ..(*answer).clone() }, want);
}

#[test]
fn fallbacks_and_keys_that_cannot_be_are_refused_at_their_place() {
    let service = |breaker: &str| {
        breakers(&format!("  - {{ service: shop.v1.Orders, upstream: shop, breaker: {{ {breaker} }} }}"))
    };
    let plain = |breaker: &str| breakers(&format!("  - {{ path: /a, upstream: web, breaker: {{ {breaker} }} }}"));
    let canary = "  - { service: shop.v1.Orders, upstream: shop, canary: [{ to: spare, weight: 5% }], \
                  breaker: { fallback: { upstream: spare } } }";
    for (text, at, message) in [
        (
            service("fallback: { upstream: shop }"),
            "shop } } }",
            "the fallback leads back to `shop`, whose calls it stands in for",
        ),
        (breakers(canary), "spare } } }", "the fallback leads back to `spare`, whose calls it stands in for"),
        (service("fallback: { upstream: shp }"), "shp", "unknown upstream `shp`"),
        (
            service("fallback: { upstream: web }"),
            "web } } }",
            "the upstream `web` speaks HTTP/1.1, and what it stands in for HTTP/2",
        ),
        (
            plain("fallback: { upstream: spare }"),
            "spare } } }",
            "the upstream `spare` speaks HTTP/2, and what it stands in for HTTP/1.1",
        ),
        (
            service("fallback: { upstream: spare, status: 503 }"),
            "status: 503",
            "`fallback` has both `upstream` and `status`",
        ),
        (
            service("key: endpoint, fallback: { upstream: spare }"),
            "fallback: { upstream",
            "`upstream` stands in for an upstream, not for endpoints of it",
        ),
        (service("fallback: {}"), "{} } }", "`fallback` needs `status`, `body` or `upstream`"),
        (service("fallback: { status: 200 }"), "200", "a fallback that is no error needs a `body`"),
        (service("fallback: { status: 99 }"), "99", "`status` must be an HTTP status, not `99`"),
        (
            service("fallback: { status: 503, body: {} }"),
            "503",
            "an answer with a body is a message, which only success has",
        ),
        (service("fallback: { status: 503, headers: {} }"), "headers", "`headers` of a fallback needs `body`"),
        (
            plain("fallback: { body: {}, methods: [A] }"),
            "methods",
            "`methods` of a fallback is for routes with a `service`",
        ),
        (
            service("fallback: { body: {}, headers: { te: x } }"),
            "te: x",
            "`te` must be the name of a header that may be changed",
        ),
        (service("key: tenant"), "tenant", "`key` must be what is judged together, not `tenant`"),
        (service("key: 'header:'"), "'header:'", "`key` must be what is judged together, not `header:`"),
        (
            plain("key: 'field:id'"),
            "'field:id'",
            "`field:…` is for routes with a `service`: plain requests have no message",
        ),
        (
            service("key: route, max_keys: 7"),
            "7 }",
            "`max_keys` needs `key: endpoint`, `key: header:…` or `key: field:…`",
        ),
        (service("key: 'field:id', max_keys: 10001"), "10001", "`max_keys` must be a number of keys, not `10001`"),
    ] {
        let report = parse(&text).map(drop).expect_err(message).to_string();
        let column = text.lines().nth(3).and_then(|line| line.rfind(at)).expect("it is in the line") + 1;
        let first = report.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(first, format!("error: {message}\n --> tidegate.yaml:4:{column}"), "{report}");
        assert_eq!(report.matches("error: ").count(), 1, "{report}");
    }
}

#[test]
fn a_key_that_any_client_can_choose_is_warned_of() {
    let warned = |listeners: &str| {
        let route = "  - { service: shop.v1.Orders, upstream: shop, breaker: { key: 'header:x-tenant' } }";
        let loaded = parse(&lines(&[listeners, UPSTREAMS, "routes:", route])).expect("a config");
        loaded.warnings.to_string().contains("any client can choose the header `x-tenant`, and so its breaker")
    };
    assert!(warned(LISTENERS));
    assert!(!warned("listeners: [{ bind: 127.0.0.1:0, identity_headers: [x-tenant] }]"));
}
