//! Messages within messages, groups, and required fields.

use crate::support::{check, check_with, fixed32, group, len, varint, wire};
use tidegate_protojson::PrintOptions;

#[test]
fn an_empty_message_is_an_empty_object() {
    check("modern.Node", b"", "{}");
    check("modern.Node", &len(2, ""), r#"{"child":{}}"#);
}

#[test]
fn messages_nest() {
    check(
        "modern.Node",
        &wire![len(1, "a"), len(2, len(1, "b")), len(3, len(1, "c")), len(3, len(2, len(1, "d")))],
        r#"{"name":"a","child":{"name":"b"},"children":[{"name":"c"},{"child":{"name":"d"}}]}"#,
    );
}

#[test]
fn groups_are_messages() {
    let text = |text| group(2, len(1, text));
    check(
        "old.Item",
        &wire![len(1, "n"), group(6, wire![varint(1, 3), text("a"), text("b"), group(3, "")])],
        r#"{"name":"n","box":{"width":3,"side":[{"text":"a"},{"text":"b"}]}}"#,
    );
    check(
        "old.Item",
        &wire![len(1, "n"), group(6, len(3, varint(1, 4)))],
        r#"{"name":"n","box":{"inner":{"width":4}}}"#,
    );
}

#[test]
fn split_groups_merge() {
    check(
        "old.Item",
        &wire![group(6, varint(1, 3)), len(1, "n"), group(6, group(2, len(1, "x")))],
        r#"{"name":"n","box":{"width":3,"side":[{"text":"x"}]}}"#,
    );
}

#[test]
fn a_group_must_end_with_its_own_number() {
    check("old.Item", &wire![len(1, "n"), [0x33], varint(1, 3)], "error: the message is truncated");
    check("old.Item", &wire![len(1, "n"), [0x33, 0x3c]], "error: an end-group tag matches no start");
    check("old.Item", &wire![len(1, "n"), [0x34]], "error: an end-group tag matches no start");
    check("modern.Node", &len(2, [0x0c]), "error: child: an end-group tag matches no start");
}

#[test]
fn unknown_fields_are_skipped_whatever_they_hold() {
    let unknown = wire![varint(900, 1), fixed32(901, 2), len(902, "x"), group(903, wire![varint(1, 1), group(2, "")])];
    check("modern.Node", &wire![unknown, len(1, "n"), unknown], r#"{"name":"n"}"#);
}

#[test]
fn a_missing_required_field_is_an_error_with_its_path() {
    check("old.Item", b"", "error: required field name is not set");
    check("old.Loose", &wire![len(2, len(1, "a")), len(2, "")], "error: items[1]: required field name is not set");
    let partial = PrintOptions { allow_partial: true, ..PrintOptions::default() };
    check_with(&partial, "old.Loose", &wire![len(2, len(1, "a")), len(2, "")], r#"{"items":[{"name":"a"},{}]}"#);
}

#[test]
fn a_required_field_may_stand_in_any_part_of_a_split_message() {
    check("old.Item", &len(12, varint(1, 1)), "error: required field name is not set");
    check(
        "old.Item",
        &wire![varint(9, 1), len(12, varint(1, 1)), len(1, "n")],
        r#"{"number":1,"held":{"number":1},"name":"n"}"#,
    );
}

#[test]
fn messages_of_more_than_64_fields_are_no_different() {
    check("modern.Wide", &wire![varint(1, 1), varint(65, 2), varint(66, 3)], r#"{"f1":1,"f65":2,"f66":3}"#);
    check("modern.Wide", &wire![varint(66, 3), varint(65, 2), varint(66, 4)], r#"{"f65":2,"f66":4}"#);
    check(
        "modern.Wide",
        &wire![varint(1000, 1), varint(1000, 2), varint(536_870_911, 7), varint(2000, 1)],
        r#"{"far":[1,2],"farthest":7,"aNameThatIsLongerThanABlockOfThirtyTwoBytes":1}"#,
    );
    check("modern.Wide", &wire![varint(1000, 1), varint(1, 1), varint(1000, 2)], r#"{"f1":1,"far":[1,2]}"#);
}
