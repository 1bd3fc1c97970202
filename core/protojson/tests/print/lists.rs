//! Repeated fields.

use crate::support::{check, fixed64, len, raw, varint, wire};

#[track_caller]
fn list(wire: &[u8], expected: &str) {
    check("modern.Lists", wire, expected);
}

#[test]
fn packed_and_unpacked_are_read_whatever_the_schema_says() {
    let packed = len(1, wire![raw(1), raw(0), raw(-1)]);
    let unpacked = wire![varint(1, 1), varint(1, 0), varint(1, -1)];
    list(&packed, r#"{"numbers":[1,0,-1]}"#);
    list(&unpacked, r#"{"numbers":[1,0,-1]}"#);
    list(&wire![len(2, wire![raw(1), raw(2)]), varint(2, 3)], r#"{"loose":[1,2,3]}"#);
    list(&wire![varint(2, 3), len(2, wire![raw(1), raw(2)])], r#"{"loose":[3,1,2]}"#);
    list(&len(6, [1.5f64.to_le_bytes(), 2.0f64.to_le_bytes()].concat()), r#"{"doubles":[1.5,2]}"#);
    list(&len(7, raw(-1)), r#"{"big":["18446744073709551615"]}"#);
    list(&len(9, [0, 1]), r#"{"flags":[false,true]}"#);
}

#[test]
fn an_empty_packed_record_is_no_list() {
    list(&len(1, ""), "{}");
    list(&wire![len(1, ""), varint(1, 4)], r#"{"numbers":[4]}"#);
    list(&wire![len(1, ""), len(3, "x"), len(1, "")], r#"{"names":["x"]}"#);
}

#[test]
fn elements_at_their_default_are_written() {
    list(&wire![len(3, ""), len(3, "b"), len(4, "")], r#"{"names":["","b"],"nodes":[{}]}"#);
}

#[test]
fn unknown_fields_between_elements_do_not_end_the_list() {
    list(&wire![len(3, "a"), varint(999, 1), len(3, "b")], r#"{"names":["a","b"]}"#);
}

#[test]
fn scattered_elements_come_together() {
    list(&wire![len(3, "a"), varint(1, 5), len(3, "b"), len(1, raw(6))], r#"{"numbers":[5,6],"names":["a","b"]}"#);
}

#[test]
fn enums_in_lists_are_names() {
    list(&len(5, wire![raw(0), raw(1), raw(-3), raw(9)]), r#"{"colors":["BLACK","RED","BLUE",9]}"#);
}

#[test]
fn unknown_numbers_of_a_closed_enum_drop_out_of_lists() {
    let name = len(1, "n");
    check(
        "old.Item",
        &wire![name, varint(3, 1), varint(3, 5), varint(3, 2)],
        r#"{"name":"n","sizes":["SMALL","LARGE"]}"#,
    );
    check("old.Item", &wire![name, len(4, [1, 5, 2])], r#"{"name":"n","packedSizes":["SMALL","LARGE"]}"#);
    check("old.Item", &wire![name, len(4, [5]), varint(3, 5)], r#"{"name":"n"}"#);
    check("old.Item", &wire![len(4, [5, 1]), name, len(4, [2])], r#"{"name":"n","packedSizes":["SMALL","LARGE"]}"#);
}

#[test]
fn a_list_of_another_wire_type_is_an_unknown_field() {
    list(&wire![fixed64(1, 5), varint(3, 1), varint(1, 2)], r#"{"numbers":[2]}"#);
}

#[test]
fn a_packed_record_that_ends_inside_a_value_is_an_error() {
    list(&len(1, [0x80]), "error: numbers: the message is truncated");
    list(&len(6, [1, 2, 3]), "error: doubles: the message is truncated");
}
