//! `routes`.
use crate::{LISTENERS, UPSTREAMS, lines, parse, rejects, same};

#[test]
fn two_equal_routes_are_refused_and_both_lines_named() {
    rejects(
        &lines(&[
            LISTENERS,
            UPSTREAMS,
            "routes:",
            "  - service: shop.v1.Orders",
            "    host: API.example.com",
            "    upstream: shop",
            "  - { service: shop.v1.Orders, upstream: shop }",
            "  - { service: shop.v1.Orders, host: \"*.example.com\", upstream: shop }",
            "  - service: shop.v1.Orders",
            "    host: api.example.com",
            "    upstream: shop",
        ]),
        r#"
error: two equal routes: `shop.v1.Orders` on `api.example.com`
 --> tidegate.yaml:9:14
  |
9 |   - service: shop.v1.Orders
  |              ^^^^^^^^^^^^^^ this one would never be reached
 ::: tidegate.yaml:4:14
  |
4 |   - service: shop.v1.Orders
  |              -------------- the first is here
  = help: remove one, or give them different hosts
"#,
    );
}

#[test]
fn an_upstream_that_is_not_there_is_named() {
    rejects(
        &lines(&[LISTENERS, UPSTREAMS, "routes: [{ service: a.B, upstream: warehouse }]"]),
        r#"
error: unknown upstream `warehouse`
 --> tidegate.yaml:3:36
  |
3 | routes: [{ service: a.B, upstream: warehouse }]
  |                                    ^^^^^^^^^
  = help: there is `shop`
"#,
    );
}

#[test]
fn an_upstream_without_schema_cannot_serve_a_service() {
    let upstreams = "upstreams: { shop: { endpoints: [127.0.0.1:50051] } }";
    rejects(
        &lines(&[LISTENERS, upstreams, "routes: [{ service: a.B, upstream: shop }]"]),
        r#"
error: the upstream `shop` has no `schema`, so its services are not known
 --> tidegate.yaml:3:36
  |
3 | routes: [{ service: a.B, upstream: shop }]
  |                                    ^^^^
 ::: tidegate.yaml:2:14
  |
2 | upstreams: { shop: { endpoints: [127.0.0.1:50051] } }
  |              ---- declared here
  = help: give it `schema: { proto: [folder/] }`, `{ descriptor_set: file.pb }` or `{ reflection: true }`
"#,
    );
}

#[test]
fn an_upstream_that_no_route_uses_is_a_warning() {
    let loaded = parse(&lines(&[
        LISTENERS,
        "upstreams:",
        "  shop: { endpoints: [a:1], schema: { like: base } }",
        "  base: { endpoints: [a:1], schema: { proto: [proto] } }",
        "  rest: { endpoints: [a:1] }",
        "routes: [{ service: a.B, upstream: shop }]",
    ]))
    .expect("it can be used");
    same(
        &loaded.warnings.to_string(),
        r#"
warning: no route goes to the upstream `rest`
 --> tidegate.yaml:5:3
  |
5 |   rest: { endpoints: [a:1] }
  |   ^^^^
"#,
    );
}
