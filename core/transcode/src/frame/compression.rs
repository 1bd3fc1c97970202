//! Message compression (`grpc-encoding`), within bounds.

use bytes::Bytes;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use std::io::{self, BufRead, Read};

/// Up to this size a message may be as much larger than its compressed form as it likes.
const RATIO_FREE: usize = 64 * 1024;

/// What a message may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes, before and after.
    pub max_bytes: usize,
    /// How many times its compressed size, from 64 KiB on. DEFLATE can reach 1032; text and messages
    /// stay below 100.
    pub max_ratio: usize,
}

/// Why a compressed message was not read.
#[derive(Debug, thiserror::Error)]
pub enum DecompressError {
    /// The encoding is none that this program knows.
    #[error("the encoding `{0}` is unknown")]
    UnknownEncoding(String),
    /// The message is larger than the limit.
    #[error("the message is above the limit of {limit} bytes")]
    TooLarge {
        /// What is allowed.
        limit: usize,
    },
    /// The message is out of proportion to its compressed form.
    #[error("the message is more than {max_ratio} times larger than its compressed form")]
    Bomb {
        /// What is allowed.
        max_ratio: usize,
    },
    /// The bytes are not in the encoding.
    #[error("the message cannot be decompressed")]
    Malformed(#[source] io::Error),
}

/// Decompresses one message.
///
/// `encoding` is the stream's `grpc-encoding`: `gzip` (RFC 1952), `deflate` (zlib, RFC 1950) or
/// `identity`, which gives `payload` back. `bounds` are of the message, not of its compressed form.
///
/// # Errors
/// [`DecompressError`]; at most `max_bytes` + 1 bytes were then produced.
pub fn decompress(encoding: &str, payload: Bytes, bounds: Bounds) -> Result<Bytes, DecompressError> {
    match encoding {
        "identity" if payload.len() > bounds.max_bytes => Err(DecompressError::TooLarge { limit: bounds.max_bytes }),
        "identity" => Ok(payload),
        "gzip" => {
            let mut decoder = MultiGzDecoder::new(&*payload);
            inflate(&mut decoder, payload.len(), bounds)
        }
        "deflate" => {
            let mut decoder = ZlibDecoder::new(&*payload);
            let message = inflate(&mut decoder, payload.len(), bounds)?;
            match decoder.into_inner().fill_buf() {
                Ok([]) => Ok(message),
                _ => Err(DecompressError::Malformed(io::Error::other("bytes behind the end"))),
            }
        }
        other => Err(DecompressError::UnknownEncoding(other.into())),
    }
}

fn inflate(decoder: &mut impl Read, compressed: usize, bounds: Bounds) -> Result<Bytes, DecompressError> {
    let Bounds { max_bytes: limit, max_ratio } = bounds;
    let in_proportion = compressed.saturating_mul(max_ratio).max(RATIO_FREE);
    let cap = limit.min(in_proportion);
    let mut message = Vec::with_capacity(compressed.saturating_mul(4).min(cap));
    let mut bounded = decoder.take(cap as u64 + 1);
    bounded.read_to_end(&mut message).map_err(DecompressError::Malformed)?;
    if message.len() <= cap {
        Ok(message.into())
    } else if message.len() > limit {
        Err(DecompressError::TooLarge { limit })
    } else {
        Err(DecompressError::Bomb { max_ratio })
    }
}
