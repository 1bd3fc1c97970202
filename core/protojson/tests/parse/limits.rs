//! Limits, and input that was made to hurt.

use crate::support::{PROTO2, PROTO3, d, m, refuse, s, translate, v};
use tidegate_protojson::{ParseOptions, UnknownFields};

const IGNORE: ParseOptions = ParseOptions {
    unknown_fields: UnknownFields::Ignore,
    max_depth: 100,
    max_output: usize::MAX,
    allow_partial: false,
};

/// `depth` openings, the middle, as many closings.
fn nested(open: &str, middle: &str, close: &str, depth: usize) -> String {
    format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
}

/// Every way to nest: `depth` levels below the root.
fn nestings(depth: usize) -> Vec<(&'static str, String)> {
    vec![
        ("messages", format!("{{\"inner\":{}}}", nested("{\"inner\":", "{}", "}", depth - 1))),
        ("lists of messages", nested("{\"inners\":[", "{}", "]}", depth)),
        ("maps of messages", nested("{\"messages\":{\"1\":", "{}", "}}", depth)),
        ("objects in a value", format!("{{\"value\":{}}}", nested("{\"a\":", "{}", "}", depth - 1))),
        ("objects in a struct", format!("{{\"object\":{}}}", nested("{\"a\":", "{}", "}", depth - 1))),
        ("arrays in a value", format!("{{\"value\":{}}}", nested("[", "[]", "]", depth - 1))),
        ("arrays in a list", format!("{{\"list\":{}}}", nested("[", "[]", "]", depth - 1))),
        (
            "anys",
            format!("{{\"any\":{}}}", nested("{\"@type\":\"x/google.protobuf.Any\",\"value\":", "{}", "}", depth - 1)),
        ),
        (
            "late anys",
            format!("{{\"any\":{}}}", nested("{\"value\":", "{}", ",\"@type\":\"x/google.protobuf.Any\"}", depth - 1)),
        ),
        ("unknown objects", format!("{{\"x\":{}}}", nested("{\"a\":", "{}", "}", depth - 1))),
        ("unknown arrays", format!("{{\"x\":{}}}", nested("[", "[]", "]", depth - 1))),
        ("both", format!("{{\"inner\":{{\"value\":[{{\"a\":{}}}]}}}}", nested("[", "[]", "]", depth - 4))),
    ]
}

#[test]
fn a_hundred_levels_and_no_more() {
    for (name, json) in nestings(99) {
        let got = translate(&PROTO3, "t.M", json.as_bytes(), &IGNORE);
        assert!(got.is_ok(), "{name}: {got:?}");
    }
    for (name, json) in nestings(100) {
        let error = translate(&PROTO3, "t.M", json.as_bytes(), &IGNORE).expect_err(name);
        assert!(error.contains("nested deeper than 100 levels (byte "), "{name}: {error}");
    }
}

#[test]
fn depth_does_not_use_up_the_stack() {
    for (name, json) in nestings(100_000) {
        let error = translate(&PROTO3, "t.M", json.as_bytes(), &IGNORE).expect_err(name);
        assert!(error.contains("nested deeper than 100 levels (byte "), "{name}: {error}");
        // Nor with a limit that says nothing: 500 it is.
        let options = ParseOptions { max_depth: u32::MAX, ..IGNORE };
        let error = translate(&PROTO3, "t.M", json.as_bytes(), &options).expect_err(name);
        assert!(error.contains("nested deeper than 500 levels (byte "), "{name}: {error}");
    }
    for open in ["[", "{", "{\"inner\":", "{\"value\":[", "{\"x\":[{\"x\":"] {
        let json = open.repeat(100_000);
        let error = translate(&PROTO3, "t.M", json.as_bytes(), &IGNORE).expect_err(open);
        assert!(!error.is_empty());
    }
}

