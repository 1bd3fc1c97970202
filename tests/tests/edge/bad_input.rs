//! Each bad input is a 4xx that names the place: the path in the message, and the byte.

use crate::client::{Answer, Ask, h1, h2};
use crate::stage::STAGE;

/// Asks over both protocols; both must answer the same.
#[track_caller]
fn check(line: &str, body: &[u8], want: &Answer) {
    let headers = [("content-type", "application/json")];
    let ask = Ask { line, headers: &headers, body };
    assert_eq!(&h1(STAGE.address, &ask), want, "h1 {line}");
    assert_eq!(&h2(STAGE.address, &ask), want, "h2 {line}");
}

/// 400: `place` says where and `what` is wrong there; `field` is the path in the request message.
fn refused(place: &str, field: &str, what: &str) -> Answer {
    let named = if field.is_empty() { String::new() } else { format!(r#""field":"{field}","#) };
    Answer::json(
        400,
        &format!(
            r#"{{"code":3,"message":"{place}: {what}","details":[{{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{{{named}"description":"{what}"}}]}}]}}"#
        ),
    )
}

const CREATE: &str = "POST /v1/customers";
const ORDER: &str = "POST /v1/tenants/acme/orders";
const STOCK: &str = "PUT /v1/inventory/mugs/tide";

#[test]
fn truncated_json() {
    check(CREATE, br#"{"id":"x""#, &refused("body", "", "expected `,` or `}`, found end of input (byte 9)"));
    let what = "items[0]: expected `,` or `}`, found end of input (byte 22)";
    check(ORDER, br#"{"items":[{"sku":"a/b""#, &refused("body", "order.items[0]", what));
}

#[test]
fn json_that_is_nested_a_hundred_thousand_deep() {
    let lists = "[".repeat(100_000);
    let what = "expected object (shop.v1.CreateCustomerRequest), found array (byte 0)";
    check(CREATE, lists.as_bytes(), &refused("body", "", what));
    let inside = format!(r#"{{"attributes":{{"a":{lists}"#);
    // As it stands in JSON.
    let path = format!(r#"attributes[\"a\"]{}"#, "[0]".repeat(98));
    let what = format!("{path}: nested deeper than 100 levels (byte {})", r#"{"attributes":{"a":"#.len() + 98);
    check(STOCK, inside.as_bytes(), &refused("body", &format!("stock.{path}"), &what));
}

#[test]
fn duplicate_keys_in_either_spelling() {
    check(CREATE, br#"{"id":"x","id":"y"}"#, &refused("body", "", "field `id` is given twice (byte 10)"));
    let body = br#"{"displayName":"x","display_name":"y"}"#;
    check(CREATE, body, &refused("body", "", "field `display_name` is given twice (byte 19)"));
    let body = br#"{"labels":{"a":"1","a":"2"}}"#;
    check(CREATE, body, &refused("body", "labels", r#"labels: key \"a\" is given twice (byte 19)"#));
}

#[test]
fn wrong_types() {
    let what = "displayName: expected string, found number 7 (byte 15)";
    check(CREATE, br#"{"displayName":7}"#, &refused("body", "displayName", what));
    let what = r#"items[1].quantity: expected int32, found string \"two\" (byte 46)"#;
    let body = br#"{"items":[{"quantity":1},{"sku":"","quantity":"two"}]}"#;
    check(ORDER, body, &refused("body", "order.items[1].quantity", what));
    let what = "field `nope` of shop.v1.CreateCustomerRequest";
    check(CREATE, br#"{"nope":1}"#, &refused("body", "", &format!("unknown {what} (byte 1)")));
}

#[test]
fn percent_signs_that_stand_for_nothing() {
    let want = Answer::json(400, r#"{"code":3,"message":"path: `%` without two hexadecimal digits (byte 14)"}"#);
    check("GET /v1/customers/%zz", b"", &want);
    let what = "`%` without two hexadecimal digits (byte 11 of the query)";
    let line = "GET /v1/tenants/acme/orders?pageSize=1&pageToken=%f";
    check(line, b"", &refused("query parameter `pageToken`", "pageToken", what));
}

#[test]
fn numbers_that_do_not_fit() {
    let what = r#"\"9223372036854775808\" is out of range of int64 (byte 11 of the path)"#;
    check("GET /v1/orders/9223372036854775808", b"", &refused("path variable `id`", "id", what));
    let what = r#"\"2147483648\" is out of range of int32 (byte 0 of the query)"#;
    let line = "GET /v1/tenants/acme/orders?pageSize=2147483648";
    check(line, b"", &refused("query parameter `pageSize`", "pageSize", what));
}

#[test]
fn bytes_that_are_not_utf8() {
    let what = "the percent-decoded bytes are not UTF-8 (byte 14 of the path)";
    check("GET /v1/customers/a%ff", b"", &refused("path variable `id`", "id", what));
    let what = "the percent-decoded bytes are not UTF-8 (byte 0 of the query)";
    let line = "GET /v1/tenants/acme/orders?pageToken=%c3%28";
    check(line, b"", &refused("query parameter `pageToken`", "pageToken", what));
    let what = "email: invalid UTF-8 in a string (byte 11)";
    check(CREATE, b"{\"email\":\"a\xff\"}", &refused("body", "email", what));
    let what = "email: lone surrogate in a string (byte 10)";
    check(CREATE, br#"{"email":"\ud800"}"#, &refused("body", "email", what));
}

#[test]
fn paths_and_methods_that_there_are_not() {
    check(
        "GET /v1/nothing/here",
        b"",
        &Answer::json(404, r#"{"code":5,"message":"nothing is served at /v1/nothing/here"}"#),
    );
    let body = r#"{"code":12,"message":"/s/docs has no method DELETE; it has GET, HEAD, OPTIONS"}"#;
    let mut want = Answer::json(405, body);
    want.headers.insert(0, "allow: GET, HEAD, OPTIONS".into());
    check("DELETE /s/docs", b"", &want);
}

#[test]
fn what_is_good_is_answered() {
    let url = "https://example.com/docs/getting-started";
    let mut want = Answer::json(200, &format!(r#"{{"url":"{url}"}}"#));
    want.headers.push(format!("location: {url}"));
    check("GET /s/docs", b"", &want);
}
