//! Strings and bytes.

use tidegate_protojson::ParseOptions;

use crate::support::{PROTO3, check, refuse, refuse_as, s, translate};

#[track_caller]
fn text(json: &str, want: &str) {
    check(&format!("{{\"text\":\"{json}\"}}"), &[s(14, want)]);
    // Also where nothing follows within a machine word, and as element, key and value.
    check(&format!("{{\"text\":\"{json}\"                                }}"), &[s(14, want)]);
    check(&format!("{{\"texts\":[\"{json}\",\"\"]}}"), &[s(23, want), s(23, "")]);
    check(&format!("{{\"labels\":{{\"{json}\":\"{json}\"}}}}"), &[s(41, [s(1, want), s(2, want)].concat())]);
}

#[track_caller]
fn bad(json: &[u8], want: &str) {
    for tail in ["", "                                                "] {
        let document = [b"{\"text\":\"", json, b"\"", tail.as_bytes(), b"}"].concat();
        refuse_as(&PROTO3, "t.M", &document, &format!("text: {want}"));
    }
}

#[test]
fn plain_text_of_every_length() {
    for len in 0..150 {
        let plain = "x".repeat(len);
        if len > 0 {
            text(&plain, &plain);
        }
        let wide = "ä".repeat(len) + "z";
        text(&wide, &wide);
        text(&format!("{plain}\\n"), &format!("{plain}\n"));
        text(&format!("{plain}é"), &format!("{plain}é"));
        text(&format!("é{plain}\\u0041{plain}"), &format!("é{plain}A{plain}"));
    }
}

#[test]
fn strings_of_all_kinds_of_pieces_read_as_serde_json_reads_them() {
    const PIECES: [&[u8]; 20] = [
        b"plain words, ",
        b"x",
        b"yz",
        b"0123456789abcdef",
        b"0123456789abcdef0123456789abcdef",
        br#"\""#,
        br"\\",
        br"\/",
        br"\n",
        br"\u0000",
        br"\u00e9",
        br"\ud83d\ude01",
        "é".as_bytes(),
        "谷歌".as_bytes(),
        "😁".as_bytes(),
        // These are bad.
        b"\xc3",
        b"\xf0\x9f",
        b"\x1f",
        br"\ud83d",
        br"\x",
    ];
    // Steele and Vigna's SplitMix64.
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    };
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let mut raw = b"\"".to_vec();
        for _ in 0..random(12) {
            let kinds = if random(40) == 0 { PIECES.len() } else { 15 };
            raw.extend_from_slice(PIECES[random(kinds)]);
        }
        raw.push(b'"');
        let tail = " ".repeat(random(2) * random(40));
        let document = [b"{\"text\":", &raw[..], b",\"texts\":[", &raw, b"]", tail.as_bytes(), b"}"].concat();
        let got = translate(&PROTO3, "t.M", &document, &ParseOptions::default());
        if let Ok(text) = serde_json::from_slice::<String>(&raw) {
            let field = if text.is_empty() { Vec::new() } else { s(14, &text) };
            assert_eq!(got, Ok([field, s(23, &text)].concat()), "{}", document.escape_ascii());
            good += 1;
        } else {
            assert!(got.is_err(), "{}", document.escape_ascii());
            bad += 1;
        }
    }
    assert!(good > 15_000 && bad > 500, "{good} good, {bad} bad");
}

