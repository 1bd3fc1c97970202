//! What callers can choose.

use crate::support::{check_with, len, print, raw, varint, wire};
use tidegate_protojson::PrintOptions;

fn options(set: impl FnOnce(&mut PrintOptions)) -> PrintOptions {
    let mut options = PrintOptions::default();
    set(&mut options);
    options
}

#[test]
fn names_as_in_the_proto_file() {
    let proto_names = options(|options| options.proto_names = true);
    check_with(&proto_names, "modern.Scalars", &wire![varint(3, 1), len(18, "x")], r#"{"an_int32":1,"renamed":"x"}"#);
    check_with(&proto_names, "old.Item", &wire![len(1, "n"), varint(100, 1)], r#"{"name":"n","[old.count]":1}"#);
    check_with(
        &proto_names,
        "modern.Wide",
        &varint(2000, 1),
        r#"{"a_name_that_is_longer_than_a_block_of_thirty_two_bytes":1}"#,
    );
}

#[test]
fn enums_as_numbers() {
    let numbers = options(|options| options.enum_numbers = true);
    check_with(&numbers, "modern.Lists", &len(5, wire![raw(1), raw(-3)]), r#"{"colors":[1,-3]}"#);
    check_with(&numbers, "modern.Known", &len(17, [0]), r#"{"nulls":[null]}"#);
}

#[test]
fn wide_integers_as_numbers() {
    let numbers = options(|options| options.int64_numbers = true);
    check_with(
        &numbers,
        "modern.Scalars",
        &wire![varint(4, -12), varint(6, -1), varint(8, 1)],
        r#"{"anInt64":-12,"aUint64":18446744073709551615,"aSint64":-1}"#,
    );
    check_with(&numbers, "modern.Known", &len(11, ""), r#"{"int64Value":0}"#);
}

#[test]
fn absent_fields_without_presence_are_written_behind_the_others_if_wanted() {
    let defaults = options(|options| options.emit_defaults = true);
    check_with(
        &defaults,
        "modern.Scalars",
        &wire![varint(5, 3), varint(3, 0)],
        r#"{"aUint32":3,"anInt32":0,"aDouble":0,"aFloat":0,"anInt64":"0","aUint64":"0","aSint32":0,"aSint64":"0","aFixed32":0,"aFixed64":"0","aSfixed32":0,"aSfixed64":"0","aBool":false,"aString":"","someBytes":"","color":"BLACK","new \"name\"":""}"#,
    );
    check_with(
        &defaults,
        "modern.Node",
        &len(2, len(1, "c")),
        r#"{"child":{"name":"c","children":[],"byName":{},"weight":0},"name":"","children":[],"byName":{},"weight":0}"#,
    );
    check_with(&defaults, "modern.Lists", &wire![len(1, ""), varint(2, 5), len(1, "")], &{
        let rest = r#""numbers":[],"names":[],"nodes":[],"colors":[],"doubles":[],"big":[],"blobs":[],"flags":[]"#;
        format!("{{\"loose\":[5],{rest}}}")
    });
    check_with(
        &defaults,
        "old.Item",
        &len(1, "n"),
        r#"{"name":"n","sizes":[],"packedSizes":[],"byName":{},"numbers":[]}"#,
    );
}

#[test]
fn defaults_are_the_same_in_the_second_pass() {
    let defaults = options(|options| options.emit_defaults = true);
    check_with(
        &defaults,
        "modern.Lists",
        &wire![varint(2, 5), len(1, ""), len(3, "x"), varint(2, 6)],
        r#"{"loose":[5,6],"names":["x"],"numbers":[],"nodes":[],"colors":[],"doubles":[],"big":[],"blobs":[],"flags":[]}"#,
    );
    check_with(&defaults, "modern.Choice", &wire![varint(6, 1), varint(6, 0)], r#"{"other":0}"#);
}

#[test]
fn members_of_oneofs_and_messages_have_no_default() {
    let defaults = options(|options| options.emit_defaults = true);
    check_with(&defaults, "modern.Choice", b"", r#"{"other":0}"#);
    check_with(&defaults, "modern.Known", b"", r#"{"null":null,"values":[],"int32Values":[],"nulls":[]}"#);
}

#[test]
fn pretty_is_two_spaces_a_level() {
    let pretty = options(|options| options.pretty = true);
    let node = wire![len(1, "a,:{\"\\"), len(2, ""), len(3, varint(5, 1)), len(3, ""), len(4, len(1, "k"))];
    check_with(
        &pretty,
        "modern.Node",
        &node,
        r#"{
  "name": "a,:{\"\\",
  "child": {},
  "children": [
    {
      "weight": 1
    },
    {}
  ],
  "byName": {
    "k": {}
  }
}"#,
    );
    check_with(&pretty, "modern.Node", b"", "{}");
    check_with(&pretty, "google.protobuf.Timestamp", b"", r#""1970-01-01T00:00:00Z""#);
}

#[test]
fn output_has_a_limit() {
    let wire = wire![len(1, "0123456789".repeat(50)), varint(5, 7)];
    let whole = print("modern.Node", &wire, &PrintOptions::default());
    for limit in [0, 1, 10, 64, 100, whole.len() - 1] {
        let limited = options(|options| options.max_output = limit);
        check_with(&limited, "modern.Node", &wire, &format!("error: the output is longer than {limit} bytes"));
    }
    let exact = options(|options| options.max_output = whole.len());
    check_with(&exact, "modern.Node", &wire, &whole);
}

#[test]
fn pretty_output_has_the_same_limit() {
    let wire = len(1, "x");
    let whole = "{\n  \"name\": \"x\"\n}";
    let limited = options(|options| (options.pretty, options.max_output) = (true, whole.len() - 1));
    check_with(&limited, "modern.Node", &wire, &format!("error: the output is longer than {} bytes", whole.len() - 1));
    let exact = options(|options| (options.pretty, options.max_output) = (true, whole.len()));
    check_with(&exact, "modern.Node", &wire, whole);
}

#[test]
fn defaults_cannot_blow_up_the_output_beyond_its_limit() {
    let limited = options(|options| (options.emit_defaults, options.max_output) = (true, 10_000));
    let wire: Vec<u8> = (0..1000).flat_map(|_| len(3, "")).collect();
    check_with(&limited, "modern.Node", &wire, "error: the output is longer than 10000 bytes");
}
