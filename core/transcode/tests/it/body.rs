//! HTTP bodies.

use crate::harness::{SCHEMA, check, check_with, request, router};
use tidegate_protojson::{ParseOptions, UnknownFields};
use tidegate_transcode::{Strictness, TranscodeOptions};

const WHOLE: &str = "post: /a body: *";

#[test]
fn a_star_is_the_whole_request() {
    check(WHOLE, r#"POST /a {"name":"x","page_size":3}"#, r#"Do {"name":"x","pageSize":3}"#);
    check("post: /a/{id} body: *", r#"POST /a/7 {"name":"x"}"#, r#"Do {"name":"x","id":"7"}"#);
    check("get: /a body: *", r#"GET /a {"name":"x"}"#, r#"Do {"name":"x"}"#);
}

#[test]
fn a_field_takes_the_body_and_leaves_the_rest_to_the_query() {
    check(
        "post: /a/{id} body: nested",
        r#"POST /a/7?name=x&page_size=1 {"text":"y"}"#,
        r#"Do {"name":"x","id":"7","pageSize":1,"nested":{"text":"y"}}"#,
    );
}

#[test]
fn lists_maps_and_scalars_can_be_bodies() {
    check("post: /a body: tags", r#"POST /a ["x","y"]"#, r#"Do {"tags":["x","y"]}"#);
    check("post: /a body: items", r#"POST /a [{"text":"x"},{}]"#, r#"Do {"items":[{"text":"x"},{}]}"#);
    check("post: /a body: labels", r#"POST /a {"a":"b"}"#, r#"Do {"labels":{"a":"b"}}"#);
    check("post: /a body: name", r#"POST /a "x""#, r#"Do {"name":"x"}"#);
    check("post: /a body: pageSize", "POST /a 5", r#"Do {"pageSize":5}"#);
    check("post: /a body: at", r#"POST /a "2026-01-02T03:04:05Z""#, r#"Do {"at":"2026-01-02T03:04:05Z"}"#);
    check("post: /a body: nested", "POST /a null", "Do {}");
}

#[test]
fn nothing_is_an_empty_message() {
    check(WHOLE, "POST /a", "Do {}");
    check(WHOLE, "POST /a  \r\n\t", "Do {}");
    check("post: /a body: nested", "POST /a", r#"Do {"nested":{}}"#);
    check("post: /a body: labels", "POST /a", "Do {}");
    check("post: /a body: tags", "POST /a", "Do {}");
    check("post: /a body: name", "POST /a", "Do {}");
    check("Old post: /a/{id} body: part", "POST /a/7", r#"Old {"id":"7","part":{}}"#);
    // Nothing has no content type to be wrong.
    check(WHOLE, "POST /a [type application/x-www-form-urlencoded]", "Do {}");
}

#[test]
fn without_a_body_in_the_rule_there_is_none() {
    check("get: /a", "GET /a {}", "400 body: this method takes no body");
    check("delete: /a", "DELETE /a x", "400 body: this method takes no body");
    check("get: /a", "GET /a [type application/json]", "Do {}");
    let options = TranscodeOptions { unexpected_body: Strictness::Ignore, ..TranscodeOptions::default() };
    check_with(&options, "get: /a", "GET /a?name=x {not json", r#"Do {"name":"x"}"#);
}

#[test]
fn json_is_told_by_its_content_type() {
    let accepted = |kind: &str| check(WHOLE, &format!(r#"POST /a [type {kind}]{{"id":"1"}}"#), r#"Do {"id":"1"}"#);
    accepted("application/json");
    accepted("Application/JSON");
    accepted("application/json; charset=utf-8");
    accepted("application/json;charset=\"UTF-8\"");
    accepted("application/json ; odata=verbose");
    accepted("application/vnd.api+json");
    accepted("application/merge-patch+json; charset=utf-8");
    accepted("");
    let refused = |kind: &str| {
        let want = format!("415 content type `{kind}` is not JSON in UTF-8: send application/json");
        check(WHOLE, &format!(r#"POST /a [type {kind}]{{"id":"1"}}"#), &want);
    };
    refused("text/plain");
    refused("text/json");
    refused("application/x-www-form-urlencoded");
    refused("application/json; charset=latin1");
    refused("application/jsonp");
    refused("application");
    refused("application/+jso");
    refused("application/grpc");
}

#[test]
fn bad_json_is_refused_with_its_path_and_byte() {
    check(
        WHOLE,
        r#"POST /a {"items":[{},{"number":"x"}]}"#,
        r#"400 body: items[1].number: expected int32, found string "x" (byte 23)"#,
    );
    check(
        "post: /a body: nested",
        r#"POST /a {"deeper":{"number":true}}"#,
        r#"400 body: deeper.number: expected int32, found true (byte 20)"#,
    );
    check(WHOLE, r#"POST /a {"id":"1"} x"#, "400 body: expected the end of the document, found x (byte 11)");
    check(WHOLE, r#"POST /a {"id":"1","id":"2"}"#, "400 body: field `id` is given twice (byte 10)");
    check(WHOLE, r#"POST /a {"zzz":1}"#, "400 body: unknown field `zzz` of t.v1.Request (byte 1)");
    check(WHOLE, r#"POST /a {"id":"#, "400 body: id: expected a value, found end of input (byte 6)");
}

#[test]
fn a_violation_names_the_field_of_the_request() {
    let violation = |rule: &str, text: &str| {
        let request = request(text);
        let router = router(rule);
        let found = router.find(&request.method, request.path).expect("the rule matches");
        let options = TranscodeOptions::default();
        let result =
            found.write_request(&SCHEMA, request.query, request.content_type, request.body, &options, &mut Vec::new());
        let refusal = result.expect_err("the request is bad");
        let mut json = Vec::new();
        refusal.status.to_json(&SCHEMA, &mut json);
        let json: serde_json::Value = serde_json::from_slice(&json).expect("a status is JSON");
        assert_eq!(json["code"], 3);
        assert_eq!(json["details"][0]["@type"], "type.googleapis.com/google.rpc.BadRequest");
        json["details"][0]["fieldViolations"][0]["field"].as_str().map(String::from)
    };
    assert_eq!(violation(WHOLE, r#"POST /a {"items":[{"number":"x"}]}"#).as_deref(), Some("items[0].number"));
    assert_eq!(violation("post: /a body: items", r#"POST /a [{"number":"x"}]"#).as_deref(), Some("items[0].number"));
    assert_eq!(violation("post: /a body: nested", r#"POST /a {"number":"x"}"#).as_deref(), Some("nested.number"));
    assert_eq!(violation("get: /a/{page_size}", "GET /a/x").as_deref(), Some("page_size"));
    assert_eq!(violation("get: /a", "GET /a?nested.number=x").as_deref(), Some("nested.number"));
}

#[test]
fn what_the_parser_is_told_holds() {
    let options = TranscodeOptions {
        parse: ParseOptions { unknown_fields: UnknownFields::Ignore, ..ParseOptions::default() },
        ..TranscodeOptions::default()
    };
    check_with(&options, WHOLE, r#"POST /a {"nothing":1,"id":"1"}"#, r#"Do {"id":"1"}"#);
    let options = TranscodeOptions {
        parse: ParseOptions { max_output: 10, ..ParseOptions::default() },
        ..TranscodeOptions::default()
    };
    check_with(&options, WHOLE, r#"POST /a {"id":"12345678"}"#, r#"Do {"id":"12345678"}"#);
    check_with(
        &options,
        WHOLE,
        r#"POST /a {"id":"123456789"}"#,
        "413 body: the message is larger than 10 bytes (byte 18)",
    );
}

#[test]
fn a_body_may_repeat_what_the_path_says() {
    let rule = "patch: /a/{id} body: *";
    check(rule, r#"PATCH /a/7 {"id":"7","name":"x"}"#, r#"Do {"name":"x","id":"7"}"#);
    check(rule, r#"PATCH /a/7 {"id":"","name":"x"}"#, r#"Do {"name":"x","id":"7"}"#);
    check(rule, r#"PATCH /a/7 {"id":"8"}"#, "400 path variable `id`: the body has another value for it");
    let rule = "patch: /a/{nested.text} body: nested";
    check(rule, r#"PATCH /a/7 {"text":"7","number":1}"#, r#"Do {"nested":{"text":"7","number":1}}"#);
    check(rule, r#"PATCH /a/7 {"number":1}"#, r#"Do {"nested":{"text":"7","number":1}}"#);
    check(rule, r#"PATCH /a/7 {"text":"8"}"#, "400 path variable `nested.text`: the body has another value for it");
    let rule = "patch: /a/{nested.deeper.number} body: *";
    check(rule, r#"PATCH /a/7 {"nested":{"deeper":{"number":7}}}"#, r#"Do {"nested":{"deeper":{"number":7}}}"#);
    check(
        rule,
        r#"PATCH /a/7 {"nested":{"deeper":{"number":8}}}"#,
        "400 path variable `nested.deeper.number`: the body has another value for it",
    );
    let rule = "Old patch: /a/{part.inner.number} body: *";
    check(
        rule,
        r#"PATCH /a/7 {"id":"x","part":{"inner":{"number":7}}}"#,
        r#"Old {"id":"x","part":{"inner":{"number":7}}}"#,
    );
    check(
        rule,
        r#"PATCH /a/7 {"id":"x","part":{"inner":{"number":8}}}"#,
        "400 path variable `part.inner.number`: the body has another value for it",
    );
}

#[test]
fn messages_of_the_path_are_compared_as_messages() {
    let rule = "patch: /a/{mask} body: *";
    check(rule, r#"PATCH /a/id,name {"mask":"id,name"}"#, r#"Do {"mask":"id,name"}"#);
    check(rule, r#"PATCH /a/id {"mask":"id,name"}"#, "400 path variable `mask`: the body has another value for it");
    let rule = "patch: /a/{count} body: *";
    check(rule, r#"PATCH /a/0 {"count":0}"#, r#"Do {"count":"0"}"#);
    check(rule, r#"PATCH /a/1 {"count":0}"#, "400 path variable `count`: the body has another value for it");
}

#[test]
fn path_and_body_cannot_set_two_members_of_one_oneof() {
    check(
        "post: /a/{left} body: *",
        r#"POST /a/7 {"right":8}"#,
        "400 path variable `left`: the body has `right` of the same oneof",
    );
    check(
        "post: /a/{left} body: both",
        "POST /a/7 {}",
        "400 path variable `left`: the body has `both` of the same oneof",
    );
    check(
        "post: /a/{nested.this} body: nested",
        r#"POST /a/7 {"that":"8"}"#,
        "400 path variable `nested.this`: the body has `that` of the same oneof",
    );
    check("post: /a/{left} body: *", r#"POST /a/7 {"left":"7"}"#, r#"Do {"left":"7"}"#);
}

#[test]
fn required_fields_may_come_from_anywhere() {
    check("Old post: /a/{id} body: *", r#"POST /a/7 {"size":1}"#, r#"Old {"id":"7","size":1}"#);
    check("Old post: /a body: part", r#"POST /a?id=7 {"text":"x"}"#, r#"Old {"id":"7","part":{"text":"x"}}"#);
    check(
        "Old post: /a body: *",
        r#"POST /a {"size":1}"#,
        "400 request: required field `id` of old.Request is not set",
    );
}

#[test]
fn http_bodies_are_passed_on_as_they_are() {
    check(
        "Raw post: /a body: *",
        "POST /a [type image/png]\u{1}\u{2}",
        r#"Raw {"contentType":"image/png","data":"AQI="}"#,
    );
    check("Raw post: /a body: *", "POST /a", "Raw {}");
    check("Raw post: /a body: *", "POST /a   ", r#"Raw {"data":"ICA="}"#);
    check(
        "Upload put: /a/{name} body: file",
        "PUT /a/x?note=y [type text/plain]{not json",
        r#"Upload {"name":"x","file":{"contentType":"text/plain","data":"e25vdCBqc29u"},"note":"y"}"#,
    );
    check("Upload put: /a body: file", "PUT /a", r#"Upload {"file":{}}"#);
    // In a whole body it is JSON like any message.
    check("Upload put: /a body: *", r#"PUT /a {"file":{"data":"AQI="}}"#, r#"Upload {"file":{"data":"AQI="}}"#);
}
