//! `google.protobuf.Any`.

use crate::support::{PROTO3, check, check_ignoring, d, m, refuse, s, v};

/// An `Any` of a message of this test.
fn any(number: u64, name: &str, fields: &[Vec<u8>]) -> Vec<u8> {
    let url = s(1, format!("type.googleapis.com/{name}"));
    m(number, &if fields.concat().is_empty() { vec![url] } else { vec![url, m(2, fields)] })
}

#[test]
fn the_type_may_stand_anywhere() {
    let want = [any(57, "t.M", &[v(1, 1), s(14, "x")])];
    check(r#"{"any":{"@type":"type.googleapis.com/t.M","i32":1,"text":"x"}}"#, &want);
    check(r#"{"any":{"i32":1,"@type":"type.googleapis.com/t.M","text":"x"}}"#, &want);
    check(r#"{"any":{"i32":1,"text":"x","@type":"type.googleapis.com/t.M"}}"#, &want);
    check(r#"{ "any" : { "i32" : 1 , "text" : "x" , "@type" : "type.googleapis.com/t.M" } }"#, &want);
    check(r#"{"any":{"i32":1,"text":"x","\u0040type":"type.googleapis.com\/t.M"}}"#, &want);
    check(r#"{"any":{"\u0040type":"type.googleapis.com\/t.M","i32":1,"text":"x"}}"#, &want);
}

#[test]
fn anys_nest_with_their_types_anywhere() {
    let inner = any(57, "t.M", &[v(1, 1)]);
    let want = [any(57, "t.M", &[inner, v(1, 2)])];
    for inner in [r#"{"@type":"type.googleapis.com/t.M","i32":1}"#, r#"{"i32":1,"@type":"type.googleapis.com/t.M"}"#] {
        check(&format!(r#"{{"any":{{"any":{inner},"i32":2,"@type":"type.googleapis.com/t.M"}}}}"#), &want);
        check(&format!(r#"{{"any":{{"@type":"type.googleapis.com/t.M","any":{inner},"i32":2}}}}"#), &want);
    }
    let direct = s(57, [s(1, "x/google.protobuf.Any"), m(2, &[s(1, "y/t.M"), m(2, &[v(1, 1)])])].concat());
    check(
        r#"{"any":{"@type":"x/google.protobuf.Any","value":{"@type":"y/t.M","i32":1}}}"#,
        std::slice::from_ref(&direct),
    );
    check(r#"{"any":{"value":{"i32":1,"@type":"y/t.M"},"@type":"x/google.protobuf.Any"}}"#, &[direct]);
    check(
        r#"{"anys":[{"i32":1,"@type":"type.googleapis.com/t.M"},{},{"i32":2,"@type":"type.googleapis.com/t.M"}]}"#,
        &[any(63, "t.M", &[v(1, 1)]), s(63, ""), any(63, "t.M", &[v(1, 2)])],
    );
}

#[test]
fn deep_nesting_with_late_types_is_read_at_most_twice() {
    // Were each level to look for its type anew, this would be cubic in the depth.
    let mut json = String::from(r#"{"i32":1,"@type":"x/t.M"}"#);
    let mut want = [s(1, "x/t.M"), m(2, &[v(1, 1)])].concat();
    for _ in 0..98 {
        json = format!(r#"{{"any":{json},"@type":"x/t.M"}}"#);
        want = [s(1, "x/t.M"), m(2, &[s(57, want)])].concat();
    }
    check(&format!(r#"{{"any":{json}}}"#), &[s(57, want)]);
}

#[test]
fn well_known_types_have_their_form_as_value() {
    let check_any = |name: &str, json: &str, fields: &[Vec<u8>]| {
        let want = [any(57, name, fields)];
        check(&format!(r#"{{"any":{{"@type":"type.googleapis.com/{name}","value":{json}}}}}"#), &want);
        check(&format!(r#"{{"any":{{"value":{json},"@type":"type.googleapis.com/{name}"}}}}"#), &want);
    };
    check_any("google.protobuf.Int32Value", "12345", &[v(1, 12345)]);
    check_any("google.protobuf.Int32Value", "0", &[]);
    check_any("google.protobuf.Duration", "\"1.5s\"", &[v(1, 1), v(2, 500_000_000)]);
    check_any("google.protobuf.Timestamp", "\"1970-01-01T00:00:00Z\"", &[]);
    check_any("google.protobuf.FieldMask", "\"foo,barBaz\"", &[s(1, "foo"), s(1, "bar_baz")]);
    check_any("google.protobuf.Struct", "{\"foo\":1}", &[m(1, &[s(1, "foo"), m(2, &[d(2, 1.0)])])]);
    check_any("google.protobuf.Value", "null", &[v(1, 0)]);
    check_any("google.protobuf.Value", "{\"@type\":\"x\"}", &[m(5, &[m(1, &[s(1, "@type"), m(2, &[s(3, "x")])])])]);
    check_any("google.protobuf.ListValue", "[1]", &[m(1, &[d(2, 1.0)])]);
    check_any("google.protobuf.Empty", "{}", &[]);
    check(r#"{"any":{"@type":"x/google.protobuf.Empty"}}"#, &[m(57, &[s(1, "x/google.protobuf.Empty")])]);
}

#[test]
fn an_empty_any() {
    check(r#"{"any":{}}"#, &[s(57, "")]);
    check(r#"{"any":{ }}"#, &[s(57, "")]);
    check(r#"{"any":null}"#, &[]);
}

#[test]
fn what_is_wrong_with_an_any() {
    refuse(r#"{"any":1}"#, "any: expected object (google.protobuf.Any), found number 1 (byte 7)");
    refuse(r#"{"any":{"i32":1}}"#, "any: an Any needs \"@type\" (byte 7)");
    refuse(r#"{"any":{"@type":1}}"#, "any: expected string (a type URL), found number 1 (byte 16)");
    refuse(r#"{"any":{"@type":null}}"#, "any: expected string (a type URL), found null (byte 16)");
    for url in ["", "t.M", "not_a_url", "x/"] {
        refuse(&format!(r#"{{"any":{{"@type":"{url}"}}}}"#), &format!("any: \"{url}\" is no type URL (byte 16)"));
    }
    refuse(r#"{"any":{"@type":"x/t.Missing"}}"#, "any: type \"x/t.Missing\" is not in the schema (byte 16)");
    refuse(r#"{"any":{"@type":"x/t.M","i32":"x"}}"#, "any.i32: expected int32, found string \"x\" (byte 30)");
    refuse(r#"{"any":{"i32":"x","@type":"x/t.M"}}"#, "any.i32: expected int32, found string \"x\" (byte 14)");
    refuse(r#"{"any":{"@type":"x/t.M","other":1}}"#, "any: unknown field `other` of t.M (byte 24)");
}

#[test]
fn one_type_and_one_value() {
    refuse(r#"{"any":{"@type":"x/t.M","@type":"x/t.M"}}"#, "any: field `@type` is given twice (byte 24)");
    refuse(r#"{"any":{"i32":1,"@type":"x/t.M","\u0040type":"x/t.M"}}"#, "any: field `@type` is given twice (byte 32)");
    refuse(r#"{"any":{"@type":"x/t.M","i32":1,"i32":1}}"#, "any: field `i32` is given twice (byte 32)");
    let w = r#""@type":"x/google.protobuf.Int32Value""#;
    refuse(&format!(r#"{{"any":{{{w},{w},"value":1}}}}"#), "any: field `@type` is given twice (byte 47)");
    refuse(&format!(r#"{{"any":{{{w},"value":1,"value":1}}}}"#), "any: field `value` is given twice (byte 57)");
    refuse(&format!(r#"{{"any":{{{w}}}}}"#), "any: an Any of google.protobuf.Int32Value needs \"value\" (byte 7)");
    refuse(&format!(r#"{{"any":{{{w},"value":null}}}}"#), "any.value: expected int32, found null (byte 55)");
    refuse(
        &format!(r#"{{"any":{{{w},"value":1,"x":1}}}}"#),
        "any: unknown field `x` of google.protobuf.Int32Value (byte 57)",
    );
    check_ignoring(
        &PROTO3,
        "t.M",
        &format!(r#"{{"any":{{{w},"value":1,"x":[{{}}]}}}}"#),
        &[m(57, &[s(1, "x/google.protobuf.Int32Value"), m(2, &[v(1, 1)])])],
    );
}

#[test]
fn type_is_no_field_elsewhere() {
    refuse(r#"{"@type":"x/t.M"}"#, "unknown field `@type` of t.M (byte 1)");
    refuse(
        r#"{"any":{"@type":"x/t.M","inner":{"@type":"x/t.M"}}}"#,
        "any.inner: unknown field `@type` of t.M (byte 33)",
    );
}
