//! Maps.

use crate::support::{check, check_with, double, fixed64, len, message, schema, varint, wire};
use tidegate_protojson::{PrintOptions, wire_to_json};

#[track_caller]
fn map(wire: &[u8], expected: &str) {
    check("modern.Maps", wire, expected);
}

fn label(key: &str, value: &str) -> Vec<u8> {
    len(1, wire![len(1, key), len(2, value)])
}

#[test]
fn keys_of_every_kind_are_strings() {
    map(
        &wire![
            label("a", "1"),
            label("", ""),
            len(2, wire![varint(1, -5), varint(2, 7)]),
            len(3, wire![varint(1, 1), varint(2, 1)]),
            len(4, wire![varint(1, -1), len(2, len(1, "n"))]),
            len(5, wire![varint(1, 3), len(2, "f")]),
            len(6, wire![fixed64(1, 9), double(2, 0.5)]),
        ],
        r#"{"labels":{"a":"1","":""},"counts":{"-5":"7"},"colors":{"true":"RED"},"nodes":{"18446744073709551615":{"name":"n"}},"blobs":{"-2":"Zg=="},"doubles":{"9":0.5}}"#,
    );
}

#[test]
fn a_missing_key_or_value_is_its_default() {
    map(&len(1, ""), r#"{"labels":{"":""}}"#);
    map(&len(1, len(2, "v")), r#"{"labels":{"":"v"}}"#);
    map(&len(2, varint(2, 3)), r#"{"counts":{"0":"3"}}"#);
    map(&len(2, varint(1, 3)), r#"{"counts":{"3":"0"}}"#);
    map(&len(3, ""), r#"{"colors":{"false":"BLACK"}}"#);
    map(&len(4, ""), r#"{"nodes":{"0":{}}}"#);
    map(&len(6, ""), r#"{"doubles":{"0":0}}"#);
    map(&len(7, len(1, "t")), r#"{"times":{"t":"1970-01-01T00:00:00Z"}}"#);
}

#[test]
fn the_value_may_stand_before_the_key() {
    map(&len(1, wire![len(2, "v"), len(1, "k")]), r#"{"labels":{"k":"v"}}"#);
}

#[test]
fn of_keys_and_values_within_an_entry_the_last_counts_and_messages_merge() {
    map(&len(1, wire![len(1, "a"), len(2, "1"), len(1, "b"), len(2, "2")]), r#"{"labels":{"b":"2"}}"#);
    map(
        &len(4, wire![varint(1, 1), len(2, len(1, "n")), len(2, varint(5, 3))]),
        r#"{"nodes":{"1":{"name":"n","weight":3}}}"#,
    );
    map(&len(1, wire![len(1, "a"), varint(3, 1), len(2, "1")]), r#"{"labels":{"a":"1"}}"#);
}

#[test]
fn of_equal_keys_the_last_entry_counts_and_nothing_merges() {
    map(&wire![label("a", "1"), label("b", "2"), label("a", "3")], r#"{"labels":{"b":"2","a":"3"}}"#);
    map(
        &wire![len(4, wire![varint(1, 1), len(2, len(1, "n"))]), len(4, wire![varint(1, 1), len(2, varint(5, 3))]),],
        r#"{"nodes":{"1":{"weight":3}}}"#,
    );
    map(&wire![len(2, varint(1, 0)), len(2, varint(2, 1))], r#"{"counts":{"0":"1"}}"#);
}

#[test]
fn entries_scattered_over_the_message_come_together() {
    map(
        &wire![label("a", "1"), len(2, wire![varint(1, 1), varint(2, 1)]), label("b", "2")],
        r#"{"labels":{"a":"1","b":"2"},"counts":{"1":"1"}}"#,
    );
}

#[test]
fn an_entry_whose_closed_enum_lacks_the_number_is_unknown() {
    let entry = |key: &str, value| len(5, wire![len(1, key), varint(2, value)]);
    check(
        "old.Item",
        &wire![len(1, "n"), entry("a", 1), entry("b", 7), entry("c", 2)],
        r#"{"name":"n","byName":{"a":"SMALL","c":"LARGE"}}"#,
    );
    check("old.Item", &wire![entry("b", 7), len(1, "n")], r#"{"name":"n"}"#);
    check("old.Item", &wire![entry("b", 1), len(1, "n"), entry("b", 7)], r#"{"name":"n","byName":{"b":"SMALL"}}"#);
    check("old.Item", &wire![len(1, "n"), len(5, len(1, "a"))], r#"{"name":"n","byName":{"a":"SMALL"}}"#);
}

#[test]
fn maps_of_every_size_keep_all_distinct_keys_and_drop_doubles() {
    for size in [0usize, 1, 2, 7, 8, 9, 10, 100, 1000] {
        let keys: Vec<String> = (0..size).map(|index| format!("key-{}", index * 7919 % 10_007)).collect();
        let wire: Vec<u8> = keys.iter().flat_map(|key| label(key, "v")).collect();
        let members: Vec<String> = keys.iter().map(|key| format!("\"{key}\":\"v\"")).collect();
        let expected = if size == 0 { "{}".to_owned() } else { format!("{{\"labels\":{{{}}}}}", members.join(",")) };
        map(&wire, &expected);
        if size > 1 {
            let again = wire![wire, label(&keys[0], "w")];
            let rest = members[1..].join(",");
            map(&again, &format!("{{\"labels\":{{{rest},\"{}\":\"w\"}}}}", keys[0]));
        }
        let wire: Vec<u8> =
            (0..size as i64).rev().flat_map(|key| len(2, wire![varint(1, key - 3), varint(2, 1)])).collect();
        let members: Vec<String> = (0..size as i64).rev().map(|key| format!("\"{}\":\"1\"", key - 3)).collect();
        let expected = if size == 0 { "{}".to_owned() } else { format!("{{\"counts\":{{{}}}}}", members.join(",")) };
        map(&wire, &expected);
    }
}

#[test]
fn maps_within_maps_keep_their_keys_apart() {
    let node = |key: &str, content: &[u8]| len(4, wire![len(1, key), len(2, content)]);
    let inner = wire![node("a", b""), node("b", b"")];
    let options = PrintOptions { proto_names: true, ..PrintOptions::default() };
    check_with(
        &options,
        "modern.Node",
        &wire![node("a", &inner), node("b", &inner), node("c", &wire![inner, node("a", &varint(5, 1))])],
        r#"{"by_name":{"a":{"by_name":{"a":{},"b":{}}},"b":{"by_name":{"a":{},"b":{}}},"c":{"by_name":{"b":{},"a":{"weight":1}}}}}"#,
    );
}

#[test]
fn a_hundred_thousand_keys_chosen_to_collide_are_no_trouble() {
    // Multiples of a large power of two fall into few places of any table that takes low bits.
    let wire: Vec<u8> =
        (0..100_000i64).rev().flat_map(|key| len(2, wire![varint(1, key << 14), varint(2, 1)])).collect();
    let mut out = Vec::new();
    wire_to_json(schema(), message("modern.Maps"), &wire, &PrintOptions::default(), &mut out).expect("it prints");
    let value: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
    let entries = value["counts"].as_object().expect("an object");
    let distinct: std::collections::BTreeSet<i32> = (0..100_000i64).map(|key| (key << 14) as i32).collect();
    assert_eq!(entries.len(), distinct.len());
}
