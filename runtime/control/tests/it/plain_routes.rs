//! `routes` with a `path`.

use crate::{LISTENERS, lines, parse, rejects, same};
use tidegate_gateway::config::PlainRoute;

const WEB: &str = "upstreams: { web: { endpoints: [127.0.0.1:3000] } }";

/// A config whose only routes are these lines.
fn routes(routes: &[&str]) -> String {
    lines(&[&[LISTENERS, WEB, "routes:"], routes].concat())
}

#[test]
fn a_plain_route_says_what_it_takes() {
    let loaded = parse(&routes(&[
        "  - path: /assets/*",
        "    host: \"*.example.com\"",
        "    methods: [GET, HEAD]",
        "    headers: { X-Kind: { prefix: mobile }, x-any: { present: true }, x-empty: \"\" }",
        "    query: { v: \"2\", w: { regex: \"[0-9]+\" } }",
        "    upstream: web",
        "    timeout: 2s",
        "    max_body: 1MiB",
        "  - { path: /exact, upstream: web }",
    ]))
    .expect("a config");
    let [assets, exact]: [PlainRoute; 2] = loaded.config.plain.try_into().expect("two routes");
    let conditions = &assets.conditions;
    let headers: Vec<String> = conditions.headers.iter().map(|(name, want)| format!("{name} {want}")).collect();
    let query: Vec<String> = conditions.query.iter().map(|(name, want)| format!("{name} {want}")).collect();
    let methods: Vec<&str> = conditions.methods.iter().map(http::Method::as_str).collect();
    assert_eq!(
        (assets.path.to_string(), assets.host.to_string(), assets.upstream(), assets.order),
        ("/assets/*".into(), "*.example.com".into(), Some("web"), 0)
    );
    assert_eq!(methods, ["GET", "HEAD"]);
    assert_eq!(headers, ["x-kind begins with `mobile`", "x-any is there", "x-empty is ``"]);
    assert_eq!(query, ["v is `2`", "w matches `[0-9]+`"]);
    assert_eq!((exact.path.to_string(), exact.order, exact.conditions), ("/exact".into(), 1, Default::default()));
    assert_eq!(loaded.warnings.to_string(), "");
}

