use super::{first_special, first_stop, is_plain_ascii};

#[track_caller]
fn check<const N: usize>(block: &[u8; N]) {
    let stop = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let special = |byte: &u8| stop(byte) || *byte >= 0x80;
    let want = (block.iter().position(stop), block.iter().position(special));
    assert_eq!((first_stop(block), first_special(block)), want, "{block:x?}");
    assert_eq!(is_plain_ascii(block), want.1.is_none(), "{block:x?}");
}

#[test]
fn blocks_show_what_single_bytes_show() {
    for byte in 0..=255u8 {
        for other in [0x80, b'"', b'\\', 0x1f, 0x20, 0x21, 0x23, 0x5b, 0x5d, 0xa2, 0xdc, 0xff, 0x7f] {
            for place in 0..32 {
                let mut block = *b"abcdefghijklmnopqrstuvwxyz012345";
                block[place] = byte;
                block[(place + 1) % 32] = other;
                check(&block);
                check(block.first_chunk::<16>().unwrap());
            }
        }
    }
}
