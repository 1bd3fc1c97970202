//! Input that somebody made up to do harm.

use crate::support::{check, check_wire, len, message, print, schema, varint, wire};
use tidegate_protojson::{PrintOptions, reencode, wire_to_json};

/// A message of every kind of field.
fn sample() -> Vec<(&'static str, Vec<u8>)> {
    let node = wire![len(1, "n"), len(2, len(1, "c")), len(3, ""), len(4, wire![len(1, "k"), len(2, varint(5, 3))])];
    let any = wire![len(1, "x/modern.Node"), len(2, &node)];
    vec![
        ("modern.Node", wire![node, len(6, &any), len(7, len(6, len(1, len(3, "v"))))]),
        (
            "old.Item",
            wire![
                len(1, "n"),
                varint(2, 1),
                len(4, [1, 2, 1]),
                crate::support::group(6, wire![varint(1, 3), crate::support::group(2, len(1, "s"))]),
                len(102, len(3, crate::support::group(1, wire![varint(2, 1000), len(3, varint(1, 5))]))),
            ],
        ),
        (
            "modern.Known",
            wire![
                len(2, varint(1, 5)),
                len(4, len(1, "a_b")),
                len(5, len(1, wire![len(1, "k"), len(2, varint(4, 1))]))
            ],
        ),
    ]
}

fn reencoded(name: &str, wire: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    reencode(schema(), message(name), wire, &mut out).map(|()| out).map_err(|error| error.to_string())
}

#[test]
fn cut_at_any_byte_it_is_an_answer_or_an_error_and_both_ways_agree() {
    for (name, wire) in sample() {
        for cut in 0..=wire.len() {
            let json = print(name, &wire[..cut], &PrintOptions { allow_partial: true, ..PrintOptions::default() });
            let again = reencoded(name, &wire[..cut]);
            if json.starts_with("error") && !json.contains("empty") && !json.contains("not in the schema") {
                assert!(
                    again.is_err() || json.contains("any") || json.contains("detail"),
                    "{name} cut at {cut}: {json}"
                );
            } else if !json.starts_with("error") {
                assert!(again.is_ok(), "{name} cut at {cut}: {json} {again:?}");
            }
        }
    }
}

#[test]
fn any_byte_replaced_by_any_other_is_an_error_or_prints_as_its_canonical_form_does() {
    let partial = PrintOptions { allow_partial: true, ..PrintOptions::default() };
    for (name, wire) in sample() {
        for at in 0..wire.len() {
            for byte in 0..=255u8 {
                let mut changed = wire.clone();
                changed[at] = byte;
                let json = print(name, &changed, &partial);
                let Ok(canonical) = reencoded(name, &changed) else { continue };
                let again = print(name, &canonical, &partial);
                if json.starts_with("error") {
                    assert_eq!(again, json, "{name}: byte {at} is {byte}");
                } else {
                    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("it is JSON");
                    assert_eq!(value(&again), value(&json), "{name}: byte {at} is {byte}");
                }
                assert_eq!(reencoded(name, &canonical), Ok(canonical), "canonical stays as it is");
            }
        }
    }
}

/// `depth` messages around `content`.
fn nested(number: u32, depth: usize, content: &[u8]) -> Vec<u8> {
    let mut wire = content.to_vec();
    // From the inside out, each a length and a tag before what is there.
    let mut prefixes: Vec<Vec<u8>> = Vec::new();
    let mut length = wire.len();
    for _ in 0..depth {
        let mut prefix = crate::support::raw(i64::from(number << 3 | 2));
        prefix.extend(crate::support::raw(length as i64));
        length += prefix.len();
        prefixes.push(prefix);
    }
    let mut whole = Vec::with_capacity(length);
    for prefix in prefixes.iter().rev() {
        whole.extend_from_slice(prefix);
    }
    whole.append(&mut wire);
    whole
}

#[test]
fn a_hundred_messages_may_nest_and_one_more_is_an_error() {
    let open = r#"{"child":"#;
    check("modern.Node", &nested(2, 99, b""), &format!("{}{{}}{}", open.repeat(99), "}".repeat(99)));
    let path = vec!["child"; 100].join(".");
    check("modern.Node", &nested(2, 100, b""), &format!("error: {path}: messages are nested deeper than 100"));
    check_wire("modern.Node", &nested(2, 99, b""), Ok(&nested(2, 99, b"")));
    check_wire("modern.Node", &nested(2, 100, b""), Err("messages are nested too deeply"));
}

#[test]
fn a_hundred_thousand_levels_are_an_error_of_every_kind_of_nesting() {
    let depth = 100_000;
    let path = vec!["child"; 100].join(".");
    check("modern.Node", &nested(2, depth, b""), &format!("error: {path}: messages are nested deeper than 100"));
    check_wire("modern.Node", &nested(2, depth, b""), Err("messages are nested too deeply"));
    let groups = [vec![0x33; depth], vec![0x34; depth]].concat();
    check("old.Item", &groups, "error: messages are nested too deeply");
    check_wire("old.Item", &groups, Err("messages are nested too deeply"));
    let unknown = [vec![0x0b; depth], vec![0x0c; depth]].concat();
    check("modern.Wide", &unknown, "error: messages are nested too deeply");
}

