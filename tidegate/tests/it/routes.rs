//! `tidegate routes`.
use crate::{CONFIG, check, folder};

#[test]
fn routes_are_a_table() {
    let folder = folder(&[("tidegate.yaml", CONFIG)]);
    check(
        folder.path(),
        &["routes"],
        (
            0,
            r#"
METHOD  PATH            RPC               UPSTREAM
POST    /v1/say         demo.v1.Echo/Say  echo
GET     /v1/say/{text}  demo.v1.Echo/Say  echo
"#,
            "",
        ),
    );
}

#[test]
fn hosts_are_shown_where_routes_have_them() {
    let config = format!("{CONFIG}  - {{ service: demo.v1.Echo, host: \"*.example.com\", upstream: echo }}\n");
    check(
        folder(&[("tidegate.yaml", &config)]).path(),
        &["routes"],
        (
            0,
            r#"
METHOD  PATH            RPC               UPSTREAM  HOST
POST    /v1/say         demo.v1.Echo/Say  echo      *.example.com
GET     /v1/say/{text}  demo.v1.Echo/Say  echo      *.example.com
POST    /v1/say         demo.v1.Echo/Say  echo      *
GET     /v1/say/{text}  demo.v1.Echo/Say  echo      *
"#,
            "",
        ),
    );
}

/// Two versions of a service, and two plain routes.
const TWO: &str = "\
listeners: [{ bind: 127.0.0.1:0, trusted_peers: [10.0.0.0/8], identity_headers: [x-user-id] }]
upstreams:
  echo: { endpoints: [127.0.0.1:1], schema: { proto: [proto] } }
  next: { endpoints: [127.0.0.1:2], schema: { like: echo } }
  web: { endpoints: [127.0.0.1:3] }
routes:
  - service: demo.v1.Echo
    upstream: echo
    canary:
      - { to: next, header: { x-version: v2 } }
      - { to: next, hash: { header: x-user-id, below: 50% } }
  - { path: /assets/*, methods: [GET, HEAD], upstream: web }
  - { path: /assets/logo.png, host: www.example.com, upstream: web }
";

#[test]
fn plain_routes_stand_behind_the_rules_of_their_host() {
    let config = TWO.replace(", host: www.example.com", "");
    check(
        folder(&[("tidegate.yaml", &config)]).path(),
        &["routes"],
        (
            0,
            r#"
METHOD    PATH              RPC               UPSTREAM
POST      /v1/say           demo.v1.Echo/Say  echo
GET       /v1/say/{text}    demo.v1.Echo/Say  echo
GET,HEAD  /assets/*         -                 web
*         /assets/logo.png  -                 web
"#,
            "",
        ),
    );
}

#[track_caller]
fn test(arguments: &[&str], expected: &str) {
    let folder = folder(&[("tidegate.yaml", TWO)]);
    check(folder.path(), &[&["routes", "test"], arguments].concat(), (0, expected, ""));
}

#[test]
fn a_request_is_explained_with_its_route_its_canary_and_what_passed_it_by() {
    test(
        &["GET /v1/say/hello?x=1", "-H", "x-version: v1", "-H", "x-user-id: 7", "--peer", "10.1.2.3"],
        r#"
GET /v1/say/hello?x=1
  route     GET /v1/say/{text} → demo.v1.Echo/Say
  canary    header:x-version → next: asks that header `x-version` is `v2`
  canary    hash:x-user-id → next: holds: the value stands at 25.9507%, below 50%
  upstream  next
  passed by /assets/*: has another path
  passed by /assets/logo.png on www.example.com: is for www.example.com
"#,
    );
}

#[test]
fn what_a_peer_is_not_trusted_with_does_not_count() {
    test(
        &["POST /demo.v1.Echo/Say", "-H", "content-type: application/grpc", "-H", "x-user-id: 7"],
        r#"
POST /demo.v1.Echo/Say
  ignored   header `x-user-id`: the peer is not trusted with it
  route     /demo.v1.Echo/Say → demo.v1.Echo/Say
  canary    header:x-version → next: asks that header `x-version` is `v2`
  canary    hash:x-user-id → next: hashes header `x-user-id`, which is missing or empty
  canary    no rule takes it
  upstream  echo
"#,
    );
}

#[test]
fn a_path_that_is_not_in_normal_form_is_shown_as_routes_see_it() {
    test(
        &["GET http://www.example.com/x/..//assets/%6Cogo.png"],
        r#"
GET http://www.example.com/x/..//assets/%6Cogo.png
  path      /assets/logo.png (in normal form, for plain routes)
  route     /assets/logo.png on www.example.com
  upstream  web
  passed by /assets/*: is less specific, or comes later
  passed by http rules: none has the path
"#,
    );
    test(
        &["GET /assets/a%2Fb"],
        r#"
GET /assets/a%2Fb
  route     none → 400: path: an escaped slash (`%2F`) at byte 9
  passed by /assets/*: refuses the path
  passed by /assets/logo.png on www.example.com: is for www.example.com
  passed by http rules: none has the path
"#,
    );
}

#[test]
fn a_method_that_no_route_takes_is_told() {
    test(
        &["DELETE /assets/a"],
        r#"
DELETE /assets/a
  route     none → 405: the path is there for GET, HEAD, OPTIONS
  passed by /assets/*: asks that the method is GET or HEAD
  passed by /assets/logo.png on www.example.com: is for www.example.com
  passed by http rules: none has the path
"#,
    );
}
