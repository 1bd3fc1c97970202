//! Rules that are refused when they are loaded.

use crate::harness::{check, check_refused};

/// Checks that a template is refused, with this text behind its place.
#[track_caller]
fn bad(template: &str, want: &str) {
    let place = if template.is_empty() { String::new() } else { format!("`GET {template}` of ") };
    check_refused(&format!("get: {template}"), &format!("{place}t.v1.Main.Do (test.proto): {want}"));
}

#[test]
fn templates_outside_the_grammar_are_refused() {
    bad("", "the rule has no path");
    bad("v1/a", "a path template begins with `/`");
    bad("/", "a segment is empty (offset 1)");
    bad("/v1/", "a segment is empty (offset 4)");
    bad("/v1//a", "a segment is empty (offset 4)");
    bad("/v1/a?b", "`?` must be percent-encoded in a literal (offset 5)");
    bad("/v1/a#", "`#` must be percent-encoded in a literal (offset 5)");
    bad("/v1/a%2", "`%` without two hexadecimal digits (offset 5)");
    bad("/v1/%zz/a", "`%` without two hexadecimal digits (offset 4)");
    bad("/v1/a*", "a wildcard or variable must be a segment of its own (offset 5)");
    bad("/v1/*a", "a wildcard or variable must be a segment of its own (offset 5)");
    bad("/v1/***", "a wildcard or variable must be a segment of its own (offset 4)");
    bad("/v1/a{id}", "a wildcard or variable must be a segment of its own (offset 5)");
    bad("/v1/{id}a", "a wildcard or variable must be a segment of its own (offset 8)");
    bad("/v1/{id}{name}", "a wildcard or variable must be a segment of its own (offset 8)");
    bad("/v1/}", "a wildcard or variable must be a segment of its own (offset 4)");
}

#[test]
fn malformed_variables_are_refused() {
    bad("/v1/{id", "the variable is not closed (offset 4)");
    bad("/v1/{}", "`` is not the path of a field (offset 5)");
    bad("/v1/{a-b}", "`a-b` is not the path of a field (offset 5)");
    bad("/v1/{.a}", "`.a` is not the path of a field (offset 5)");
    bad("/v1/{1a}", "`1a` is not the path of a field (offset 5)");
    bad("/v1/{id=}", "a segment is empty (offset 8)");
    bad("/v1/{id=/a}", "a segment is empty (offset 8)");
    bad("/v1/{id=a/}", "a segment is empty (offset 10)");
    bad("/v1/{name={id}/*}", "a variable cannot contain another (offset 10)");
    bad("/v1/{name=a{id}}", "a variable cannot contain another (offset 11)");
    bad("/v1/{name=a/{id}}", "a variable cannot contain another (offset 12)");
}

#[test]
fn two_stars_must_be_last() {
    bad("/v1/**/a", "`**` must be the last segment (offset 7)");
    bad("/v1/{name=**}/a", "`**` must be the last segment (offset 14)");
    bad("/v1/{name=a/**/b}", "`**` must be the last segment (offset 15)");
    bad("/v1/**/**", "`**` must be the last segment (offset 7)");
    check("post: /v1/{name=a/**}:verb", "POST /v1/a/b/c:verb", r#"Do {"name":"a/b/c"}"#);
}

#[test]
fn a_verb_is_one_literal() {
    bad("/v1/{id}:", "the verb behind `:` must be one literal (offset 9)");
    bad("/v1/a:", "the verb behind `:` must be one literal (offset 6)");
    bad("/v1/{id}:a/b", "the verb behind `:` must be one literal (offset 9)");
    bad("/v1/{id}:a:b", "the verb behind `:` must be one literal (offset 9)");
    bad("/v1/:a", "a segment is empty (offset 4)");
    bad("/v1/{id}:*", "a wildcard or variable must be a segment of its own (offset 9)");
}

#[test]
fn a_template_has_an_end() {
    bad(&"/a".repeat(65), "a template has at most 64 segments");
    check(&format!("get: {}", "/a".repeat(64)), &format!("GET {}", "/a".repeat(64)), "Do {}");
}

#[test]
fn variables_must_name_fields_that_one_text_can_set() {
    bad("/v1/{nothing}", "`nothing`: t.v1.Request has no field `nothing`");
    bad("/v1/{nested.nothing}", "`nested.nothing`: t.v1.Nested has no field `nothing`");
    bad("/v1/{name.text}", "`name.text`: `name` is not a message");
    bad("/v1/{nested}", "`nested` is a message, which a path variable cannot bind");
    bad("/v1/{anything}", "`anything` is a message, which a path variable cannot bind");
    bad("/v1/{tags}", "`tags` is a list or map, which a path variable cannot bind");
    bad("/v1/{items.text}", "`items.text` is a list or map, which a path variable cannot bind");
    bad("/v1/{labels}", "`labels` is a list or map, which a path variable cannot bind");
}

#[test]
fn a_field_is_bound_once() {
    bad("/v1/{id}/{id}", "`id` and `id` bind the same field");
    bad("/v1/{pageSize}/{page_size}", "`pageSize` and `page_size` bind the same field");
    bad("/v1/{at}/{at.seconds}", "`at` and `at.seconds` bind the same field");
    bad("/v1/{left}/{right}", "`left` and `right` belong to one oneof");
    bad("/v1/{nested.this}/{nested.that}", "`nested.this` and `nested.that` belong to one oneof");
    check("get: /v1/{nested.this}/{left}", "GET /v1/a/b", r#"Do {"nested":{"this":"a"},"left":"b"}"#);
    check_refused(
        "post: /v1/{name} body: name",
        "`POST /v1/{name}` of t.v1.Main.Do (test.proto): `body: name` and `name` bind the same field",
    );
}

#[test]
fn bodies_must_be_fields_of_the_message_itself() {
    let place = "`POST /v1` of t.v1.Main.Do (test.proto)";
    let bad = |rule: &str, want: &str| check_refused(rule, &format!("{place}: {want}"));
    bad("post: /v1 body: nothing", "`nothing`: t.v1.Request has no field `nothing`");
    let not_top_level = "`nested.text` must be a field of the message itself, not of one in it";
    bad("post: /v1 body: nested.text", not_top_level);
    bad("post: /v1 body: * response: nested.text", not_top_level);
    bad("post: /v1 body: * response: nothing", "`nothing`: t.v1.Request has no field `nothing`");
    bad("post: /v1 body: * response: *", "`*`: t.v1.Request has no field `*`");
}

#[test]
fn methods_must_be_methods() {
    let place = |kind| format!("`{kind} /v1` of t.v1.Main.Do (test.proto)");
    check_refused("custom: A(B) /v1", &format!("{}: `A(B)` is not an HTTP method", place("A(B)")));
}

#[test]
fn every_problem_is_reported() {
    check_refused(
        "Do post: /v1/{nothing} body: none
         Do get: /v1/{tags}
         Other get: /v1/**/a",
        "`POST /v1/{nothing}` of t.v1.Main.Do (test.proto): `none`: t.v1.Request has no field `none`\n\
         `POST /v1/{nothing}` of t.v1.Main.Do (test.proto): `nothing`: t.v1.Request has no field `nothing`\n\
         `GET /v1/{tags}` of t.v1.Main.Do (test.proto): `tags` is a list or map, which a path variable cannot bind\n\
         `GET /v1/**/a` of t.v1.Main.Other (test.proto): `**` must be the last segment (offset 7)",
    );
}
