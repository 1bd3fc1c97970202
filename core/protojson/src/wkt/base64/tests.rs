use super::{decode, decoded_len, without_padding};

fn decoded(text: &str) -> Option<Vec<u8>> {
    let text = without_padding(text.as_bytes());
    let mut out = vec![0; decoded_len(text)];
    decode(text, &mut out).then_some(out)
}

#[test]
fn both_alphabets_with_and_without_padding() {
    for (text, want) in [
        ("", &b""[..]),
        ("AQI=", b"\x01\x02"),
        ("AQI", b"\x01\x02"),
        ("AQ==", b"\x01"),
        ("AQ", b"\x01"),
        ("AAEC", b"\x00\x01\x02"),
        ("+/+/", b"\xfb\xff\xbf"),
        ("-_-_", b"\xfb\xff\xbf"),
        ("-_", b"\xfb"),
        ("aGVsbG8gd29ybGQ=", b"hello world"),
    ] {
        assert_eq!(decoded(text).as_deref(), Some(want), "{text}");
    }
}

#[test]
fn anything_else_is_refused() {
    for text in ["A", "AQI==", "AQ=", "=", "==", "====", "AQ=A", "AAECA", "A A=", "AQI\n", "AQ=I", "\u{e9}AA", "A==="] {
        assert_eq!(decoded(text), None, "{text:?}");
    }
}
