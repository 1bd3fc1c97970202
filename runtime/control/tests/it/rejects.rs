//! Keys and values that are wrong.
use crate::{LISTENERS, ROUTES, UPSTREAMS, lines, rejects};

const EVERYTHING_WRONG: &str = r#"
error: `workers` must be a number of threads, not `many`
 --> tidegate.yaml:1:10
  |
1 | workers: many
  |          ^^^^ write `0` for one per core, or at most `1024`

error: `drain` must be a duration, not `10`
 --> tidegate.yaml:2:8
  |
2 | drain: 10
  |        ^^ it needs a unit: `10s` or `10ms`

error: `bind` must be an IP address and a port, not `localhost:8080`
 --> tidegate.yaml:4:11
  |
4 |   - bind: localhost:8080
  |           ^^^^^^^^^^^^^^ write `127.0.0.1:8080`

error: a listener needs `bind`
 --> tidegate.yaml:5:5
  |
5 |   - port: 8080
  |     ^^^^

error: unknown key `port`
 --> tidegate.yaml:5:5
  |
5 |   - port: 8080
  |     ^^^^
  = help: a listener has `bind`, `connections`, `headers`, `body`, `h2`, `idle_timeout`, `write_timeout`, `request_timeout`, `max_age`, `max_requests`, `trusted_peers`, `identity_headers` and 1 more

error: each of `endpoints` must be a host and a port, not `127.0.0.1`
 --> tidegate.yaml:7:23
  |