#[test]
fn depth_counts_through_struct_value_and_any() {
    // Value → ListValue → Value → …: every list is a level.
    let mut value = varint(1, 0);
    for _ in 0..100 {
        value = len(6, len(1, &value));
    }
    let list = format!("{}null{}", "[".repeat(100), "]".repeat(100));
    check("google.protobuf.Value", &value, &list);
    let path = "[0]".repeat(100);
    check(
        "google.protobuf.Value",
        &len(6, len(1, &value)),
        &format!("error: {path}: messages are nested deeper than 100"),
    );

    let mut any = Vec::new();
    for _ in 0..99 {
        any = wire![len(1, "x/google.protobuf.Any"), len(2, &any)];
    }
    assert!(print("google.protobuf.Any", &any, &PrintOptions::default()).ends_with(&"}".repeat(100)));
    let deeper = wire![len(1, "x/google.protobuf.Any"), len(2, &any)];
    let path = vec!["value"; 100].join(".");
    check("google.protobuf.Any", &deeper, &format!("error: {path}: messages are nested deeper than 100"));
}

#[test]
fn the_depth_is_an_option() {
    let two = PrintOptions { max_depth: 2, ..PrintOptions::default() };
    crate::support::check_with(&two, "modern.Node", &nested(2, 1, b""), r#"{"child":{}}"#);
    crate::support::check_with(
        &two,
        "modern.Node",
        &nested(2, 2, b""),
        "error: child.child: messages are nested deeper than 2",
    );
    let none = PrintOptions { max_depth: 0, ..PrintOptions::default() };
    crate::support::check_with(&none, "modern.Node", b"", "error: messages are nested deeper than 0");
}

#[test]
fn no_option_takes_the_depth_beyond_what_the_stack_can_carry() {
    let deep = PrintOptions { max_depth: u32::MAX, ..PrintOptions::default() };
    for tail in [&b""[..], &wire![varint(5, 1), varint(5, 2)]] {
        let printed = print("modern.Node", &nested(2, 499, tail), &deep);
        assert!(printed.starts_with(r#"{"child":{"#) && printed.ends_with(&"}".repeat(500)), "{printed}");
        let path = vec!["child"; 500].join(".");
        let expected = format!("error: {path}: messages are nested deeper than 500");
        crate::support::check_with(&deep, "modern.Node", &nested(2, 500, tail), &expected);
        crate::support::check_with(&deep, "modern.Node", &nested(2, 100_000, tail), &expected);
    }
    let mut value = varint(1, 0);
    for _ in 0..500 {
        value = len(5, len(1, wire![len(1, "k"), len(2, &value)]));
    }
    let expected = format!("{}null{}", r#"{"k":"#.repeat(500), "}".repeat(500));
    crate::support::check_with(&deep, "google.protobuf.Value", &value, &expected);
}

#[test]
fn disorder_at_every_level_of_a_hundred_takes_no_more_than_the_wire_is_long() {
    // Every level is split in two and every part holds a list; were each level printed anew, or
    // copied to merge, 2^99 steps or a hundredfold of memory would show.
    let mut wire = wire![varint(5, 1), varint(5, 2)];
    let mut depth = 0;
    while depth < 98 {
        wire = wire![len(2, &wire), varint(5, 1), len(1, "x"), varint(5, 2), len(2, varint(5, 3))];
        depth += 1;
    }
    let mut out = Vec::new();
    wire_to_json(schema(), message("modern.Node"), &wire, &PrintOptions::default(), &mut out).expect("it prints");
    assert_eq!(out.len(), r#"{"name":"x","child":,"weight":2}"#.len() * 98 + r#"{"weight":3}"#.len());
    assert!(out.capacity() <= wire.len() * 8, "{} bytes for {}", out.capacity(), wire.len());
}

#[test]
fn a_list_whose_elements_are_scattered_among_others_comes_together_however_long() {
    let wire: Vec<u8> = (0..200_000).flat_map(|_| wire![varint(1, 1), varint(2, 2)]).collect();
    let ones = vec!["1"; 200_000].join(",");
    let twos = vec!["2"; 200_000].join(",");
    check("modern.Lists", &wire, &format!("{{\"numbers\":[{ones}],\"loose\":[{twos}]}}"));
}

#[test]
fn a_length_beyond_the_end_reserves_nothing() {
    check("modern.Node", &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], "error: the message is truncated");
    check(
        "modern.Node",
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        "error: the message is truncated",
    );
    check(
        "modern.Node",
        &[0x28, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        "error: a varint is longer than ten bytes",
    );
    for tag in [[0x00], [0x07], [0x06], [0x0e], [0x0f]] {
        check("modern.Node", &tag, "error: a tag is invalid");
    }
}
