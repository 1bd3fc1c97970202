//! Oneofs.

use crate::support::{check, len, varint, wire};

#[track_caller]
fn choice(wire: &[u8], expected: &str) {
    check("modern.Choice", wire, expected);
}

#[test]
fn a_member_at_its_default_is_written() {
    choice(&varint(1, 0), r#"{"number":0}"#);
    choice(&len(2, ""), r#"{"text":""}"#);
    choice(&len(3, ""), r#"{"node":{}}"#);
    choice(&varint(4, 0), r#"{"nothing":null}"#);
    choice(&varint(5, 0), r#"{"color":"BLACK"}"#);
}

#[test]
fn the_last_member_wins() {
    choice(&wire![varint(1, 5), len(2, "x")], r#"{"text":"x"}"#);
    choice(&wire![len(2, "x"), varint(6, 3), varint(1, 5)], r#"{"number":5,"other":3}"#);
    choice(&wire![varint(1, 5), len(2, "x"), varint(1, 6)], r#"{"number":6}"#);
}

#[test]
fn the_same_message_member_twice_merges() {
    choice(&wire![len(3, len(1, "n")), len(3, varint(5, 2))], r#"{"node":{"name":"n","weight":2}}"#);
}

#[test]
fn another_member_in_between_starts_the_message_anew() {
    choice(&wire![len(3, len(1, "n")), varint(1, 1), len(3, varint(5, 2))], r#"{"node":{"weight":2}}"#);
}

#[test]
fn an_unknown_number_of_a_closed_enum_does_not_replace_a_member() {
    check("old.Item", &wire![len(1, "n"), varint(9, 4), varint(8, 77)], r#"{"name":"n","number":4}"#);
    check("old.Item", &wire![len(1, "n"), varint(9, 4), varint(8, 2)], r#"{"name":"n","picked":"LARGE"}"#);
}
