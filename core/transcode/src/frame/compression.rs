//! Message compression (`grpc-encoding`), within bounds.

use bytes::Bytes;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use std::io::{self, BufRead, Read};

/// Up to this size a message may be as much larger than its compressed form as it likes.
const RATIO_FREE: usize = 64 * 1024;

/// Above it, how many times larger. DEFLATE can reach 1032; text and messages stay below 100.
const RATIO_MAX: usize = 200;

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
    #[error("the message is more than {RATIO_MAX} times larger than its compressed form")]
    Bomb,
    /// The bytes are not in the encoding.
    #[error("the message cannot be decompressed")]
    Malformed(#[source] io::Error),
}

/// Decompresses one message.
///
/// `encoding` is the stream's `grpc-encoding`: `gzip` (RFC 1952), `deflate` (zlib, RFC 1950) or
/// `identity`, which gives `payload` back. `limit` bounds the message, not its compressed form.
///
/// # Errors
/// [`DecompressError`]; at most `limit` + 1 bytes were then produced.
pub fn decompress(encoding: &str, payload: Bytes, limit: usize) -> Result<Bytes, DecompressError> {
    match encoding {
        "identity" if payload.len() > limit => Err(DecompressError::TooLarge { limit }),
        "identity" => Ok(payload),
        "gzip" => {
            let mut decoder = MultiGzDecoder::new(&*payload);
            inflate(&mut decoder, payload.len(), limit)
        }
        "deflate" => {
            let mut decoder = ZlibDecoder::new(&*payload);
            let message = inflate(&mut decoder, payload.len(), limit)?;
            match decoder.into_inner().fill_buf() {
                Ok([]) => Ok(message),
                _ => Err(DecompressError::Malformed(io::Error::other("bytes behind the end"))),
            }
        }
        other => Err(DecompressError::UnknownEncoding(other.into())),
    }
}

fn inflate(decoder: &mut impl Read, compressed: usize, limit: usize) -> Result<Bytes, DecompressError> {
    let in_proportion = compressed.saturating_mul(RATIO_MAX).max(RATIO_FREE);
    let cap = limit.min(in_proportion);
    let mut message = Vec::with_capacity(compressed.saturating_mul(4).min(cap));
    let mut bounded = decoder.take(cap as u64 + 1);
    bounded.read_to_end(&mut message).map_err(DecompressError::Malformed)?;
    if message.len() <= cap {
        Ok(message.into())
    } else if message.len() > limit {
        Err(DecompressError::TooLarge { limit })
    } else {
        Err(DecompressError::Bomb)
    }
}
