use super::{Replies, Reply};

/// Five frames, the third with a payload that looks like another.
fn bytes() -> Vec<u8> {
    [
        &[0, 0, 0, 4, 1, 0, 0, 0, 0][..],
        &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x48],
        &[0, 0, 9, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 5, 0, 0, 0, 9],
        &[0, 0, 4, 3, 0, 0, 0, 0, 5, 0, 0, 0, 7],
        &[0, 0, 2, 1, 5, 0, 0, 0, 7, 0x48, 0x48],
    ]
    .concat()
}

#[test]
fn replies_are_told_however_the_bytes_are_cut() {
    let bytes = bytes();
    for size in 1..=bytes.len() {
        let (mut replies, mut told) = (Replies::new(), Vec::new());
        for piece in bytes.chunks(size) {
            replies.wrote(piece, |reply| told.push(reply));
        }
        assert_eq!(told, [Reply::Headers(1), Reply::Reset(5, 7), Reply::Headers(7)], "{size}");
    }
}
