//! Wire bytes in an order that no serializer writes.

use crate::support::{check, len, varint, wire};

#[test]
fn of_a_singular_scalar_the_last_counts() {
    check("modern.Node", &wire![varint(5, 1), varint(5, 2)], r#"{"weight":2}"#);
    check("modern.Node", &wire![varint(5, 1), varint(5, 0)], "{}");
    check("modern.Node", &wire![len(1, "a"), varint(5, 1), len(1, "b")], r#"{"name":"b","weight":1}"#);
}

#[test]
fn split_messages_merge() {
    check(
        "modern.Node",
        &wire![
            len(2, wire![len(1, "a"), len(3, len(1, "x")), len(2, varint(5, 1))]),
            len(2, wire![len(3, len(1, "y")), len(2, len(1, "z"))]),
            len(2, wire![len(1, "b")]),
        ],
        r#"{"child":{"name":"b","child":{"name":"z","weight":1},"children":[{"name":"x"},{"name":"y"}]}}"#,
    );
}

#[test]
fn fields_in_descending_order_are_no_disorder() {
    check("modern.Node", &wire![varint(5, 1), len(3, ""), len(1, "a")], r#"{"weight":1,"children":[{}],"name":"a"}"#);
}

#[test]
fn disorder_deep_inside_is_put_right() {
    let inner = wire![varint(5, 1), len(1, "n"), varint(5, 2)];
    check("modern.Node", &len(2, len(3, len(4, wire![len(1, "k"), len(2, inner)]))), {
        r#"{"child":{"children":[{"byName":{"k":{"name":"n","weight":2}}}]}}"#
    });
}

#[test]
fn a_value_that_a_later_one_replaces_need_not_be_printable() {
    check(
        "modern.Known",
        &wire![len(2, varint(1, i64::MAX)), len(2, varint(1, 0))],
        r#"{"at":"1970-01-01T00:00:00Z"}"#,
    );
    check("modern.Maps", &wire![len(1, len(2, b"\xff")), len(1, len(2, "ok"))], r#"{"labels":{"":"ok"}}"#);
}

#[test]
fn tags_longer_than_they_need_be_are_read() {
    check("modern.Node", &wire![[0xa8, 0x80, 0x80, 0x80, 0x00], [7]], r#"{"weight":7}"#);
    check("modern.Node", &wire![[0xa8, 0x80, 0x80, 0x80, 0x80, 0x00], [7]], "error: a tag is invalid");
    check("modern.Lists", &wire![len(3, "a"), [0x9a, 0x00], [1], "b".as_bytes()], r#"{"names":["a","b"]}"#);
}
