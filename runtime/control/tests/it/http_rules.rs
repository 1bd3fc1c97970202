//! Files of http rules.
use crate::{LISTENERS, ROUTES, folder, lines, parse_in, report_in, same};
use tidegate_transcode::{HttpRule, RuleMethod};

const UPSTREAM: &str = "upstreams: { shop: { endpoints: [a:1], schema: { proto: [proto], http_rules: [shop.yaml] } } }";

fn config() -> String {
    lines(&[LISTENERS, UPSTREAM, ROUTES])
}

#[test]
fn a_whole_service_config_is_read() {
    let rules = "\
type: google.api.Service
config_version: 3
name: shop.example.com
apis: [{ name: shop.v1.Orders }]
http:
  fully_decode_reserved_expansion: false
  rules:
    - selector: shop.v1.Orders.Update
      patch: /v1/orders/{order.id}
      body: order
      response_body: order
      additional_bindings:
        - { put: '/v1/orders/{order.id}', body: '*' }
        - custom: { kind: HEAD, path: /v1/orders }
    - { selector: shop.v1.Orders.Delete, delete: '/v1/orders/{id}', responseBody: order }
";
    let folder = folder(&[("shop.yaml", rules)]);
    let loaded = parse_in(folder.path(), &config(), &[]).expect("it is right");
    let rule = |selector: &str, method, template: &str, body: &str, response_body: &str| HttpRule {
        selector: selector.to_owned(),
        method,
        template: template.to_owned(),
        body: body.to_owned(),
        response_body: response_body.to_owned(),
        additional: Vec::new(),
    };
    let custom = RuleMethod::Custom("HEAD".to_owned());
    let update = HttpRule {
        additional: vec![
            rule("", RuleMethod::Put, "/v1/orders/{order.id}", "*", ""),
            rule("", custom, "/v1/orders", "", ""),
        ],
        ..rule("shop.v1.Orders.Update", RuleMethod::Patch, "/v1/orders/{order.id}", "order", "order")
    };
    let delete = rule("shop.v1.Orders.Delete", RuleMethod::Delete, "/v1/orders/{id}", "", "order");
    let name = folder.path().join("shop.yaml").display().to_string();
    assert_eq!(loaded.config.upstreams[0].schema.http_rules, [(name, vec![update, delete])]);
}

#[test]
fn mistakes_are_shown_in_the_file_itself() {
    let rules = "\
http:
  rules:
    - selector: Get
      get: /v1/a
    - selector: a.B.C
      get: /v1/a
      post: /v1/b
      bdy: '*'
    - selector: a.B.D
    - { selector: a.B.E, custom: { kind: 'NO METHOD' }, additional_bindings: { get: /x } }
    - { get: /v1/c, additional_bindings: [{ selector: a.B.F, get: /v1/d }] }
  fully_decode_reserved_expansion: true
";
    let folder = folder(&[("shop.yaml", rules)]);
    same(
        &report_in(folder.path(), &config(), &[]),
        r#"
error: `selector` must be the full name of a method, not `Get`
 --> shop.yaml:3:17
  |
3 |     - selector: Get
  |                 ^^^ for example `shop.v1.Orders.Get`

error: a rule has one method
 --> shop.yaml:7:7
  |
7 |       post: /v1/b
  |       ^^^^
  = help: put the others into `additional_bindings`

error: unknown key `bdy`
 --> shop.yaml:8:7
  |
8 |       bdy: '*'
  |       ^^^ did you mean `body`?

error: the rule needs one of `get`, `put`, `post`, `delete`, `patch` and `custom`
 --> shop.yaml:9:7
  |
9 |     - selector: a.B.D
  |       ^^^^^^^^

error: `custom` needs `path`
  --> shop.yaml:10:34
   |
10 |     - { selector: a.B.E, custom: { kind: 'NO METHOD' }, additional_bindings: { get: /x } }
   |                                  ^

error: `kind` must be a method of HTTP, not `NO METHOD`
  --> shop.yaml:10:42
   |
10 |     - { selector: a.B.E, custom: { kind: 'NO METHOD' }, additional_bindings: { get: /x } }
   |                                          ^^^^^^^^^^^ for example `HEAD`

error: `additional_bindings` must be a list
  --> shop.yaml:10:78
   |
10 |     - { selector: a.B.E, custom: { kind: 'NO METHOD' }, additional_bindings: { get: /x } }
   |                                                                              ^ found a mapping

error: a rule needs `selector`
  --> shop.yaml:11:7
   |
11 |     - { get: /v1/c, additional_bindings: [{ selector: a.B.F, get: /v1/d }] }
   |       ^

error: unknown key `selector`
  --> shop.yaml:11:45
   |
11 |     - { get: /v1/c, additional_bindings: [{ selector: a.B.F, get: /v1/d }] }
   |                                             ^^^^^^^^
   = help: an additional binding has `get`, `put`, `post`, `delete`, `patch`, `custom`, `body`, `response_body`, `responseBody`

error: `fully_decode_reserved_expansion: true` is not supported: `%2F` in a multi-segment variable stays as it is
  --> shop.yaml:12:36
   |
12 |   fully_decode_reserved_expansion: true
   |                                    ^^^^
"#,
    );
}

#[test]
fn a_file_without_rules_is_told_so() {
    let folder = folder(&[("shop.yaml", "type: google.api.Service\n")]);
    same(
        &report_in(folder.path(), &config(), &[]),
        r#"
error: a service config needs `http`
 --> shop.yaml
"#,
    );
}