#[test]
fn every_mistake_is_told_with_its_place() {
    rejects(
        &routes(&[
            "  - { path: assets, upstream: web }",
            "  - { path: /a*, upstream: web }",
            "  - { path: /a/../b, upstream: wep }",
            "  - path: /a",
            "    methods: [get, CONNECT, GET, GET]",
            "    headers: { x_a: b, x-b: { regex: \"a(\" }, x-c: { prefix: a, regex: b }, x-d: [a] }",
            "    query: { v: { present: false }, w: { prefx: a } }",
            "    upstream: web",
            "  - { path: /a, service: a.B, upstream: web }",
            "  - { upstream: web }",
            "  - { path: /b, methods: [], upstream: web }",
        ]),
        r#"
error: `path` must be a path, not `assets`
 --> tidegate.yaml:4:13
  |
4 |   - { path: assets, upstream: web }
  |             ^^^^^^ it begins with a slash

error: `path` must be a path, not `/a*`
 --> tidegate.yaml:5:13
  |
5 |   - { path: /a*, upstream: web }
  |             ^^^ `*` can only be the whole last segment, as in `/assets/*`

error: `path` must be a path, not `/a/../b`
 --> tidegate.yaml:6:13
  |
6 |   - { path: /a/../b, upstream: wep }
  |             ^^^^^^^ paths are matched in normal form: write `/b`

error: unknown upstream `wep`
 --> tidegate.yaml:6:32
  |
6 |   - { path: /a/../b, upstream: wep }
  |                                ^^^ did you mean `web`?

error: each of `methods` must be a method of HTTP, not `get`
 --> tidegate.yaml:8:15
  |
8 |     methods: [get, CONNECT, GET, GET]
  |               ^^^ methods are case-sensitive: write `GET`

error: each of `methods` must be a method of HTTP, not `CONNECT`
 --> tidegate.yaml:8:20
  |
8 |     methods: [get, CONNECT, GET, GET]
  |                    ^^^^^^^ CONNECT is not served

error: the method GET is listed twice
 --> tidegate.yaml:8:34
  |
8 |     methods: [get, CONNECT, GET, GET]
  |                                  ^^^

error: `x_a` is not the name of a header
 --> tidegate.yaml:9:16
  |
9 |     headers: { x_a: b, x-b: { regex: "a(" }, x-c: { prefix: a, regex: b }, x-d: [a] }
  |                ^^^ write a hyphen: requests with an underscore in a name are refused

error: `regex` is no regular expression: unclosed group
 --> tidegate.yaml:9:38
  |
9 |     headers: { x_a: b, x-b: { regex: "a(" }, x-c: { prefix: a, regex: b }, x-d: [a] }
  |                                      ^^^^
  = help: it has to match the whole value; see docs/routing.md

error: a match of a value has one key
 --> tidegate.yaml:9:51
  |
9 |     headers: { x_a: b, x-b: { regex: "a(" }, x-c: { prefix: a, regex: b }, x-d: [a] }
  |                                                   ^
  = help: write a text, `{ prefix: … }`, `{ regex: … }` or `{ present: true }`

error: `x-d` must be a text, or how to match one
 --> tidegate.yaml:9:81
  |
9 |     headers: { x_a: b, x-b: { regex: "a(" }, x-c: { prefix: a, regex: b }, x-d: [a] }
  |                                                                                 ^ found a list

error: `present` can only be `true`
  --> tidegate.yaml:10:28
   |
10 |     query: { v: { present: false }, w: { prefx: a } }
   |                            ^^^^^ what must be absent cannot be asked for: put a route for what is present before this one

error: unknown key `prefx`
  --> tidegate.yaml:10:42
   |
10 |     query: { v: { present: false }, w: { prefx: a } }
   |                                          ^^^^^ did you mean `prefix`?

error: a route has both `service` and `path`
  --> tidegate.yaml:12:7
   |
12 |   - { path: /a, service: a.B, upstream: web }
   |       ^^^^ make it two routes

error: a route needs `service` or `path`
  --> tidegate.yaml:13:5
   |
13 |   - { upstream: web }
   |     ^

error: `methods` is empty: no request would be taken
  --> tidegate.yaml:14:26
   |
14 |   - { path: /b, methods: [], upstream: web }
   |                          ^ leave it away to take every method
"#,
    );
}

#[test]
fn a_service_has_no_conditions() {
    rejects(
        &lines(&[LISTENERS, crate::UPSTREAMS, "routes:", "  - { service: a.B, methods: [GET], upstream: shop }"]),
        r#"
error: `methods` is for routes with a `path`
 --> tidegate.yaml:4:21
  |
4 |   - { service: a.B, methods: [GET], upstream: shop }
  |                     ^^^^^^^
  = help: a service takes all its calls; send some of them elsewhere with `canary`
"#,
    );
}

#[test]
fn routes_that_cannot_be_reached_are_named() {
    rejects(
        &routes(&[
            "  - { path: /a, methods: [GET], upstream: web }",
            "  - { path: /a, methods: [GET], upstream: web }",
        ]),
        r#"
error: two equal routes: `/a` on every host
 --> tidegate.yaml:5:13
  |
5 |   - { path: /a, methods: [GET], upstream: web }
  |             ^^ this one would never be reached
 ::: tidegate.yaml:4:13
  |
4 |   - { path: /a, methods: [GET], upstream: web }
  |             -- the first is here
  = help: remove one, or give them different conditions
"#,
    );
    let loaded = parse(&routes(&[
        "  - { path: /a, upstream: web }",
        "  - { path: /a, methods: [GET], upstream: web }",
        "  - { path: /a, host: a.example.com, upstream: web }",
    ]))
    .expect("a config");
    same(
        &loaded.warnings.to_string(),
        r#"
warning: this route can never be reached: `/a` on every host
 --> tidegate.yaml:5:13
  |
5 |   - { path: /a, methods: [GET], upstream: web }
  |             ^^
 ::: tidegate.yaml:4:13
  |
4 |   - { path: /a, upstream: web }
  |             -- this one takes all that it asks for
  = help: put the route that asks for more first
"#,
    );
}
