use super::{Run, run, short_string, token};

/// What a string starts with: plain bytes, the byte that ends them, whether all are ASCII.
fn slow(text: &[u8]) -> (usize, u8, bool) {
    let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let len = text.iter().position(special).unwrap_or(text.len());
    (len, text.get(len).copied().unwrap_or(0), text[..len].is_ascii())
}

#[test]
fn words_see_what_single_bytes_show() {
    for byte in 0..=255u8 {
        for other in [0x80, b'"', b'\\', 0x1f, 0x21, 0x23, 0x5b, 0x5d, 0xa2, 0xdc, 0x7f] {
            for place in 0..16 {
                let mut chunk = *b"abcdefghijklmnop";
                chunk[place] = byte;
                chunk[(place + 1) % 16] = other;
                let (len, end, ascii) = slow(&chunk);
                let found = run(&chunk, 0);
                let high = chunk.iter().position(|byte| *byte >= 0x80).unwrap_or(len).min(len);
                assert_eq!(found, Run { end: len, high }, "{chunk:x?}");
                let short = (end == b'"' && ascii).then_some(len);
                assert_eq!(short_string(&chunk), short, "{chunk:x?}");
            }
        }
    }
}

#[test]
fn a_run_ends_at_every_length_where_its_first_special_byte_stands() {
    for len in 0..300 {
        for special in [b'"', b'\\', 0x1f, 0] {
            let mut text = vec![b'x'; len];
            text.push(special);
            text.extend_from_slice(b"\xc3\xa9 tail that must not count, it is longer than a step");
            let found = run(&text, 0);
            assert_eq!(found, Run { end: len, high: len });
        }
        assert_eq!(run(&vec![0xc3; len], 0), Run { end: len, high: 0 });
        let late = [vec![b'x'; len], vec![0xc3; len], b"\"".to_vec()].concat();
        assert_eq!(run(&late, 0), Run { end: 2 * len, high: len });
    }
}

#[test]
fn white_space_is_what_json_says() {
    assert_eq!(token(b" \t\r\n                       x", 0), (27, b'x'));
    assert_eq!(token(b" \x0bx", 0), (1, 0x0b));
    assert_eq!(token(b"   ", 0), (3, 0));
}
