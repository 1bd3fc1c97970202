//! What routes with a path do, what headers are called on either side, and who is believed.

use crate::{LISTENERS, UPSTREAMS, lines, parse, rejects};
use http::{HeaderName, StatusCode};
use tidegate_gateway::config::{
    Action, Case, Forward, HeaderEdits, Mapping, MetadataPolicy, Preset, Rewrite, Template, Trust, Upgrade,
};
use tidegate_upstream::Protocol;

const WEB: &str = "upstreams: { web: { endpoints: [127.0.0.1:3000] } }";

fn config(routes: &str) -> String {
    lines(&[LISTENERS, WEB, routes])
}

fn action(route: &str) -> Action {
    let loaded = parse(&config(&format!("routes: [{route}]"))).unwrap_or_else(|report| panic!("{report}"));
    loaded.config.plain.into_iter().next().expect("a route").action
}

fn edit(name: &'static str, text: &str) -> (HeaderName, Template) {
    (HeaderName::from_static(name), Template::parse(text).expect("a template"))
}

#[test]
fn a_route_says_how_it_forwards() {
    let action = action(
        r#"{ path: /assets/*, upstream: web, rewrite: { prefix: /static/ }, upgrade: [websocket], idle_timeout: 5s,
             request_headers: { set: { X-Edge: "at %PEER%" }, add: { x-a: "" }, remove: [x-debug] },
             response_headers: { set: { x-served-by: web } } }"#,
    );
    let Action::Forward(got) = action else { panic!("it forwards") };
    let Forward { upstream, rewrite, request_headers, response_headers, upgrades, idle_timeout } = got;
    assert_eq!((upstream.as_str(), rewrite), ("web", Some(Rewrite::Prefix("/static/".into()))));
    assert_eq!((upgrades, idle_timeout.map(|timeout| timeout.as_secs())), (vec![Upgrade::WebSocket], Some(5)));
    let want = HeaderEdits {
        remove: vec![HeaderName::from_static("x-debug")],
        set: vec![edit("x-edge", "at %PEER%")],
        add: vec![edit("x-a", "")],
    };
    assert_eq!(request_headers, want);
    assert_eq!(response_headers, HeaderEdits { set: vec![edit("x-served-by", "web")], ..HeaderEdits::default() });
}

#[test]
fn a_route_may_redirect_or_answer() {
    let Action::Redirect(got) = action("{ path: /old/*, redirect: { scheme: https, prefix: /new/, status: 301 } }")
    else {
        panic!("it redirects")
    };
    assert_eq!((got.status, got.scheme.as_deref(), got.host), (StatusCode::MOVED_PERMANENTLY, Some("https"), None));
    assert_eq!((got.rewrite, got.drop_query), (Some(Rewrite::Prefix("/new/".into())), false));
    let Action::Respond(got) = action("{ path: /robots.txt, respond: { status: 200, body: none } }") else {
        panic!("it answers")
    };
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, &b"none"[..]));
    assert_eq!(got.content_type.expect("a type"), "text/plain; charset=utf-8");
}

