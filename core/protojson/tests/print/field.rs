//! One field of a message.

use crate::support::{len, message, schema, varint, wire};
use tidegate_protojson::{PrintOptions, field_to_json};

#[track_caller]
fn field_with(options: &PrintOptions, name: &str, field: &str, wire: &[u8], expected: &str) {
    let field = schema().find_field(message(name), field).expect("the message has the field");
    let mut out = b"kept".to_vec();
    let result = field_to_json(schema(), field, wire, options, &mut out);
    let text = String::from_utf8(out).expect("JSON is UTF-8");
    let text = text.strip_prefix("kept").expect("what was there stays").to_owned();
    assert_eq!(result.map(|()| text).map_err(|error| error.to_string()), Ok(expected.to_owned()));
}

#[track_caller]
fn field(name: &str, field: &str, wire: &[u8], expected: &str) {
    field_with(&PrintOptions::default(), name, field, wire, expected);
}

#[test]
fn only_the_value_is_written() {
    let node = wire![len(1, "n"), len(2, len(1, "c")), len(3, len(1, "x")), len(3, ""), varint(5, 3)];
    field("modern.Node", "name", &node, r#""n""#);
    field("modern.Node", "child", &node, r#"{"name":"c"}"#);
    field("modern.Node", "children", &node, r#"[{"name":"x"},{}]"#);
    field("modern.Node", "weight", &node, "3");
    field("modern.Maps", "labels", &len(1, wire![len(1, "k"), len(2, "v")]), r#"{"k":"v"}"#);
    field("modern.Lists", "numbers", &wire![varint(1, 1), len(1, [2, 3])], "[1,2,3]");
    field("old.Item", "[old.count]", &wire![varint(100, 3)], "3");
}

#[test]
fn what_is_not_set_is_its_default() {
    field("modern.Node", "name", b"", r#""""#);
    field("modern.Node", "child", b"", "null");
    field("modern.Node", "children", b"", "[]");
    field("modern.Node", "by_name", b"", "{}");
    field("modern.Node", "weight", b"", "0");
    field("modern.Scalars", "an_int64", b"", r#""0""#);
    field("modern.Scalars", "a_bool", b"", "false");
    field("modern.Scalars", "color", b"", r#""BLACK""#);
    field("modern.Scalars", "a_string", &wire![len(14, "")], r#""""#);
    field("modern.Known", "value", b"", "null");
    field("modern.Choice", "node", &wire![len(3, ""), varint(1, 1)], "null");
    field("old.Item", "size", &varint(2, 77), r#""SMALL""#);
    field("modern.Lists", "numbers", &len(1, ""), "[]");
}

#[test]
fn scattered_values_come_together() {
    let node =
        wire![len(2, len(1, "c")), len(3, len(1, "x")), varint(5, 3), len(2, varint(5, 1)), len(3, ""), varint(5, 4)];
    field("modern.Node", "child", &node, r#"{"name":"c","weight":1}"#);
    field("modern.Node", "children", &node, r#"[{"name":"x"},{}]"#);
    field("modern.Node", "weight", &node, "4");
    field("modern.Choice", "number", &wire![varint(1, 1), len(2, "x"), varint(1, 5)], "5");
    let label = |key: &str, value: &str| len(1, wire![len(1, key), len(2, value)]);
    field(
        "modern.Maps",
        "labels",
        &wire![label("a", "1"), len(2, ""), label("a", "2"), label("b", "3")],
        r#"{"a":"2","b":"3"}"#,
    );
}

#[test]
fn options_hold_for_the_value() {
    let pretty = PrintOptions { pretty: true, proto_names: true, ..PrintOptions::default() };
    field_with(
        &pretty,
        "modern.Node",
        "child",
        &len(2, len(4, len(1, "k"))),
        "{\n  \"by_name\": {\n    \"k\": {}\n  }\n}",
    );
}

#[test]
fn an_error_names_the_field() {
    let field = schema().find_field(message("modern.Node"), "children").expect("the message has the field");
    let wire = wire![len(3, ""), len(3, len(2, len(1, b"\xff")))];
    let error =
        field_to_json(schema(), field, &wire, &PrintOptions::default(), &mut Vec::new()).expect_err("it is not UTF-8");
    assert_eq!(error.to_string(), "children[1].child.name: a string is not UTF-8");
}
