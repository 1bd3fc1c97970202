//! `tidegate check`.
use crate::{CONFIG, ECHO, check, folder};

#[test]
fn a_config_that_is_right_is_summed_up() {
    let folder = folder(&[("tidegate.yaml", CONFIG)]);
    check(
        folder.path(),
        &["check"],
        (0, "tidegate.yaml is right: 1 listener, 1 upstream, 1 route, 2 http rules\n", ""),
    );
}

#[test]
fn routes_without_a_service_are_counted_and_are_no_http_rules() {
    let config = "\
listeners: [{ bind: 127.0.0.1:0 }]
upstreams:
  web: { endpoints: [127.0.0.1:1] }
routes:
  - { path: /page, upstream: web }
  - { path: /*, respond: { status: 204 } }
";
    let folder = folder(&[("tidegate.yaml", config)]);
    let right = "tidegate.yaml is right: 1 listener, 1 upstream, 2 routes, 0 http rules\n";
    check(folder.path(), &["check"], (0, right, ""));
}

#[test]
fn limits_for_others_are_summed_up() {
    let config = "rate_limit_service: { bind: 127.0.0.1:0, config: [rules/] }\n";
    let edge = "\
domain: edge
descriptors:
  - key: user
    rate_limit: { unit: minute, requests_per_unit: 10 }
    descriptors:
      - { key: path, rate_limit: { unit: second, requests_per_unit: 1 } }
  - key: plan
";
    let folder = folder(&[("tidegate.yaml", config), ("rules/edge.yaml", edge)]);
    let right = "tidegate.yaml is right: 1 domain with 2 limits of the rate limit service\n";
    check(folder.path(), &["check"], (0, right, ""));
}

#[test]
fn an_unknown_key_is_shown_with_its_line_and_a_suggestion() {
    let config = CONFIG.replace("upstream: echo", "upstrem: echo");
    let folder = folder(&[("conf/gateway.yaml", &config), ("conf/proto/echo.proto", ECHO)]);
    check(
        folder.path(),
        &["check", "-c", "conf/gateway.yaml"],
        (
            78,
            "",
            r#"
error: unknown key `upstrem`
 --> conf/gateway.yaml:5:30
  |
5 |   - { service: demo.v1.Echo, upstrem: echo }
  |                              ^^^^^^^ did you mean `upstream`?

conf/gateway.yaml: 1 error
"#,
        ),
    );
}

#[test]
fn two_equal_routes_are_both_shown() {
    let again = format!("{CONFIG}  - service: demo.v1.Echo\n    upstream: echo\n");
    check(
        folder(&[("tidegate.yaml", &again)]).path(),
        &["check"],
        (
            78,
            "",
            r#"
error: two equal routes: `demo.v1.Echo` on every host
 --> tidegate.yaml:6:14
  |
6 |   - service: demo.v1.Echo
  |              ^^^^^^^^^^^^ this one would never be reached
 ::: tidegate.yaml:5:16
  |
5 |   - { service: demo.v1.Echo, upstream: echo }
  |                ------------ the first is here
  = help: remove one, or give them different hosts

tidegate.yaml: 1 error
"#,
        ),
    );
}

#[test]
fn a_missing_import_is_shown_where_it_is_imported() {
    let proto = ECHO.replace("google/api/annotations.proto", "demo/v1/missing.proto");
    let folder = folder(&[("tidegate.yaml", CONFIG), ("proto/echo.proto", &proto)]);
    check(
        folder.path(),
        &["check"],
        (
            78,
            "",
            r#"
error: import `demo/v1/missing.proto` not found
 --> proto/echo.proto:4:1
  |
4 | import "demo/v1/missing.proto";
  | ^^^^^^
 ::: tidegate.yaml:3:45
  |
3 |   echo: { endpoints: [127.0.0.1:1], schema: { proto: [proto] } }
  |                                             - for this schema
  = help: it is not below `proto`: name the folder that it is relative to as well

tidegate.yaml: 1 error
"#,
        ),
    );
}

#[test]
fn rules_that_nobody_could_tell_apart_are_both_named() {
    let proto = ECHO.replace("post: \"/v1/say\" body: \"*\"", "get: \"/v1/say/{text=*}\"");
    let folder = folder(&[("tidegate.yaml", CONFIG), ("proto/echo.proto", &proto)]);
    check(
        folder.path(),
        &["check"],
        (
            78,
            "",
            r#"
error: `GET /v1/say/{text=*}` of demo.v1.Echo.Say (echo.proto): matches the same requests as `GET /v1/say/{text}` of demo.v1.Echo.Say (echo.proto)
 --> tidegate.yaml:5:16
  |
5 |   - { service: demo.v1.Echo, upstream: echo }
  |                ^^^^^^^^^^^^

tidegate.yaml: 1 error
"#,
        ),
    );
}

#[test]
fn a_service_that_the_schema_does_not_have_is_told_with_those_it_has() {
    let config = CONFIG.replace("demo.v1.Echo", "demo.v2.Echo");
    check(
        folder(&[("tidegate.yaml", &config)]).path(),
        &["check"],
        (
            78,
            "",
            r#"
error: the schema of `echo` has no service `demo.v2.Echo`
 --> tidegate.yaml:5:16
  |
5 |   - { service: demo.v2.Echo, upstream: echo }
  |                ^^^^^^^^^^^^ did you mean `demo.v1.Echo`?
  = help: it has `demo.v1.Echo`

tidegate.yaml: 1 error
"#,
        ),
    );
}

#[test]
fn warnings_do_not_fail() {
    let config = CONFIG.replace("routes:", "  spare: { endpoints: [127.0.0.1:2] }\nroutes:");
    check(
        folder(&[("tidegate.yaml", &config)]).path(),
        &["check"],
        (
            0,
            r#"
tidegate.yaml is right: 1 listener, 2 upstreams, 1 route, 2 http rules
"#,
            r#"
warning: no route goes to the upstream `spare`
 --> tidegate.yaml:4:3
  |
4 |   spare: { endpoints: [127.0.0.1:2] }
  |   ^^^^^
"#,
        ),
    );
}

#[test]
fn rules_of_a_service_config_override_annotations() {
    let rules = "http: { rules: [{ selector: demo.v1.Echo.Say, put: /v2/say, body: '*' }] }\n";
    let config = CONFIG.replace("proto: [proto]", "proto: [proto], http_rules: [rules.yaml]");
    let folder = folder(&[("tidegate.yaml", &config), ("rules.yaml", rules)]);
    check(
        folder.path(),
        &["routes"],
        (
            0,
            r#"
METHOD  PATH     RPC               UPSTREAM
PUT     /v2/say  demo.v1.Echo/Say  echo
"#,
            "",
        ),
    );
}

#[test]
fn a_rule_for_a_method_that_is_not_there_is_refused() {
    let rules = "http: { rules: [{ selector: demo.v1.Echo.Sya, put: /v2/say, body: '*' }] }\n";
    let config = CONFIG.replace("proto: [proto]", "proto: [proto], http_rules: [rules.yaml]");
    let folder = folder(&[("tidegate.yaml", &config), ("rules.yaml", rules)]);
    check(
        folder.path(),
        &["check"],
        (
            78,
            "",
            r#"
error: the service `demo.v1.Echo` has no method `Sya`
 --> rules.yaml:1:29
  |
1 | http: { rules: [{ selector: demo.v1.Echo.Sya, put: /v2/say, body: '*' }] }
  |                             ^^^^^^^^^^^^^^^^ did you mean `demo.v1.Echo.Say`?
 ::: tidegate.yaml:3:45
  |
3 |   echo: { endpoints: [127.0.0.1:1], schema: { proto: [proto], http_rules: [rules.yaml] } }
  |                                             - for this schema

tidegate.yaml: 1 error
"#,
        ),
    );
}
