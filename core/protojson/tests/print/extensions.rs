//! Extensions and message sets.

use crate::support::{check, group, len, varint, wire};

#[test]
fn extensions_are_named_in_brackets() {
    check(
        "old.Item",
        &wire![len(1, "n"), varint(100, 3), len(101, "a"), len(101, "b"), len(102, varint(1, 4))],
        r#"{"name":"n","[old.count]":3,"[old.tags]":["a","b"],"[old.loose]":{"number":4}}"#,
    );
}

#[test]
fn the_path_of_an_error_names_the_extension() {
    check(
        "old.Item",
        &wire![len(1, "n"), len(102, len(2, ""))],
        "error: [old.loose].items[0]: required field name is not set",
    );
}

fn item(number: i64, content: &[u8]) -> Vec<u8> {
    group(1, wire![varint(2, number), len(3, content)])
}

#[track_caller]
fn set(content: &[u8], expected: &str) {
    check("old.Loose", &len(3, content), &format!("{{\"set\":{expected}}}"));
}

#[test]
fn items_of_a_message_set_are_extensions() {
    set(b"", "{}");
    set(
        &wire![item(1000, &varint(1, 5)), item(2000, &varint(1, 6))],
        r#"{"[old.First.first]":{"number":5},"[old.Second.second]":{"number":6}}"#,
    );
}

#[test]
fn an_item_may_stand_as_a_plain_extension_or_in_parts() {
    set(&len(1000, varint(1, 5)), r#"{"[old.First.first]":{"number":5}}"#);
    set(&wire![len(1000, varint(1, 5)), item(1000, &len(2, "x"))], r#"{"[old.First.first]":{"number":5,"text":"x"}}"#);
}

#[test]
fn of_the_parts_of_an_item_the_first_counts() {
    let (first, second) = (len(3, varint(1, 5)), len(3, varint(1, 6)));
    set(&group(1, wire![first, varint(2, 1000)]), r#"{"[old.First.first]":{"number":5}}"#);
    set(&group(1, wire![varint(2, 1000), first, varint(2, 2000)]), r#"{"[old.First.first]":{"number":5}}"#);
    set(&group(1, wire![varint(2, 1000), first, second]), r#"{"[old.First.first]":{"number":5}}"#);
    set(&group(1, wire![first, varint(2, 1000), second]), r#"{"[old.First.first]":{"number":5}}"#);
}

#[test]
fn items_of_unknown_type_are_skipped() {
    set(&wire![item(77, &[0, 99]), item(1000, &varint(1, 5))], r#"{"[old.First.first]":{"number":5}}"#);
    set(&group(1, varint(2, 1000)), "{}");
    set(&group(1, len(3, "")), "{}");
    set(&item(-1, b""), "{}");
}
