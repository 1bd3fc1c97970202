//! One field of a message.

use crate::support::{fixed32, fixed64, len, message, schema, varint, wire};
use tidegate_protojson::{FieldPath, FieldPathError};

fn path(name: &str, path: &str) -> Result<FieldPath, FieldPathError> {
    FieldPath::new(schema(), message(name), path)
}

#[track_caller]
fn check(name: &str, of: &str, wire: &[u8], expected: Option<&str>) {
    let path = path(name, of).expect("a path");
    assert_eq!(path.read(schema(), wire).expect("a message").as_deref(), expected, "{of}");
}

#[test]
fn every_kind_of_value_is_read() {
    let bytes = wire![
        varint(3, -1),
        varint(4, i64::MIN),
        varint(5, 0xffff_ffff),
        varint(6, -1),
        varint(7, 1),
        varint(8, 2),
        fixed32(9, 7),
        fixed64(10, u64::MAX),
        fixed32(11, u32::MAX),
        fixed64(12, u64::MAX),
        varint(13, 1),
        len(14, "text"),
        varint(16, 1),
        len(18, "other"),
    ];
    for (of, expected) in [
        ("an_int32", "-1"),
        ("anInt64", "-9223372036854775808"),
        ("a_uint32", "4294967295"),
        ("a_uint64", "18446744073709551615"),
        ("a_sint32", "-1"),
        ("a_sint64", "1"),
        ("a_fixed32", "7"),
        ("a_fixed64", "18446744073709551615"),
        ("a_sfixed32", "-1"),
        ("a_sfixed64", "-1"),
        ("a_bool", "true"),
        ("a_string", "text"),
        ("color", "RED"),
        ("renamed", "other"),
    ] {
        check("modern.Scalars", of, &bytes, Some(expected));
    }
    check("modern.Scalars", "color", &varint(16, 77), Some("77"));
    check("modern.Scalars", "an_int32", &varint(3, (1 << 33) - 1), Some("-1"));
}

#[test]
fn what_is_not_there_has_its_default_unless_that_is_something_else() {
    for (of, expected) in [
        ("a_string", Some("")),
        ("an_int32", Some("0")),
        ("a_bool", Some("false")),
        ("color", Some("BLACK")),
        ("maybe", None),
    ] {
        check("modern.Scalars", of, &[], expected);
    }
    check("modern.Choice", "text", &[], None);
    check("modern.Node", "child.child.name", &len(2, wire![len(1, "one")]), Some(""));
}

#[test]
fn a_path_leads_through_messages_and_the_last_value_counts() {
    let child = |name: &str| len(2, wire![len(2, wire![len(1, name)])]);
    let bytes = wire![len(1, "root"), child("first"), len(3, wire![len(1, "another")]), child("last"), varint(5, 7)];
    check("modern.Node", "child.child.name", &bytes, Some("last"));
    check("modern.Node", "name", &bytes, Some("root"));
    check("modern.Node", "weight", &wire![len(5, "not a number"), varint(5, 7), varint(999, 1)], Some("7"));
}

#[test]
fn bytes_that_are_no_message_are_told() {
    let path = path("modern.Node", "child.name").expect("a path");
    for bytes in [&[0x12, 0x05, 0x0a][..], &[0x12, 0x02, 0x0a, 0x07], &[0x00], &[0x0b]] {
        assert!(path.read(schema(), bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn paths_that_lead_to_no_one_value_are_refused() {
    let cases = [
        ("modern.Node", "chlid.name", "message `modern.Node` has no field `chlid`"),
        ("modern.Node", "", "message `modern.Node` has no field ``"),
        ("modern.Node", "child.", "message `modern.Node` has no field ``"),
        ("modern.Node", "name.length", "`name` of `modern.Node` is no message: the path cannot go on behind it"),
        ("modern.Node", "children.name", "`children` of `modern.Node` is no message: the path cannot go on behind it"),
        ("modern.Node", "by_name", "`by_name` of `modern.Node` is a map"),
        ("modern.Node", "child", "`child` of `modern.Node` is a message"),
        ("modern.Lists", "names", "`names` of `modern.Lists` is a list"),
        ("modern.Scalars", "a_double", "`a_double` of `modern.Scalars` is a floating-point number"),
        ("modern.Scalars", "some_bytes", "`some_bytes` of `modern.Scalars` is bytes"),
    ];
    for (name, of, expected) in cases {
        let error = path(name, of).expect_err(of).to_string();
        assert_eq!(error.split(": it must").next(), Some(expected));
    }
    let FieldPathError::Unknown { known, .. } = path("modern.Maps", "x").expect_err("unknown") else { panic!() };
    assert_eq!(known, ["labels", "counts", "colors", "nodes", "blobs", "doubles", "times"]);
}
