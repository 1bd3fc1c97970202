use super::{MOVE_MAX, Output, STEP};
use crate::schema::TagBytes;
use crate::wire::{Reader, WireType, put_varint};

/// Writes a payload of `len` behind a prefix guessed `width` wide, and reads it back.
fn round(len: usize, width: u8) -> (u8, usize) {
    let mut out = Output::new(vec![7], 16, usize::MAX);
    let mark = out.open(width).expect("room");
    let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
    out.bytes(&payload).expect("room");
    let needed = out.close(mark).expect("room");
    let written = out.finish();
    assert_eq!(written.first(), Some(&7));
    let mut reader = Reader::new(&written[1..]);
    assert_eq!(reader.len_prefixed(), Ok(&payload[..]));
    assert!(reader.is_empty());
    (needed, written.len() - 1 - len)
}

#[test]
fn a_wrong_guess_moves_a_short_payload_and_pads_a_long_one() {
    for width in 1..=5 {
        assert_eq!(round(0, width), (1, 1));
        assert_eq!(round(127, width), (1, 1));
        assert_eq!(round(128, width), (2, 2));
        assert_eq!(round(MOVE_MAX, width), (3, 3));
        let long = MOVE_MAX + 1;
        assert_eq!(round(long, width), (3, usize::from(width.max(3))));
    }
}

#[test]
fn varints_of_every_length_behind_tags_of_every_length() {
    for tag in [TagBytes::NONE, TagBytes::short(1, WireType::Varint), TagBytes::of(1000, WireType::Varint)] {
        for bits in 0..64 {
            for value in [1 << bits, (1 << bits) - 1, u64::MAX >> bits] {
                let mut out = Output::new(Vec::new(), 0, usize::MAX);
                out.varint(tag, value).expect("room");
                let mut want = tag.as_slice().to_vec();
                put_varint(&mut want, value);
                assert_eq!(out.finish(), want);
            }
        }
    }
}

#[test]
fn nothing_passes_the_limit_by_more_than_the_slack() {
    let mut out = Output::new(Vec::new(), 1 << 30, 100);
    while out.varint(TagBytes::NONE, u64::MAX).is_ok() {}
    assert!(out.is_over());
    assert!(out.finish().capacity() < 100 + 2 * STEP);
}
