//! Length-prefixed messages.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::Write;
use tidegate_transcode::frame::{Bounds, DecompressError, Deframer, Frame, FrameError, decompress, write_header};

/// Three frames: 3 bytes, none, and 2 compressed ones.
const STREAM: &[u8] = b"\x00\x00\x00\x00\x03abc\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02xy";

fn frame(compressed: bool, payload: &'static [u8]) -> Frame {
    Frame { compressed, payload: Bytes::from_static(payload) }
}

fn frames() -> Vec<Frame> {
    vec![frame(false, b"abc"), frame(false, b""), frame(true, b"xy")]
}

fn drain(deframer: &mut Deframer, into: &mut Vec<Frame>) {
    while let Some(frame) = deframer.next().expect("the stream is well-formed") {
        into.push(frame);
    }
}

#[test]
fn frames_are_found_wherever_the_stream_is_cut() {
    for first in 0..=STREAM.len() {
        for second in first..=STREAM.len() {
            let mut deframer = Deframer::new(3);
            let mut found = Vec::new();
            for chunk in [&STREAM[..first], &STREAM[first..second], &STREAM[second..]] {
                deframer.push(Bytes::from_static(chunk));
                drain(&mut deframer, &mut found);
            }
            assert_eq!((found, deframer.finish()), (frames(), Ok(())), "cut at {first} and {second}");
        }
    }
}

#[test]
fn frames_are_found_byte_by_byte_and_when_read_late() {
    let mut deframer = Deframer::new(3);
    for index in 0..STREAM.len() {
        deframer.push(Bytes::from_static(&STREAM[index..=index]));
    }
    let mut found = Vec::new();
    drain(&mut deframer, &mut found);
    assert_eq!((found, deframer.finish()), (frames(), Ok(())));
}

#[test]
fn a_payload_within_one_chunk_is_not_copied() {
    let chunk = Bytes::from(STREAM.to_vec());
    let mut deframer = Deframer::new(100);
    deframer.push(chunk.clone());
    let payload = deframer.next().expect("well-formed").expect("complete").payload;
    assert_eq!(payload.as_ptr(), chunk[5..].as_ptr());
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_truncated() {
    for len in 0..STREAM.len() {
        let mut deframer = Deframer::new(3);
        deframer.push(Bytes::from_static(&STREAM[..len]));
        let mut found = Vec::new();
        drain(&mut deframer, &mut found);
        let want = match len {
            0 | 8 | 13 => Ok(()),
            1..5 => Err(FrameError::Truncated { missing: 5 - len }),
            5..8 => Err(FrameError::Truncated { missing: 8 - len }),
            9..13 => Err(FrameError::Truncated { missing: 13 - len }),
            14..18 => Err(FrameError::Truncated { missing: 18 - len }),
            _ => Err(FrameError::Truncated { missing: 20 - len }),
        };
        assert_eq!(deframer.finish(), want, "{len} bytes");
    }
}

#[test]
fn a_message_above_the_limit_is_refused_by_its_header() {
    let mut deframer = Deframer::new(1000);
    deframer.push(Bytes::from_static(b"\x00\xff\xff\xff\xff"));
    let want = Err(FrameError::TooLarge { len: 0xffff_ffff, limit: 1000 });
    assert_eq!(deframer.next(), want);
    assert_eq!(deframer.next(), want, "and stays refused");
    let mut deframer = Deframer::new(2);
    deframer.push(Bytes::from_static(STREAM));
    assert_eq!(deframer.next(), Err(FrameError::TooLarge { len: 3, limit: 2 }));
}

#[test]
fn flags_that_grpc_does_not_define_are_refused() {
    for flag in 2..=255 {
        let mut deframer = Deframer::new(10);
        deframer.push(Bytes::from(vec![flag, 0, 0, 0, 0]));
        assert_eq!(deframer.next(), Err(FrameError::BadFlag(flag)));
        assert_eq!(deframer.finish(), Err(FrameError::BadFlag(flag)));
    }
}

#[test]
fn a_header_holds_what_four_bytes_can_say() {
    let mut header = [9; 5];
    assert_eq!((write_header(&mut header, 0x0102_0304), header), (Ok(()), [0, 1, 2, 3, 4]));
    let len = u32::MAX as usize + 1;
    assert_eq!(write_header(&mut header, len), Err(FrameError::TooLarge { len, limit: u32::MAX as usize }));
}

fn gzip(data: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).expect("memory takes all");
    encoder.finish().expect("memory takes all").into()
}

fn zlib(data: &[u8]) -> Bytes {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).expect("memory takes all");
    encoder.finish().expect("memory takes all").into()
}

fn up_to(max_bytes: usize) -> Bounds {
    Bounds { max_bytes, max_ratio: 100 }
}

/// The message, or the error's text.
fn unpack(encoding: &str, payload: impl Into<Bytes>, limit: usize) -> Result<Bytes, String> {
    decompress(encoding, payload.into(), up_to(limit)).map_err(|error| error.to_string())
}

#[test]
fn messages_are_decompressed() {
    let message: Vec<u8> = (0..100_000u32).flat_map(|n| n.to_le_bytes()).collect();
    let want = Ok(Bytes::from(message.clone()));
    assert_eq!(unpack("gzip", gzip(&message), message.len()), want);
    assert_eq!(unpack("deflate", zlib(&message), message.len()), want);
    assert_eq!(unpack("identity", message.clone(), message.len()), want);
    assert_eq!(unpack("gzip", gzip(b""), 0), Ok(Bytes::new()));
}

#[test]
fn a_decompressed_message_is_limited() {
    let message = vec![7; 1001];
    let want = Err("the message is above the limit of 1000 bytes".into());
    assert_eq!(unpack("gzip", gzip(&message), 1000), want);
    assert_eq!(unpack("deflate", zlib(&message), 1000), want);
    assert_eq!(unpack("identity", message.clone(), 1000), want);
    assert_eq!(unpack("gzip", gzip(&message), 1001), Ok(message.into()));
}

#[test]
fn a_bomb_is_refused_before_the_limit() {
    let bomb = vec![0; 10 << 20];
    let want = "the message is more than 100 times larger than its compressed form";
    assert_eq!(unpack("gzip", gzip(&bomb), 64 << 20), Err(want.into()));
    assert_eq!(unpack("deflate", zlib(&bomb), 64 << 20), Err(want.into()));
    // Small ones are no bombs, however well they compress.
    let small = vec![0; 64 << 10];
    assert_eq!(unpack("gzip", gzip(&small), 64 << 20), Ok(small.into()));
}

#[test]
fn bytes_in_no_known_encoding_are_refused() {
    assert_eq!(unpack("br", "x", 100), Err("the encoding `br` is unknown".into()));
    let malformed = |result| matches!(result, Err(DecompressError::Malformed(_)));
    assert!(malformed(decompress("gzip", Bytes::from_static(b"not gzip at all"), up_to(100))));
    assert!(malformed(decompress("deflate", Bytes::from_static(b"not zlib at all"), up_to(100))));
    let whole = gzip(b"some message");
    for len in 1..whole.len() {
        assert!(malformed(decompress("gzip", whole.slice(..len), up_to(100))), "{len} bytes of {}", whole.len());
    }
    let mut trailing = zlib(b"some message").to_vec();
    trailing.push(0);
    assert!(malformed(decompress("deflate", trailing.into(), up_to(100))));
}