#[test]
fn the_limit_can_be_chosen() {
    let options = |max_depth| ParseOptions { max_depth, ..ParseOptions::default() };
    let json = br#"{"inner":{"inner":{}}}"#;
    assert_eq!(translate(&PROTO3, "t.M", json, &options(3)), Ok(m(17, &[s(17, "")])));
    let error = "inner.inner: nested deeper than 2 levels (byte 18)".to_owned();
    assert_eq!(translate(&PROTO3, "t.M", json, &options(2)), Err(error));
    assert_eq!(translate(&PROTO3, "t.M", b"{}", &options(0)), Err("nested deeper than 0 levels (byte 0)".into()));
}

#[test]
fn depth_goes_down_again() {
    let one = nested("{\"inner\":", "{}", "}", 90);
    let json = format!(
        "{{\"inners\":[{one},{one},{one}],\"value\":{},\"list\":[{}]}}",
        nested("[", "]", "", 1),
        nested("[", "", "]", 90)
    );
    assert!(translate(&PROTO3, "t.M", json.as_bytes(), &ParseOptions::default()).is_ok());
}

#[test]
fn output_has_a_limit() {
    let options = |max_output| ParseOptions { max_output, ..ParseOptions::default() };
    let json = format!("{{\"i32\":1,\"text\":\"{}\"}}", "x".repeat(1000));
    let want = [v(1, 1), s(14, "x".repeat(1000))].concat();
    assert_eq!(translate(&PROTO3, "t.M", json.as_bytes(), &options(want.len())), Ok(want.clone()));
    for limit in 0..want.len() {
        let error = translate(&PROTO3, "t.M", json.as_bytes(), &options(limit)).expect_err("too large");
        assert!(error.contains(&format!("the message is larger than {limit} bytes")), "{error}");
    }
    assert_eq!(translate(&PROTO3, "t.M", b"{}", &options(0)), Ok(Vec::new()));
}

#[test]
fn a_limit_that_is_just_enough_is_enough() {
    for value in [format!("\"mask\":\"{}B\"", "a".repeat(500)), format!("\"data\":\"{}\"", "AQID".repeat(300))] {
        let json = format!("{{{value}}}");
        let want = translate(&PROTO3, "t.M", json.as_bytes(), &ParseOptions::default()).expect("it is good");
        let exact = ParseOptions { max_output: want.len(), ..ParseOptions::default() };
        assert_eq!(translate(&PROTO3, "t.M", json.as_bytes(), &exact), Ok(want), "{value}");
    }
}

#[test]
fn output_that_grows_faster_than_its_input_has_one_too() {
    // Two bytes of JSON become eleven of wire.
    let json = format!("{{\"list\":[{}]}}", vec!["1"; 10_000].join(","));
    let want = m(56, &vec![m(1, &[d(2, 1.0)]); 10_000]);
    assert_eq!(translate(&PROTO3, "t.M", json.as_bytes(), &ParseOptions::default()), Ok(want));
    let options = ParseOptions { max_output: 50_000, ..ParseOptions::default() };
    let error = translate(&PROTO3, "t.M", json.as_bytes(), &options).expect_err("too large");
    assert!(error.starts_with("list") && error.contains(": the message is larger than 50000 bytes (byte "), "{error}");
}

/// A document with something of everything.
const EVERYTHING: &str = r#"{
    "i32": -5, "i64": "123456789012", "u32": 7, "flt": 1.5e-3, "dbl": "NaN", "yes": true, "text": "plain",
    "twoWords": "with \"escapes\" \u00e9\ud83d\ude01 and é and more than sixteen bytes", "data": "AQIDBAUGBwgJCgsMDQ4P",
    "kind": "GOOD", "inner": {"inner": {"ints": [1, 22, 333, 4444], "three": {}}}, "maybe": null, "ints": [1,22,333,4444,55555,666666],
    "labels": {"a": "1", "bé": "2"}, "numbers": {"-1": 1, "2": 2}, "flags": {"true": {}}, "time": "2024-02-29T12:34:56.789+01:00",
    "span": "-1.5s", "mask": "a.bC,d", "object": {"a": [1, null, {"b": "c"}]}, "value": 1e3, "list": [true],
    "any": {"i32": 1, "@type": "x/t.M"}, "anys": [{"@type": "x/google.protobuf.Duration", "value": "1s"}], "wText": "w", "null": null
}"#;