#[test]
fn an_empty_string_is_the_default() {
    check(r#"{"text":""}"#, &[]);
    check(r#"{"two":""}"#, &[s(32, "")]);
    check(r#"{"texts":[""]}"#, &[s(23, "")]);
}

#[test]
fn escapes() {
    text(r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t");
    text(r"\u8C37\u6b4c", "谷歌");
    text(r"\uD83D\uDE01", "😁");
    text(r"\ud83d\ude01!", "😁!");
    text(r"a\u0000b", "a\0b");
    text(r"\uFFFF\uE000\uD7FF", "\u{ffff}\u{e000}\u{d7ff}");
    text(r"\uDBFF\uDFFF\uD800\uDC00", "\u{10ffff}\u{10000}");
    text("\u{7f}\u{80}\u{2028}\u{10ffff}", "\u{7f}\u{80}\u{2028}\u{10ffff}");
}

#[test]
fn no_other_escapes() {
    for escape in [r"\U0041", r"\x41", r"\a", r"\'", r"\0", r"\u00g0", r"\uXXXX", r"\u +41", r"\u"] {
        bad(escape.as_bytes(), "invalid escape sequence in a string (byte 9)");
    }
    bad(br"abc\u12", "invalid escape sequence in a string (byte 12)");
}

#[test]
fn surrogates_come_in_pairs() {
    for lone in [r"\uD800", r"\uDC00", r"\uDE01\uD83D", r"\uD83Dx", r"\uD83D\n", r"\uD83D\u0041", r"\uD83D\uD83D\uDE01"]
    {
        bad(lone.as_bytes(), "lone surrogate in a string (byte 9)");
    }
}

#[test]
fn control_characters_are_escaped() {
    for byte in 0..0x20u8 {
        bad(&[b'a', byte], &format!("control character 0x{byte:02x} in a string (byte 10)"));
        bad(
            &[b"0123456789012345678901234567890123456789".as_slice(), &[byte]].concat(),
            &format!("control character 0x{byte:02x} in a string (byte 49)"),
        );
    }
}

#[test]
fn text_is_utf_8() {
    // Alone continuing, cut short, overlong, a surrogate, above the last character, never a byte.
    for bytes in [
        &b"\x80"[..],
        b"\xc3",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
        b"\xf0\x9f\x98",
    ] {
        bad(bytes, "invalid UTF-8 in a string (byte 9)");
        bad(&[b"0123456789", bytes].concat(), "invalid UTF-8 in a string (byte 19)");
        bad(&[b"\\n012345678901234567890123456789", bytes].concat(), "invalid UTF-8 in a string (byte 41)");
        bad(&[bytes, b"0123456789012345678901234567890123456789"].concat(), "invalid UTF-8 in a string (byte 9)");
    }
    refuse_as(&PROTO3, "t.M", b"{\"te\xffxt\":1}", "invalid UTF-8 in a string (byte 4)");
}

#[test]
fn an_open_string_is_found_at_the_end() {
    refuse(r#"{"text":"abc"#, "text: expected `\"` at the end of a string, found end of input (byte 12)");
    refuse(r#"{"text":"abc\"#, "text: expected `\"` at the end of a string, found end of input (byte 13)");
    refuse(r#"{"text":"abc\u12"#, "text: expected `\"` at the end of a string, found end of input (byte 16)");
    refuse(r#"{"text":"\ud83d"#, "text: expected `\"` at the end of a string, found end of input (byte 15)");
    refuse(r#"{"text":"\ud83d\ude"#, "text: expected `\"` at the end of a string, found end of input (byte 19)");
}

#[test]
fn only_strings_are_text() {
    for (json, found) in [("1", "number 1"), ("true", "true"), ("{}", "object"), ("[]", "array")] {
        refuse(&format!("{{\"text\":{json}}}"), &format!("text: expected string, found {found} (byte 8)"));
    }
    refuse("{\"text\":'x'}", "text: expected a value, found `'` (byte 8)");
}

#[test]
fn bytes_are_base64() {
    for (json, want) in [
        ("AQI=", &b"\x01\x02"[..]),
        ("AQI", b"\x01\x02"),
        ("-_", b"\xfb"),
        ("+/", b"\xfb"),
        ("AAEC", b"\x00\x01\x02"),
        ("aGVsbG8sIHdvcmxkISBBbmQgbW9yZSB0aGFuIGEgd29yZC4", b"hello, world! And more than a word."),
        (r"+\/+\u002f", b"\xfb\xff\xbf"),
    ] {
        check(&format!("{{\"data\":\"{json}\"}}"), &[s(15, want)]);
    }
    check(r#"{"data":""}"#, &[]);
    let expected = "no base64 (byte 8)".replace("no", "is no");
    for text in ["A", "AQ=", "====", "AQ I", "AQ\u{e9}I", "AQI=="] {
        refuse(
            &format!("{{\"data\":\"{text}\"}}"),
            &format!("data: {text:?} {expected}").replace("AQ=\" is", "AQ=\" is"),
        );
    }
    refuse(r#"{"data":1}"#, "data: expected bytes (a string of base64), found number 1 (byte 8)");
}
