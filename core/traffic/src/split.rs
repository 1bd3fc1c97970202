//! A split that keeps everybody on the same side.

use crate::request::{RequestView, cookie, header_value};
use http::HeaderName;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// Room for salt and value without an allocation.
const INLINE_BYTES: usize = 128;

/// What is hashed of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SplitKey {
    /// The value of this header, comma-joined if it is repeated.
    Header(HeaderName),
    /// The value of the first cookie of this name.
    Cookie(String),
}

/// Places every value at a fixed point of the line from 0 to 2⁶⁴: XXH3-64 of the salt's bytes and the value's,
/// one behind the other. The same in every process and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// What is hashed.
    pub key: SplitKey,
    /// What is hashed before it, so that two canaries do not share their first users.
    pub salt: String,
}

impl Split {
    /// Where a request stands; `None` if what is hashed is missing or empty.
    #[must_use]
    pub fn place(&self, request: &RequestView<'_>) -> Option<u64> {
        let value = match &self.key {
            SplitKey::Header(name) => header_value(request.headers, name)?,
            SplitKey::Cookie(name) => Cow::Borrowed(cookie(request.headers, name)?),
        };
        (!value.is_empty()).then(|| self.place_of(&value))
    }

    /// Where a value stands.
    #[must_use]
    pub fn place_of(&self, value: &[u8]) -> u64 {
        let mut bytes = SmallVec::<[u8; INLINE_BYTES]>::from_slice(self.salt.as_bytes());
        bytes.extend_from_slice(value);
        xxh3_64(&bytes)
    }
}

impl fmt::Display for SplitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::Cookie(name) => write!(f, "cookie `{name}`"),
        }
    }
}
