//! `google.protobuf.Any`.

use crate::support::{check, check_with, double, len, varint, wire};
use tidegate_protojson::PrintOptions;

#[track_caller]
fn any(content: &[u8], expected: &str) {
    let expected = match expected.strip_prefix("error: ") {
        Some(text) => format!("error: any{text}"),
        None => format!("{{\"any\":{expected}}}"),
    };
    check("modern.Known", &len(1, content), &expected);
}

fn packed(name: &str, value: &[u8]) -> Vec<u8> {
    wire![len(1, format!("type.googleapis.com/{name}")), len(2, value)]
}

#[test]
fn an_empty_any_is_an_empty_object() {
    any(b"", "{}");
}

#[test]
fn fields_stand_beside_the_type() {
    any(
        &packed("modern.Node", &wire![len(1, "n"), varint(5, 3)]),
        r#"{"@type":"type.googleapis.com/modern.Node","name":"n","weight":3}"#,
    );
    any(&packed("modern.Node", b""), r#"{"@type":"type.googleapis.com/modern.Node"}"#);
    any(&packed("google.protobuf.Empty", b""), r#"{"@type":"type.googleapis.com/google.protobuf.Empty"}"#);
}

#[test]
fn the_type_is_what_stands_behind_the_last_slash() {
    any(&wire![len(1, "a/b/modern.Node"), len(2, len(1, "n"))], r#"{"@type":"a/b/modern.Node","name":"n"}"#);
    any(&len(1, "/modern.Node"), r#"{"@type":"/modern.Node"}"#);
}

#[test]
fn types_with_a_form_of_their_own_stand_under_value() {
    for (name, value, text) in [
        ("Duration", varint(1, 2), "\"2s\""),
        ("Timestamp", varint(1, 2), "\"1970-01-01T00:00:02Z\""),
        ("FieldMask", len(1, "a_b"), "\"aB\""),
        ("Int32Value", varint(1, 12), "12"),
        ("Value", double(2, 1.0), "1"),
        ("Struct", Vec::new(), "{}"),
        ("ListValue", Vec::new(), "[]"),
        ("Any", Vec::new(), "{}"),
        ("Any", packed("modern.Node", &len(1, "n")), r#"{"@type":"type.googleapis.com/modern.Node","name":"n"}"#),
    ] {
        let name = format!("google.protobuf.{name}");
        any(&packed(&name, &value), &format!("{{\"@type\":\"type.googleapis.com/{name}\",\"value\":{text}}}"));
    }
}

#[test]
fn type_and_value_come_in_any_order_and_of_each_the_last_counts() {
    any(
        &wire![len(2, len(1, "x")), varint(9, 9), len(1, "x/other"), len(1, "x/modern.Node"), len(2, varint(5, 1))],
        r#"{"@type":"x/modern.Node","weight":1}"#,
    );
}

#[test]
fn disorder_within_the_value_is_put_right() {
    any(
        &packed("modern.Node", &wire![varint(5, 1), len(1, "n"), varint(5, 2)]),
        r#"{"@type":"type.googleapis.com/modern.Node","name":"n","weight":2}"#,
    );
}

#[test]
fn a_type_that_the_schema_lacks_is_an_error() {
    any(&packed("no.Such", b""), r#"error: : type "type.googleapis.com/no.Such" is not in the schema"#);
    any(&len(1, "modern.Node"), r#"error: : type "modern.Node" is not in the schema"#);
    any(&len(2, "x"), r#"error: : type "" is not in the schema"#);
}

#[test]
fn a_type_that_the_schema_lacks_may_stay_opaque() {
    let options = PrintOptions { opaque_any: true, ..PrintOptions::default() };
    check_with(
        &options,
        "modern.Known",
        &len(1, packed("no.Such", b"foo")),
        r#"{"any":{"@type":"type.googleapis.com/no.Such","value":"Zm9v"}}"#,
    );
    // In the second pass as well.
    check_with(
        &options,
        "modern.Known",
        &wire![len(1, packed("no.Such", b"foo")), varint(9, 1), varint(9, 0)],
        r#"{"any":{"@type":"type.googleapis.com/no.Such","value":"Zm9v"}}"#,
    );
}

#[test]
fn errors_within_name_their_path() {
    any(&packed("modern.Lists", &len(3, b"\xff")), "error: .names[0]: a string is not UTF-8");
    any(
        &packed("google.protobuf.Timestamp", &varint(1, i64::MAX)),
        "error: .value: no timestamp: 9223372036854775807 s, 0 ns",
    );
    any(&packed("modern.Node", &[0x0a]), "error: : the message is truncated");
}

#[test]
fn defaults_are_written_within() {
    let options = PrintOptions { emit_defaults: true, proto_names: true, ..PrintOptions::default() };
    check_with(
        &options,
        "google.protobuf.Any",
        &packed("modern.Choice", b""),
        r#"{"@type":"type.googleapis.com/modern.Choice","other":0}"#,
    );
}
