//! gRPC's framing, compression and status trailers.

use crate::schema::{SCHEMA, assert_is_json};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_transcode::frame::{Bounds, Deframer, Frame, FrameError, decompress};
use tidegate_transcode::{Code, Status};

/// The largest message.
const LIMIT: usize = 512;

/// What [`decompress`] may make of its input.
const INFLATED: Bounds = Bounds { max_bytes: 1 << 17, max_ratio: 100 };

/// Up to this size the ratio does not count.
const RATIO_FREE: usize = 1 << 16;

/// One byte that says how the stream is cut, then the stream; the same bytes are a compressed message, and trailers.
///
/// Frames do not depend on where chunks end, and are what the bytes say. Decompression stays within its limit. A
/// status that is read from trailers, written and read again is the same, and is JSON.
pub fn grpc_frames(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else { return };
    let whole = frames([stream]);
    let size = usize::from(cut).max(1);
    assert_eq!(frames(stream.chunks(size)), whole);
    assert_eq!(frames(stream.chunks(1)), whole);
    assert_eq!(plain(stream), whole);
    for encoding in ["gzip", "deflate", "identity", "br"] {
        if let Ok(message) = decompress(encoding, Bytes::copy_from_slice(stream), INFLATED) {
            let in_proportion = (INFLATED.max_ratio * stream.len()).max(RATIO_FREE);
            assert!(message.len() <= INFLATED.max_bytes.min(in_proportion), "{encoding}: {} bytes", message.len());
            assert!(encoding != "identity" || message == stream);
        }
    }
    status(stream);
}

type Frames = (Vec<Frame>, Option<FrameError>);

fn frames<'d>(chunks: impl IntoIterator<Item = &'d [u8]>) -> Frames {
    let (mut deframer, mut found) = (Deframer::new(LIMIT), Vec::new());
    for chunk in chunks {
        deframer.push(Bytes::copy_from_slice(chunk));
        loop {
            match deframer.next() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(deframer.next(), Err(error));
                    return (found, Some(error));
                }
            }
        }
    }
    let end = deframer.finish().err();
    (found, end)
}

/// The same, read off the protocol's description.
fn plain(mut stream: &[u8]) -> Frames {
    let mut found = Vec::new();
    while !stream.is_empty() {
        let Some((&[flag, a, b, c, d], rest)) = stream.split_first_chunk() else {
            return (found, Some(FrameError::Truncated { missing: 5 - stream.len() }));
        };
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        if flag > 1 {
            return (found, Some(FrameError::BadFlag(flag)));
        }
        if len > LIMIT {
            return (found, Some(FrameError::TooLarge { len, limit: LIMIT }));
        }
        let Some((payload, rest)) = rest.split_at_checked(len) else {
            return (found, Some(FrameError::Truncated { missing: len - rest.len() }));
        };
        found.push(Frame { compressed: flag == 1, payload: Bytes::copy_from_slice(payload) });
        stream = rest;
    }
    (found, None)
}

/// Lines: `grpc-status`, `grpc-message`, `grpc-status-details-bin`.
fn status(text: &[u8]) {
    let mut trailers = HeaderMap::new();
    for (name, value) in
        ["grpc-status", "grpc-message", "grpc-status-details-bin"].iter().zip(text.split(|b| *b == b'\n'))
    {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            trailers.insert(HeaderName::from_static(name), value);
        }
    }
    let Some(Err(status)) = Status::from_trailers(&trailers) else { return };
    assert_ne!(status.code, Code::Ok);
    let mut written = HeaderMap::new();
    status.write_trailers(&mut written);
    assert_eq!(Status::from_trailers(&written), Some(Err(status.clone())));
    let mut json = Vec::new();
    status.to_json(&SCHEMA, &mut json);
    assert_is_json(&json);
    assert!(json.len() <= 256 + 128 * text.len(), "{} bytes of {}", json.len(), text.len());
}