#[test]
fn what_cannot_be_forwarded_is_refused() {
    rejects(
        &config(
            r#"routes:
  - { path: /a/*, upstream: web, rewrite: { prefix: /b }, upgrade: [tcp] }
  - { path: /c, upstream: web, rewrite: { prefix: /x, path: /a/../b }, request_headers: { set: { content-length: 1, x-a: "%WHO%" } } }
  - { path: /d, upstream: web, redirect: { status: 200 } }
  - { path: /e, redirect: { host: "a b" }, respond: { status: 99 } }"#,
        ),
        r#"
error: `prefix` stands in place of one that ends with a slash
 --> tidegate.yaml:4:53
  |
4 |   - { path: /a/*, upstream: web, rewrite: { prefix: /b }, upgrade: [tcp] }
  |                                                     ^^ write `/b/`

error: each of `upgrade` must be `websocket`, not `tcp`
 --> tidegate.yaml:4:69
  |
4 |   - { path: /a/*, upstream: web, rewrite: { prefix: /b }, upgrade: [tcp] }
  |                                                                     ^^^ no other protocol can be changed to

error: `path` must be a path, not `/a/../b`
 --> tidegate.yaml:5:61
  |
5 |   - { path: /c, upstream: web, rewrite: { prefix: /x, path: /a/../b }, request_headers: { set: { content-length: 1, x-a: "%WHO%" } } }
  |                                                             ^^^^^^^ write it in its normal form: `/b`

error: `content-length` must be the name of a header that may be changed
 --> tidegate.yaml:5:98
  |
5 |   - { path: /c, upstream: web, rewrite: { prefix: /x, path: /a/../b }, request_headers: { set: { content-length: 1, x-a: "%WHO%" } } }
  |                                                                                                  ^^^^^^^^^^^^^^ this one says how the message is sent

error: `x-a` must be the value of a header, not `%WHO%`
 --> tidegate.yaml:5:122
  |
5 |   - { path: /c, upstream: web, rewrite: { prefix: /x, path: /a/../b }, request_headers: { set: { content-length: 1, x-a: "%WHO%" } } }
  |                                                                                                                          ^^^^^^^ there is no `%WHO%`, but `%CANARY%`, `%PEER%`, `%REQUEST_ID%`, `%UPSTREAM%`

error: `upstream` does nothing in a route with `redirect`
 --> tidegate.yaml:6:17
  |
6 |   - { path: /d, upstream: web, redirect: { status: 200 } }
  |                 ^^^^^^^^ remove it: nothing is sent on

error: `redirect` leads to where the request came from
 --> tidegate.yaml:6:42
  |
6 |   - { path: /d, upstream: web, redirect: { status: 200 } }
  |                                          ^ give it `scheme`, `host`, `path` or `prefix`

error: `status` must be a status that redirects, not `200`
 --> tidegate.yaml:6:52
  |
6 |   - { path: /d, upstream: web, redirect: { status: 200 } }
  |                                                    ^^^ `308` (the default) and `307` keep the method, `301`, `302` and `303` may not

error: a route has both `redirect` and `respond`
 --> tidegate.yaml:7:44
  |
7 |   - { path: /e, redirect: { host: "a b" }, respond: { status: 99 } }
  |                                            ^^^^^^^ keep one of them
"#,
    );
}

#[test]
fn an_upstream_without_a_schema_speaks_http1() {
    let loaded = parse(&lines(&[
        LISTENERS,
        r#"upstreams:
  web: { endpoints: [127.0.0.1:3000] }
  two: { endpoints: [127.0.0.1:3000], protocol: h2 }
  shop: { endpoints: [127.0.0.1:50051], schema: { proto: [proto] } }"#,
        "routes: [{ path: /a, upstream: web }, { path: /b, upstream: two }, { service: shop.v1.Orders, upstream: shop }]",
    ]))
    .unwrap_or_else(|report| panic!("{report}"));
    let protocols: Vec<_> = loaded.config.upstreams.iter().map(|upstream| upstream.pool.protocol).collect();
    assert_eq!(protocols, [Protocol::H1, Protocol::H2, Protocol::H2]);
}

#[test]
fn headers_have_names_on_either_side() {
    let read = |metadata: &str| {
        let routes = "routes: [{ service: shop.v1.Orders, upstream: shop }]";
        let text = lines(&[LISTENERS, UPSTREAMS, routes, &format!("metadata: {metadata}")]);
        parse(&text).unwrap_or_else(|report| panic!("{report}")).config.metadata
    };
    let mapping = |header, metadata| Mapping {
        header: HeaderName::from_static(header),
        metadata: HeaderName::from_static(metadata),
        default: None,
        case: Case::AsItIs,
    };
    let got = read(
        r#"{ map: { X-Request-ID: request-id, X-Env: { to: env, default: prod, case: lower }, x-user-id: user_id }, set: { canary: "%CANARY%" } }"#,
    );
    let env = Mapping { default: Some("prod".parse().expect("a value")), case: Case::Lower, ..mapping("x-env", "env") };
    let want = MetadataPolicy {
        map: vec![mapping("x-request-id", "request-id"), env, mapping("x-user-id", "user_id")],
        set: vec![edit("canary", "%CANARY%")],
        ..MetadataPolicy::default()
    };
    assert_eq!(got, want);
    let preset = Preset::GrpcGateway;
    let want = MetadataPolicy { allow: preset.allow(), preset: Some(preset), ..MetadataPolicy::default() };
    assert_eq!(read("{ preset: grpc-gateway }"), want);
}

#[test]
fn names_that_nobody_may_map_are_refused() {
    rejects(
        &lines(&[
            LISTENERS,
            UPSTREAMS,
            "routes: [{ service: shop.v1.Orders, upstream: shop }]",
            r#"metadata:
  map: { x_env: env, host: h, x-a: grpc-timeout, x-b: same, x-c: same }
  set: { same: "1", te: "2" }
  preset: grpc"#,
        ]),
        r#"
error: `x_env` must be the name of a header that can be mapped
 --> tidegate.yaml:5:10
  |
5 |   map: { x_env: env, host: h, x-a: grpc-timeout, x-b: same, x-c: same }
  |          ^^^^^ headers with `_` in their names are refused: write `-`

error: `host` must be the name of a header that can be mapped
 --> tidegate.yaml:5:22
  |
5 |   map: { x_env: env, host: h, x-a: grpc-timeout, x-b: same, x-c: same }
  |                      ^^^^ this one belongs to the protocol

error: `x-a` must be a key of metadata, not `grpc-timeout`
 --> tidegate.yaml:5:36
  |
5 |   map: { x_env: env, host: h, x-a: grpc-timeout, x-b: same, x-c: same }
  |                                    ^^^^^^^^^^^^ gRPC or the gateway says this one itself

error: two headers are mapped to the metadata `same`
 --> tidegate.yaml:5:61
  |
5 |   map: { x_env: env, host: h, x-a: grpc-timeout, x-b: same, x-c: same }
  |                                                             ^^^

error: the metadata `same` is both mapped and set
 --> tidegate.yaml:6:10
  |
6 |   set: { same: "1", te: "2" }
  |          ^^^^ what is set takes the place of what is mapped: remove one of them

error: `te` must be the name of a header that may be changed
 --> tidegate.yaml:6:21
  |
6 |   set: { same: "1", te: "2" }
  |                     ^^ this one says how the message is sent

error: `preset` must be `grpc-gateway` or `envoy`, not `grpc`
 --> tidegate.yaml:7:11
  |
7 |   preset: grpc
  |           ^^^^ write `grpc-gateway` or `envoy`
"#,
    );
}

#[test]
fn trusted_peers_are_addresses() {
    let listener =
        "listeners: [{ bind: 127.0.0.1:0, trusted_peers: [10.0.0.0/8, \"::1\"], identity_headers: [X-User-ID] }]";
    let text = lines(&[listener, WEB, "routes: [{ path: /a, upstream: web }]"]);
    let loaded = parse(&text).unwrap_or_else(|report| panic!("{report}"));
    let want = Trust {
        peers: vec!["10.0.0.0/8".parse().expect("a network"), "::1".parse().expect("a network")],
        identity_headers: vec![HeaderName::from_static("x-user-id")],
    };
    assert_eq!(*loaded.config.listeners[0].trust, want);
}
