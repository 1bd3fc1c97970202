//! Request ids: which of a client's are kept, and how ours are made.

#[cfg(test)]
mod tests;

use std::fmt;

use crate::trace_context::write_hex;

/// The longest id that is accepted from a client.
pub const MAX_LEN: usize = 128;

/// Whether a client's `x-request-id` may stay: 1 to [`MAX_LEN`] characters of `[A-Za-z0-9_.-]`,
/// so that it can be logged, sent on and searched for as it is.
#[must_use]
pub fn is_well_formed(id: &[u8]) -> bool {
    (1..=MAX_LEN).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// An id of our own: a UUID version 7 (RFC 9562, section 5.7), which sorts by time of creation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 36]);

impl RequestId {
    /// Makes an id from the wall time in milliseconds since the Unix epoch (its low 48 bits are
    /// used) and random bits (74 are used).
    #[must_use]
    pub fn generate(unix_ms: u64, random: u128) -> Self {
        let time = u128::from(unix_ms) << 80;
        let bits = (random & !(0xf << 76) & !(0x3 << 62)) & ((1 << 80) - 1);
        let uuid = time | bits | (0x7 << 76) | (0x2 << 62);

        let bytes = uuid.to_be_bytes();
        let mut out = [b'-'; 36];
        write_hex(&bytes[..4], &mut out[..8]);
        write_hex(&bytes[4..6], &mut out[9..13]);
        write_hex(&bytes[6..8], &mut out[14..18]);
        write_hex(&bytes[8..10], &mut out[19..23]);
        write_hex(&bytes[10..], &mut out[24..]);
        Self(out)
    }

    /// The 36 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The 36 characters as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 36] {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
