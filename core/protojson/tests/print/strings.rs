//! Strings and bytes.

use crate::support::{check, len, schema};
use tidegate_protojson::{PrintOptions, wire_to_json};

#[track_caller]
fn string(text: impl AsRef<[u8]>, expected: &str) {
    check("modern.Scalars", &len(14, text), expected);
}

#[test]
fn strings_of_every_length_come_out_as_they_are() {
    for length in 1..200 {
        let text: String = ('a'..='z').cycle().take(length).collect();
        string(&text, &format!("{{\"aString\":\"{text}\"}}"));
    }
}

#[test]
fn quote_backslash_and_control_characters_are_escaped_wherever_they_stand() {
    let escapes = [
        ('"', "\\\""),
        ('\\', "\\\\"),
        ('\n', "\\n"),
        ('\r', "\\r"),
        ('\t', "\\t"),
        ('\u{8}', "\\b"),
        ('\u{c}', "\\f"),
        ('\0', "\\u0000"),
        ('\u{1f}', "\\u001f"),
    ];
    for (character, escape) in escapes {
        for length in [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65] {
            for at in 0..length {
                let mut text = "x".repeat(length);
                text.replace_range(at..=at, &character.to_string());
                let mut expected = "x".repeat(length);
                expected.replace_range(at..=at, escape);
                string(&text, &format!("{{\"aString\":\"{expected}\"}}"));
            }
        }
    }
}

#[test]
fn what_need_not_be_escaped_is_not() {
    for text in ["/", "\u{7f}", "é", "日本語", "😁", "\u{2028}\u{2029}", "<script>&'", " !#[]^~"] {
        string(text, &format!("{{\"aString\":\"{text}\"}}"));
        let long = text.repeat(20);
        string(&long, &format!("{{\"aString\":\"{long}\"}}"));
    }
}

#[test]
fn every_ascii_byte_reads_back_through_another_parser() {
    let text: String = (0..128u8).map(char::from).collect();
    let mut out = Vec::new();
    let id = schema().find_message("modern.Scalars").expect("a message");
    wire_to_json(schema(), id, &len(14, &text), &PrintOptions::default(), &mut out).expect("it prints");
    let value: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
    assert_eq!(value, serde_json::json!({ "aString": text }));
}

#[test]
fn a_string_that_is_not_utf8_is_an_error_with_its_path() {
    for bad in
        [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"a longer one than sixteen\xff"]
    {
        string(bad, "error: aString: a string is not UTF-8");
    }
    check("modern.Lists", &[len(3, "ok"), len(3, b"\xff")].concat(), "error: names[1]: a string is not UTF-8");
    check(
        "modern.Maps",
        &len(1, [len(1, "k\"1"), len(2, b"\xff")].concat()),
        r#"error: labels["k\"1"]: a string is not UTF-8"#,
    );
    check("modern.Maps", &len(1, len(1, b"\xff")), "error: labels: a string is not UTF-8");
}

#[test]
fn bytes_are_standard_base64_with_padding() {
    for (bytes, text) in [
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        check("modern.Scalars", &len(15, bytes), &format!("{{\"someBytes\":\"{text}\"}}"));
    }
    check("modern.Scalars", &len(15, b"\xfb\xef\xff"), r#"{"someBytes":"++//"}"#);
}

#[test]
fn bytes_of_every_length_read_back() {
    for length in 0..100usize {
        let bytes: Vec<u8> = (0..length).map(|index| (index * 37 + length) as u8).collect();
        let mut expected = String::new();
        for triple in bytes.chunks(3) {
            let bits = triple.iter().chain([&0, &0]).take(3).fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
            for place in 0..4 {
                let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
                let letter = alphabet[(bits >> (18 - 6 * place) & 63) as usize];
                expected.push(if place > triple.len() { '=' } else { char::from(letter) });
            }
        }
        check("modern.Lists", &len(8, &bytes), &format!("{{\"blobs\":[\"{expected}\"]}}"));
    }
}
