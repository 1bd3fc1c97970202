use super::{literal, status};

#[test]
fn a_status_is_read_however_it_is_written() {
    assert_eq!(status(&[0x88, 0x76]), 200);
    assert_eq!(status(&[0x20, 0x8c]), 400);
    assert_eq!(status(b"\x48\x03431rest"), 431);
    // RFC 7541, C.6.1 and C.6.2: 302 and 307 in Huffman code.
    assert_eq!(status(&[0x48, 0x82, 0x64, 0x02, 0x58]), 302);
    assert_eq!(status(&[0x48, 0x83, 0x64, 0x0e, 0xff]), 307);
    assert_eq!(status(&[0x40]), 0);
}

#[test]
fn a_long_string_has_its_length_in_several_bytes() {
    let mut block = Vec::new();
    literal(&mut block, b"a", &[b'x'; 1337 + 127 - 31]);
    // RFC 7541, C.1.2, with a prefix of seven bits.
    assert_eq!(block[..6], [0x00, 1, b'a', 127, 0x80 | (1306 % 128) as u8, (1306 / 128) as u8]);
}
