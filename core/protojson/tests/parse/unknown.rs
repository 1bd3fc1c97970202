//! Members without a field.

use crate::support::{PROTO3, check_ignoring, refuse, translate, v};
use tidegate_protojson::{ParseOptions, UnknownFields};

#[test]
fn they_are_refused_with_a_guess() {
    refuse(r#"{"texd":1}"#, "unknown field `texd` of t.M, did you mean `text`? (byte 1)");
    refuse(r#"{"twowords":1}"#, "unknown field `twowords` of t.M, did you mean `twoWords`? (byte 1)");
    refuse(r#"{"maybee":1}"#, "unknown field `maybee` of t.M, did you mean `maybe`? (byte 1)");
    refuse(r#"{"mayeb":1}"#, "unknown field `mayeb` of t.M, did you mean `maybe`? (byte 1)");
    refuse(r#"{"somethingElse":1}"#, "unknown field `somethingElse` of t.M (byte 1)");
    refuse(r#"{"":1}"#, "unknown field `` of t.M (byte 1)");
    refuse(r#"{"inners":[{},{"inner":{"x":1}}]}"#, "inners[1].inner: unknown field `x` of t.M (byte 24)");
    let long = "x".repeat(100_000);
    refuse(&format!("{{\"{long}\":1}}"), &format!("unknown field `{}…` of t.M (byte 1)", "x".repeat(64)));
}

#[test]
fn they_can_be_ignored() {
    for value in [
        "1",
        "-1.5e7",
        "\"a\"",
        "\"\\u00e9\\n\"",
        "true",
        "false",
        "null",
        "{}",
        "[]",
        "{\"a\":{\"b\":[1,{}]}}",
        "[[],[[]],{}]",
        "[ 1 , 2 ]",
        "{ \"a\" : 1 , \"b\" : 2 }",
        "1e999999",
    ] {
        check_ignoring(&PROTO3, "t.M", &format!("{{\"x\":{value},\"i32\":1}}"), &[v(1, 1)]);
        check_ignoring(&PROTO3, "t.M", &format!("{{\"i32\":1, \"x\" : {value} }}"), &[v(1, 1)]);
    }
}

#[test]
fn ignored_values_are_json_all_the_same() {
    let options = ParseOptions { unknown_fields: UnknownFields::Ignore, ..ParseOptions::default() };
    let refused = |value: &str, want: &str| {
        let json = format!("{{\"x\":{value}}}");
        assert_eq!(translate(&PROTO3, "t.M", json.as_bytes(), &options), Err(want.to_owned()), "{value}");
    };
    refused("01", "x: expected a number without leading zeros, found number 01 (byte 5)");
    refused("-", "x: expected a digit, found `}` (byte 6)");
    refused("nul", "x: expected a value, found nul (byte 5)");
    refused("\"\\x\"", "x: invalid escape sequence in a string (byte 6)");
    refused("\"\\ud800\"", "x: lone surrogate in a string (byte 6)");
    refused("[1,]", "x[1]: expected a value, found `]` (byte 8)");
    refused("[1 2]", "x: expected `,` or `]`, found number 2 (byte 8)");
    refused("{\"a\":1,}", "x: expected a member's name, found `}` (byte 12)");
    refused("{\"a\" 1}", "x: expected `:`, found number 1 (byte 10)");
    refused("{a:1}", "x: expected a member's name or `}`, found a (byte 6)");
    refused("{\"a\":{\"b\":x}}", "x.a.b: expected a value, found x (byte 15)");
    refused("[", "x[0]: expected a value, found `}` (byte 6)");
    refused("]", "x: expected a value, found `]` (byte 5)");
    refused("[1,{\"a\":[x]}]", "x[1].a[0]: expected a value, found x (byte 14)");
    let json = b"{\"x\":\"\xff\"}";
    assert_eq!(translate(&PROTO3, "t.M", json, &options), Err("x: invalid UTF-8 in a string (byte 6)".to_owned()));
}
