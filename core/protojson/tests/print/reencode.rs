//! Wire → canonical wire.

use crate::support::{check_wire, double, fixed32, fixed64, group, len, raw, varint, wire};

#[track_caller]
fn same(name: &str, wire: &[u8]) {
    check_wire(name, wire, Ok(wire));
}

#[track_caller]
fn becomes(name: &str, wire: &[u8], expected: &[u8]) {
    check_wire(name, wire, Ok(expected));
}

#[test]
fn fields_ascend_by_number() {
    becomes("modern.Node", &wire![varint(5, 1), len(1, "n")], &wire![len(1, "n"), varint(5, 1)]);
}

#[test]
fn of_scalars_the_last_counts_and_messages_merge() {
    becomes(
        "modern.Node",
        &wire![varint(5, 1), len(2, len(1, "a")), varint(5, 2), len(2, wire![varint(5, 9), len(1, "b")])],
        &wire![len(2, wire![len(1, "b"), varint(5, 9)]), varint(5, 2)],
    );
    becomes("modern.Choice", &wire![varint(1, 0), len(2, "x"), varint(6, 1)], &wire![len(2, "x"), varint(6, 1)]);
    becomes("modern.Choice", &wire![len(3, len(1, "n")), varint(1, 1), len(3, varint(5, 2))], &len(3, varint(5, 2)));
}

#[test]
fn defaults_of_fields_without_presence_are_left_out() {
    becomes(
        "modern.Scalars",
        &wire![double(1, 0.0), varint(3, 0), len(14, ""), varint(16, 0), varint(3, 1 << 33)],
        b"",
    );
    same("modern.Scalars", &wire![double(1, -0.0), varint(17, 0)]);
    same("modern.Choice", &varint(1, 0));
    same("old.Loose", &varint(1, 0));
}

#[test]
fn numbers_are_written_in_the_bits_of_their_type() {
    becomes("modern.Scalars", &varint(3, (1 << 33) - 1), &varint(3, -1));
    becomes("modern.Scalars", &varint(5, (1 << 33) + 1), &varint(5, 1));
    becomes("modern.Scalars", &varint(7, (1 << 32) + 2), &varint(7, 2));
    becomes("modern.Scalars", &varint(13, -1), &varint(13, 1));
    becomes("modern.Scalars", &wire![[0x18], [0x81, 0x80, 0x00]], &varint(3, 1));
    same(
        "modern.Scalars",
        &wire![
            varint(3, -1),
            varint(4, -1),
            varint(6, -1),
            varint(8, -1),
            fixed32(9, 5),
            fixed64(12, 6),
            varint(16, -3)
        ],
    );
}

#[test]
fn lists_are_packed_as_the_schema_says() {
    let (loose, packed) = (wire![varint(1, 1), varint(1, -1)], len(1, wire![raw(1), raw(-1)]));
    becomes("modern.Lists", &loose, &packed);
    same("modern.Lists", &packed);
    becomes("modern.Lists", &len(2, [1, 2]), &wire![varint(2, 1), varint(2, 2)]);
    becomes("modern.Lists", &wire![varint(1, 1), len(3, "x"), len(1, [2, 3])], &wire![len(1, [1, 2, 3]), len(3, "x")]);
    becomes("modern.Lists", &len(1, ""), b"");
    same("modern.Lists", &wire![len(3, ""), len(3, "x"), len(4, ""), len(8, "b")]);
}

#[test]
fn of_equal_keys_the_last_entry_counts_and_entries_are_whole() {
    let label = |key: &str, value: &str| len(1, wire![len(1, key), len(2, value)]);
    becomes(
        "modern.Maps",
        &wire![label("a", "1"), label("b", "2"), label("a", "3")],
        &wire![label("b", "2"), label("a", "3")],
    );
    becomes("modern.Maps", &len(1, ""), &label("", ""));
    becomes("modern.Maps", &len(1, wire![len(2, "v"), varint(9, 1), len(1, "k")]), &label("k", "v"));
    becomes("modern.Maps", &len(2, varint(1, 4)), &len(2, wire![varint(1, 4), varint(2, 0)]));
    becomes("modern.Maps", &len(4, ""), &len(4, wire![varint(1, 0), len(2, "")]));
    becomes("modern.Maps", &len(6, ""), &len(6, wire![fixed64(1, 0), double(2, 0.0)]));
}

