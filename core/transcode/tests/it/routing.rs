//! Which rule a request gets.

use crate::harness::{check, router};
use http::Method;
use tidegate_transcode::{Body, Idempotency, Miss, Router};

#[test]
fn a_literal_comes_before_a_wildcard_before_a_double_wildcard() {
    let rules = "Do get: /v1/{id}
                 Other get: /v1/special
                 Third get: /v1/{name=**}";
    check(rules, "GET /v1/special", "Other {}");
    check(rules, "GET /v1/x", r#"Do {"id":"x"}"#);
    check(rules, "GET /v1/x/y", r#"Third {"name":"x/y"}"#);
    check(rules, "GET /v1", "Third {}");
    check(rules, "GET /v1/special/y", r#"Third {"name":"special/y"}"#);
}

#[test]
fn the_first_difference_decides() {
    let rules = "Do get: /a/{id}/c
                 Other get: /{name}/b/c";
    check(rules, "GET /a/b/c", r#"Do {"id":"b"}"#);
    check(rules, "GET /x/b/c", r#"Other {"name":"x"}"#);
    check(rules, "GET /a/x/c", r#"Do {"id":"x"}"#);
}

#[test]
fn a_dead_end_leads_back() {
    let rules = "Do get: /v1/a/{id}/x
                 Other get: /v1/{name}/b/y
                 Third get: /{name=**}";
    check(rules, "GET /v1/a/b/y", r#"Other {"name":"a"}"#);
    check(rules, "GET /v1/a/b/z", r#"Third {"name":"v1/a/b/z"}"#);
}

#[test]
fn an_end_comes_before_an_empty_double_wildcard() {
    let rules = "Do get: /v1/files/**
                 Other get: /v1/files";
    check(rules, "GET /v1/files", "Other {}");
    check(rules, "GET /v1/files/", "Do {}");
}

#[test]
fn a_template_with_another_method_is_passed_over() {
    let rules = "Do post: /v1/special
                 Other get: /v1/{id}";
    check(rules, "GET /v1/special", r#"Other {"id":"special"}"#);
    check(rules, "POST /v1/special", "Do {}");
    check(rules, "POST /v1/x", "405 GET, HEAD, OPTIONS");
}

#[test]
fn a_path_of_other_methods_lists_them_sorted() {
    let rules = "Do post: /v1/a
                 Other get: /v1/{id}
                 Third delete: /v1/a
                 Third get: /v1/a
                 Third put: /v1/b";
    check(rules, "PATCH /v1/a", "405 DELETE, GET, HEAD, OPTIONS, POST");
    check(rules, "PUT /v1/a", "405 DELETE, GET, HEAD, OPTIONS, POST");
    check(rules, "POST /v1/b", "405 GET, HEAD, OPTIONS, PUT");
    check(rules, "PATCH /v2/a", "404");
}

#[test]
fn custom_kinds_are_methods() {
    check("custom: HEAD /v1/a", "HEAD /v1/a", "Do {}");
    check("custom: OPTIONS /v1/a", "OPTIONS /v1/a", "Do {}");
    check("custom: PURGE /v1/a", "PURGE /v1/a", "Do {}");
    check("custom: PURGE /v1/a", "GET /v1/a", "405 OPTIONS, PURGE");
    check("custom: PURGE /v1/a", "purge /v1/a", "405 OPTIONS, PURGE");
}

#[test]
fn a_star_is_every_method_but_those_with_a_rule() {
    let rules = "Do custom: * /v1/{id}
                 Other get: /v1/{id}";
    check(rules, "GET /v1/a", r#"Other {"id":"a"}"#);
    check(rules, "DELETE /v1/a", r#"Do {"id":"a"}"#);
    check(rules, "BREW /v1/a", r#"Do {"id":"a"}"#);
}

#[test]
fn a_verb_is_what_follows_the_last_colon() {
    check("post: /v1/users:lookup", "POST /v1/users:lookup", "Do {}");
    check("post: /v1/users:lookup", "POST /v1/users", "404");
    check("post: /v1/{id}:cancel", "POST /v1/7:cancel", r#"Do {"id":"7"}"#);
    check("post: /v1/{id}:cancel", "POST /v1/a:b:cancel", r#"Do {"id":"a:b"}"#);
    check("post: /v1/{id}:cancel", "POST /v1/7", "404");
    check("post: /v1/{id}:cancel", "POST /v1/7:cancel/", "404");
    check("post: /v1/{id}:cancel", "POST /v1/:cancel", "404");
    check("post: /v1/{id}:cancel", "POST /v1/7:Cancel", "404");
    check("post: /v1/{name=a/*}:cancel", "POST /v1/a/b:cancel", r#"Do {"name":"a/b"}"#);
    check("post: /v1/{name=**}:cancel", "POST /v1/a/b:cancel", r#"Do {"name":"a/b"}"#);
    check("post: /v1/{name=**}:cancel", "POST /v1:cancel", "Do {}");
    check("post: /v1/*:cancel", "POST /v1/x:cancel", "Do {}");
    check("post: /v1/**:cancel", "POST /v1/x/y:cancel", "Do {}");
    check("post: /{id}/const:verb", "POST /some:verb/const:verb", r#"Do {"id":"some:verb"}"#);
    check("post: /v1/a:b:c", "POST /v1/a:b:c", "Do {}");
}

#[test]
fn an_encoded_colon_begins_no_verb() {
    check("post: /v1/{id}:cancel", "POST /v1/7%3Acancel", "404");
    let rules = "Do post: /v1/{id}:cancel
                 Other post: /v1/{id}";
    check(rules, "POST /v1/7%3acancel", r#"Other {"id":"7:cancel"}"#);
    check("post: /v1/{id}:can%63el", "POST /v1/7:cancel", r#"Do {"id":"7"}"#);
    check("post: /v1/{id}:cancel", "POST /v1/7:%63ancel", r#"Do {"id":"7"}"#);
}

#[test]
fn what_is_no_verb_belongs_to_the_segment() {
    check("get: /v1/{id}", "GET /v1/a:b", r#"Do {"id":"a:b"}"#);
    check("get: /v1/{name=**}", "GET /v1/a:b/c:d", r#"Do {"name":"a:b/c:d"}"#);
    check("get: /v1/{id}", "GET /v1/a:", r#"Do {"id":"a:"}"#);
    check("get: /v1/{id}", "GET /v1/:a", r#"Do {"id":":a"}"#);
}

#[test]
fn the_verb_of_one_service_changes_nothing_for_another() {
    let rules = "Do post: /v1/orders/{id}:cancel
                 Do post: /v1/{name=**}:drop
                 Second.Do get: /v1/items/{id}
                 Second.Do post: /v1/items/{id}";
    check(rules, "POST /v1/orders/7:cancel", r#"Do {"id":"7"}"#);
    check(rules, "GET /v1/items/7:cancel", r#"Second.Do {"id":"7:cancel"}"#);
    check(rules, "POST /v1/items/7:cancel", r#"Second.Do {"id":"7:cancel"}"#);
    // Both templates match; `items` is more specific than `**`.
    check(rules, "POST /v1/items/7:drop", r#"Second.Do {"id":"7:drop"}"#);
    check(rules, "POST /v1/others/7:drop", r#"Do {"name":"others/7"}"#);
    check(rules, "DELETE /v1/items/7:drop", "405 GET, HEAD, OPTIONS, POST");
}

#[test]
fn of_two_alike_the_one_with_a_verb_wins() {
    let rules = "Do post: /v1/{id}:cancel
                 Other post: /v1/{name}";
    check(rules, "POST /v1/7:cancel", r#"Do {"id":"7"}"#);
    check(rules, "POST /v1/7:other", r#"Other {"name":"7:other"}"#);
    let rules = "Do post: /v1/{name=**}:cancel
                 Other post: /v1/{id}";
    check(rules, "POST /v1/7:cancel", r#"Other {"id":"7:cancel"}"#);
    let rules = "Do post: /v1/{id}:cancel
                 Other get: /v1/{name}";
    check(rules, "GET /v1/7:cancel", r#"Other {"name":"7:cancel"}"#);
    check(rules, "DELETE /v1/7:cancel", "405 GET, HEAD, OPTIONS, POST");
}

#[test]
fn only_paths_are_matched() {
    check("get: /{name=**}", "OPTIONS *", "404");
    assert_eq!(router("get: /{name=**}").find(&Method::GET, "").err(), Some(Miss::NotFound));
}

#[test]
fn the_root_matches_only_what_may_be_empty() {
    check("get: /**", "GET /", "Do {}");
    check("get: /*", "GET /", "404");
    check("get: /a", "GET /", "404");
}

#[test]
fn a_binding_says_what_its_rule_and_method_say() {
    let router = router(
        "Watch post: /v1/{name=a/*}/{id}:watch body: nested response: items
         Raw custom: * /raw body: *",
    );
    let bindings: Vec<_> = router.bindings().collect();
    let shown: Vec<_> = bindings
        .iter()
        .map(|b| (b.tag, &*b.rpc, &*b.selector, &*b.file, b.method_str(), b.template.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (1, "/t.v1.Main/Raw", "t.v1.Main.Raw", "test.proto", "*", "/raw"),
            (1, "/t.v1.Main/Watch", "t.v1.Main.Watch", "test.proto", "POST", "/v1/{name=a/*}/{id}:watch"),
        ]
    );
    let (raw, watch) = (bindings[0], bindings[1]);
    assert_eq!((raw.client_streaming, raw.server_streaming, raw.idempotency), (false, false, Idempotency::Unknown));
    assert_eq!((watch.client_streaming, watch.server_streaming), (false, true));
    assert_eq!((raw.takes_http_body(), raw.replies_with_http_body(), raw.body), (true, true, Body::Whole));
    assert_eq!((watch.takes_http_body(), watch.replies_with_http_body()), (false, false));
    assert_eq!(watch.variables().collect::<Vec<_>>(), ["name", "id"]);
    let found = router.find(&Method::POST, "/v1/a/b/c%20d:watch").expect("the path is one of its");
    assert_eq!((found.index, &found.captures[..]), (1, &["a/b", "c%20d"][..]));
    assert_eq!(&*router.binding(found.index).rpc, "/t.v1.Main/Watch");
}

#[test]
fn what_answers_get_answers_head_unless_a_rule_is_for_head() {
    let rules = "Do get: /v1/a
                 Other custom: HEAD /v1/{id}
                 Third custom: * /v1/a";
    check(rules, "HEAD /v1/a", "Do {}");
    check(rules, "HEAD /v1/b", r#"Other {"id":"b"}"#);
    check(rules, "PUT /v1/a", "Third {}");
    check("Do get: /v1/a\nOther custom: HEAD /v1/a", "HEAD /v1/a", "Other {}");
    check("Do post: /v1/a", "HEAD /v1/a", "405 OPTIONS, POST");
    check("Do custom: * /v1/a", "OPTIONS /v1/a", "Do {}");
    check("Do get: /v1/a", "OPTIONS /v1/a", "405 GET, HEAD, OPTIONS");
}

#[test]
fn a_server_as_a_whole_allows_what_its_rules_have() {
    let (one, other) = (router("Do post: /v1/a\nOther get: /v1/b"), router("Do custom: PURGE /a\nOther custom: * /b"));
    assert_eq!(Router::allow_of([&one, &other].into_iter()), "GET, HEAD, OPTIONS, POST, PURGE");
    assert_eq!(Router::allow_of(std::iter::once(&other)), "OPTIONS, PURGE");
}