#[test]
fn a_document_cut_anywhere_is_refused() {
    assert!(translate(&PROTO3, "t.M", EVERYTHING.as_bytes(), &ParseOptions::default()).is_ok());
    for len in 0..EVERYTHING.len() {
        let cut = &EVERYTHING.as_bytes()[..len];
        assert!(translate(&PROTO3, "t.M", cut, &ParseOptions::default()).is_err(), "{}", String::from_utf8_lossy(cut));
        assert!(translate(&PROTO3, "t.Wide", cut, &IGNORE).is_err(), "{}", String::from_utf8_lossy(cut));
        assert!(translate(&PROTO3, "google.protobuf.Value", cut, &IGNORE).is_err());
    }
}

#[test]
fn no_byte_put_anywhere_does_harm() {
    let mut accepted = 0;
    for place in 0..EVERYTHING.len() {
        for byte in [0, b'"', b'\\', b'{', b'}', b'[', b']', b',', b':', b'0', b'-', b'.', b'e', b'n', b'u', 0x80, 0xff]
        {
            let mut json = EVERYTHING.as_bytes().to_vec();
            json[place] = byte;
            for options in [ParseOptions::default(), IGNORE] {
                accepted += usize::from(translate(&PROTO3, "t.M", &json, &options).is_ok());
                let _ = translate(&PROTO2, "t2.M", &json, &options);
            }
        }
    }
    assert!(accepted > 0, "some changes leave a document that is well");
}

#[test]
fn every_error_stands_inside_of_the_document() {
    let id = PROTO3.find_message("t.M").expect("it is there");
    for len in 0..EVERYTHING.len() {
        let cut = &EVERYTHING.as_bytes()[..len];
        let error = tidegate_protojson::json_to_wire(&PROTO3, id, cut, &ParseOptions::default(), &mut Vec::new())
            .expect_err("cut");
        assert!(error.offset <= len);
    }
}

#[test]
fn long_numbers_take_linear_time() {
    let digits = "1".repeat(1_000_000);
    for json in [
        format!("{{\"i32\":{digits}}}"),
        format!("{{\"i32\":{digits}e-1000000}}"),
        format!("{{\"u64\":0.{digits}}}"),
        format!("{{\"dbl\":{digits}}}"),
        format!("{{\"i32\":1e{digits}}}"),
    ] {
        assert!(translate(&PROTO3, "t.M", json.as_bytes(), &ParseOptions::default()).is_err());
    }
    for json in [
        format!("{{\"dbl\":0.{digits}}}"),
        format!("{{\"dbl\":{digits}e-1000000}}"),
        format!("{{\"dbl\":1e-{digits}}}"),
    ] {
        assert!(translate(&PROTO3, "t.M", json.as_bytes(), &ParseOptions::default()).is_ok());
    }
}

#[test]
fn long_keys_that_differ_in_the_middle() {
    let count = 100_000;
    let members: Vec<String> =
        (0..count).map(|index| format!("\"{}{index:06}{}\":\"\"", "a".repeat(40), "b".repeat(40))).collect();
    let json = format!("{{\"labels\":{{{}}}}}", members.join(","));
    let got = translate(&PROTO3, "t.M", json.as_bytes(), &ParseOptions::default()).expect("all keys differ");
    assert_eq!(got.len(), count * (3 + 2 + 86 + 2));
    let twice = json.replacen("000007", "000008", 1);
    let error =
        translate(&PROTO3, "t.M", twice.as_bytes(), &ParseOptions::default()).expect_err("a key is there twice");
    assert!(error.starts_with("labels: key \"aaaa"), "{error}");
}

#[test]
fn a_wide_message_of_nothing_but_unknown_names() {
    let members: Vec<String> = (0..10_000).map(|index| format!("\"unknown{index}\":[{{}}]")).collect();
    let json = format!("{{{}}}", members.join(","));
    assert_eq!(translate(&PROTO3, "t.M", json.as_bytes(), &IGNORE), Ok(Vec::new()));
    refuse(&json, "unknown field `unknown0` of t.M (byte 1)");
}