7 |   shop: { endpoints: ["127.0.0.1", http://a:1, a:0, b:99999, c_d:1] }
  |                       ^^^^^^^^^^^ the port is missing

error: each of `endpoints` must be a host and a port, not `http://a:1`
 --> tidegate.yaml:7:36
  |
7 |   shop: { endpoints: ["127.0.0.1", http://a:1, a:0, b:99999, c_d:1] }
  |                                    ^^^^^^^^^^ leave the scheme away: `127.0.0.1:50051`

error: each of `endpoints` must be a host and a port, not `a:0`
 --> tidegate.yaml:7:48
  |
7 |   shop: { endpoints: ["127.0.0.1", http://a:1, a:0, b:99999, c_d:1] }
  |                                                ^^^ the port must not be 0

error: each of `endpoints` must be a host and a port, not `b:99999`
 --> tidegate.yaml:7:53
  |
7 |   shop: { endpoints: ["127.0.0.1", http://a:1, a:0, b:99999, c_d:1] }
  |                                                     ^^^^^^^ the port must be a number from 1 to 65535

error: `service` must be the full name of a gRPC service, not `shop.v1.Orders/Get`
 --> tidegate.yaml:9:14
  |
9 |   - service: shop.v1.Orders/Get
  |              ^^^^^^^^^^^^^^^^^^ a service alone, without method

error: `host` must be a host name, not `example.com:80`
  --> tidegate.yaml:10:11
   |
10 |     host: example.com:80
   |           ^^^^^^^^^^^^^^ leave the port and the scheme away: routes match the name alone

error: unknown upstream `shpo`
  --> tidegate.yaml:11:15
   |
11 |     upstream: shpo
   |               ^^^^ did you mean `shop`?

error: `timeout` must be a duration, not `0s`
  --> tidegate.yaml:12:14
   |
12 |     timeout: 0s
   |              ^^ it must be more than 0

error: `unknown_query` must be `reject` or `ignore`, not `rejct`
  --> tidegate.yaml:13:35
   |
13 |     transcoding: { unknown_query: rejct, pretty: yes, unknown_fields: drop }
   |                                   ^^^^^ did you mean `reject`?

error: `pretty` must be a boolean, not `yes`
  --> tidegate.yaml:13:50
   |
13 |     transcoding: { unknown_query: rejct, pretty: yes, unknown_fields: drop }
   |                                                  ^^^ write `true` or `false`

error: `unknown_fields` must be `reject` or `ignore`, not `drop`
  --> tidegate.yaml:13:71
   |
13 |     transcoding: { unknown_query: rejct, pretty: yes, unknown_fields: drop }
   |                                                                       ^^^^ write `reject` or `ignore`
"#;

#[test]
fn an_unknown_key_gets_a_suggestion() {
    rejects(
        &lines(&[LISTENERS, UPSTREAMS, "routes:", "  - service: shop.v1.Orders", "    upstrem: shop"]),
        r#"
error: unknown key `upstrem`
 --> tidegate.yaml:5:5
  |
5 |     upstrem: shop
  |     ^^^^^^^ did you mean `upstream`?
"#,
    );
}

#[test]
fn an_unknown_key_like_no_other_gets_the_list() {
    rejects(
        &lines(&["listeners: [{ bind: 127.0.0.1:0, colour: blue }]", UPSTREAMS, ROUTES]),
        r#"
error: unknown key `colour`
 --> tidegate.yaml:1:34
  |
1 | listeners: [{ bind: 127.0.0.1:0, colour: blue }]
  |                                  ^^^^^^
  = help: a listener has `bind`, `connections`, `headers`, `body`, `h2`, `idle_timeout`, `write_timeout`, `request_timeout`, `max_age`, `max_requests`, `trusted_peers`, `identity_headers` and 1 more
"#,
    );
}

#[test]
fn keys_of_later_versions_are_not_called_unknown() {
    rejects(
        &lines(&[
            "listeners: [{ bind: 127.0.0.1:0, tls: { cert: a.pem } }]",
            UPSTREAMS,
            "routes: [{ service: shop.v1.Orders, upstream: shop, idle_timeout: 30s }]",
            "transactions: { store: sqlite:a.db }",
        ]),
        r#"
error: `tls` is not supported yet
 --> tidegate.yaml:1:34
  |
1 | listeners: [{ bind: 127.0.0.1:0, tls: { cert: a.pem } }]
  |                                  ^^^ remove it: this version does not have it

error: `idle_timeout` is not supported yet
 --> tidegate.yaml:3:53
  |
3 | routes: [{ service: shop.v1.Orders, upstream: shop, idle_timeout: 30s }]
  |                                                     ^^^^^^^^^^^^ remove it: this version does not have it

error: `transactions` is not supported yet
 --> tidegate.yaml:4:1
  |
4 | transactions: { store: sqlite:a.db }
  | ^^^^^^^^^^^^ remove it: this version does not have it
"#,
    );
}

#[test]
fn everything_wrong_is_reported_at_once() {
    rejects(
        &lines(&[
            "workers: many",
            "drain: 10",
            "listeners:",
            "  - bind: localhost:8080",
            "  - port: 8080",
            "upstreams:",
            "  shop: { endpoints: [\"127.0.0.1\", http://a:1, a:0, b:99999, c_d:1] }",
            "routes:",
            "  - service: shop.v1.Orders/Get",
            "    host: example.com:80",
            "    upstream: shpo",
            "    timeout: 0s",
            "    transcoding: { unknown_query: rejct, pretty: yes, unknown_fields: drop }",
        ]),
        EVERYTHING_WRONG,
    );
}

#[test]
fn what_must_be_there_is_asked_for() {
    rejects(
        "workers: 1\n",
        r#"
error: the config file needs `listeners`
 --> tidegate.yaml

error: the config file needs `upstreams`
 --> tidegate.yaml

error: the config file needs `routes`
 --> tidegate.yaml
"#,
    );
}

#[test]
fn empty_sections_are_told_what_they_need() {
    rejects(
        "listeners: []\nupstreams: {}\nroutes: []\n",
        r#"
error: `listeners` is empty: the gateway needs a port to listen on
 --> tidegate.yaml:1:12
  |
1 | listeners: []
  |            ^

error: `upstreams` is empty: there is nothing to route to
 --> tidegate.yaml:2:12
  |
2 | upstreams: {}
  |            ^

error: `routes` is empty: nothing would be served
 --> tidegate.yaml:3:9
  |
3 | routes: []
  |         ^
"#,
    );
}

#[test]
fn keys_without_value_are_reported() {
    rejects(
        &lines(&["workers:", "drain: ~", LISTENERS, UPSTREAMS, ROUTES]),
        r#"
error: `workers` has no value
 --> tidegate.yaml:1:1
  |
1 | workers:
  | ^^^^^^^ give it one or remove the key

error: `drain` has no value
 --> tidegate.yaml:2:1
  |
2 | drain: ~
  | ^^^^^ give it one or remove the key
"#,
    );
}

#[test]
fn the_wrong_kind_of_value_is_reported() {
    rejects(
        "workers: [1]\nlisteners: { bind: 1 }\nupstreams: [a]\nroutes: all\n",
        r#"
error: `workers` must be a single value
 --> tidegate.yaml:1:10
  |
1 | workers: [1]
  |          ^ found a list

error: `listeners` must be a list
 --> tidegate.yaml:2:12
  |
2 | listeners: { bind: 1 }
  |            ^ found a mapping

error: `upstreams` must be a mapping
 --> tidegate.yaml:3:12
  |
3 | upstreams: [a]
  |            ^ found a list

error: `routes` must be a list
 --> tidegate.yaml:4:9
  |
4 | routes: all
  |         ^^^ put it in brackets: `[all]`
"#,
    );
}

#[test]
fn two_listeners_on_one_address_are_refused() {
    rejects(
        &lines(&["listeners:", "  - bind: 0.0.0.0:8080", "  - bind: 0.0.0.0:8080", UPSTREAMS, ROUTES]),
        r#"
error: two listeners bind 0.0.0.0:8080
 --> tidegate.yaml:3:11
  |
3 |   - bind: 0.0.0.0:8080
  |           ^^^^^^^^^^^^ again here
 ::: tidegate.yaml:2:11
  |
2 |   - bind: 0.0.0.0:8080
  |           ------------ first here
"#,
    );
}

#[test]
fn an_admin_port_open_to_others_needs_a_token() {
    rejects(
        &lines(&[LISTENERS, UPSTREAMS, ROUTES, "admin: { bind: 0.0.0.0:9901 }"]),
        r#"
error: the admin port on 0.0.0.0:9901 is open to others
 --> tidegate.yaml:4:16
  |
4 | admin: { bind: 0.0.0.0:9901 }
  |                ^^^^^^^^^^^^ not a loopback address
  = help: bind it to 127.0.0.1, or set `admin.token`, for example to "${TIDEGATE_ADMIN_TOKEN}"
"#,
    );
}

#[test]
fn the_access_log_is_off_or_a_mapping() {
    rejects(
        &lines(&[LISTENERS, UPSTREAMS, ROUTES, "telemetry: { access_log: on }"]),
        r#"
error: `access_log` must be `off` or a mapping
 --> tidegate.yaml:4:26
  |
4 | telemetry: { access_log: on }
  |                          ^^ write `off` or `{ format: json, to: stdout }`
"#,
    );
}

#[test]
fn the_access_log_has_two_formats() {
    rejects(
        &lines(&[LISTENERS, UPSTREAMS, ROUTES, "telemetry: { access_log: { format: jsn, to: \"\" } }"]),
        r#"
error: `format` must be `json` or `text`, not `jsn`
 --> tidegate.yaml:4:36
  |
4 | telemetry: { access_log: { format: jsn, to: "" } }
  |                                    ^^^ did you mean `json`?

error: `to` must be a text and is empty
 --> tidegate.yaml:4:45
  |
4 | telemetry: { access_log: { format: jsn, to: "" } }
  |                                             ^^ it must not be empty
"#,
    );
}

#[test]
fn metadata_names_are_names_of_headers() {
    rejects(
        &lines(&[LISTENERS, UPSTREAMS, ROUTES, "metadata: { allow: [x y, grpc-timeout, a*b, ok-*] }"]),
        r#"
error: each of `allow` must be the name of a header, not `x y`
 --> tidegate.yaml:4:21
  |
4 | metadata: { allow: [x y, grpc-timeout, a*b, ok-*] }
  |                     ^^^ for example `x-user-id`, `x-*` or `"*-bin"`

error: each of `allow` must be the name of a header, not `grpc-timeout`
 --> tidegate.yaml:4:26
  |
4 | metadata: { allow: [x y, grpc-timeout, a*b, ok-*] }
  |                          ^^^^^^^^^^^^ `grpc-…` belongs to the protocol and cannot be passed on

error: each of `allow` must be the name of a header, not `a*b`
 --> tidegate.yaml:4:40
  |
4 | metadata: { allow: [x y, grpc-timeout, a*b, ok-*] }
  |                                        ^^^ for example `x-user-id`, `x-*` or `"*-bin"`
"#,
    );
}

#[test]
fn a_problem_in_an_anchor_is_shown_where_it_stands() {
    rejects(
        &lines(&[
            LISTENERS,
            UPSTREAMS,
            "routes:",
            "  - &base { service: shop.v1.Orders, upstream: shop, timeout: 2 }",
            "  - { <<: *base, service: shop.v1.Links, timeout: 2s }",
        ]),
        r#"
error: `timeout` must be a duration, not `2`
 --> tidegate.yaml:4:63
  |
4 |   - &base { service: shop.v1.Orders, upstream: shop, timeout: 2 }
  |                                                               ^ it needs a unit: `2s` or `2ms`
"#,
    );
}