#[test]
fn unknown_fields_stay_in_order_behind_the_known_ones() {
    let unknown = wire![
        len(900, "abc"),
        varint(900, 123),
        fixed32(901, 1),
        fixed64(902, 2),
        group(903, varint(1, 1)),
        varint(900, 4)
    ];
    becomes("modern.Node", &wire![unknown, len(1, "n")], &wire![len(1, "n"), unknown]);
    same("modern.Node", &len(2, wire![len(1, "n"), varint(77, 1)]));
    becomes("modern.Node", &wire![varint(1, 5), len(1, "n")], &wire![len(1, "n"), varint(1, 5)]);
}

#[test]
fn numbers_that_a_closed_enum_lacks_are_unknown_fields() {
    becomes("old.Item", &wire![varint(2, 9), len(1, "n")], &wire![len(1, "n"), varint(2, 9)]);
    becomes(
        "old.Item",
        &wire![varint(3, 1), varint(3, 9), varint(3, 2)],
        &wire![varint(3, 1), varint(3, 2), varint(3, 9)],
    );
    becomes("old.Item", &len(4, [1, 9, 2]), &wire![len(4, [1, 2]), varint(4, 9)]);
    becomes("old.Item", &len(4, [9]), &varint(4, 9));
    let entry = |key: &str, value| len(5, wire![len(1, key), varint(2, value)]);
    becomes("old.Item", &wire![entry("a", 9), entry("b", 1)], &wire![entry("b", 1), entry("a", 9)]);
}

#[test]
fn groups_stay_groups() {
    becomes(
        "old.Item",
        &wire![group(6, group(2, len(1, "a"))), len(1, "n"), group(6, wire![varint(1, 3), group(2, "")])],
        &wire![len(1, "n"), group(6, wire![varint(1, 3), group(2, len(1, "a")), group(2, "")])],
    );
}

#[test]
fn message_sets_keep_their_form() {
    let item = |number, content: &[u8]| group(1, wire![varint(2, number), len(3, content)]);
    let set = |content: &[u8]| len(3, content);
    same("old.Loose", &set(&item(1000, &varint(1, 5))));
    becomes("old.Loose", &set(&len(1000, varint(1, 5))), &set(&item(1000, &varint(1, 5))));
    becomes(
        "old.Loose",
        &set(&group(1, wire![len(3, varint(1, 5)), varint(2, 1000), len(3, varint(1, 6))])),
        &set(&item(1000, &varint(1, 5))),
    );
    same("old.Loose", &set(&item(77, &[0, 99])));
}

#[test]
fn lengths_of_every_size_are_put_in() {
    let mut content = len(1, "x".repeat(120));
    for size in [1usize, 10, 100, 1000, 20_000] {
        content = wire![len(1, "y".repeat(size)), len(2, &content)];
        same("modern.Node", &content);
        same("modern.Node", &wire![len(2, &content), len(3, &content), len(3, ""), len(3, &content)]);
    }
}

#[test]
fn strings_are_checked_where_the_schema_says_so() {
    check_wire("modern.Scalars", &len(14, b"\xff"), Err("string a_string is not UTF-8"));
    check_wire("modern.Maps", &len(1, len(1, b"\xff")), Err("string key is not UTF-8"));
    same("modern.Scalars", &len(15, b"\xff"));
    same("old.Item", &len(10, b"\xff"));
}

#[test]
fn what_is_no_message_is_an_error() {
    check_wire("modern.Node", &[0x0a, 5, b'x'], Err("the message is truncated"));
    check_wire("modern.Node", &len(2, [0x28]), Err("the message is truncated"));
    check_wire("modern.Lists", &len(1, [0x80]), Err("the message is truncated"));
    check_wire("old.Item", &[0x34], Err("an end-group tag matches no start"));
    check_wire("old.Item", &[0x33], Err("the message is truncated"));
    check_wire("modern.Node", &[0x00, 0x00], Err("a tag is invalid"));
}
