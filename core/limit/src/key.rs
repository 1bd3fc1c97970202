//! Keys as fixed-size hashes.

use std::hash::Hasher;

use siphasher::{sip, sip128};
use smallvec::SmallVec;

/// The hash of everything that makes two budgets different: the limit and the values of its key.
///
/// Two keys that hash alike share a budget, which can refuse too much and never admit too much. The hash is keyed:
/// who does not know the secret cannot make keys meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u128);

/// Makes [`Key`]s. Every process that shares a store must have the same secret.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    hasher: sip128::SipHasher13,
    is_near: bool,
}

/// Makes the keys of one limit: its own secret follows from its name.
#[derive(Debug, Clone, Copy)]
pub struct KeysOfLimit {
    /// For lists of values.
    hasher: Keyed,
    /// For keys that are one value, which need no lengths.
    only: Keyed,
}

/// A hash with its secret.
#[derive(Debug, Clone, Copy)]
enum Keyed {
    /// Of 128 bits, for keys that nodes have in common: of 10⁹ not two are alike.
    Wide(sip128::SipHasher13),
    /// Of 64 bits, which are cheaper, for those of a table in memory: of 10⁷ keys two are alike once in 3 · 10⁵ times.
    Near(sip::SipHasher13),
}

/// A key in the making.
#[derive(Debug, Clone)]
pub struct KeyBuilder {
    hasher: Keyed,
    parts: SmallVec<[u8; 64]>,
}

/// Hashes what has a [`Key`] in it, for tables in memory: a key is a hash already, and one that nobody can choose.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfKeys(u64);

impl Hasher for OfKeys {
    fn write_u128(&mut self, key: u128) {
        let (high, low) = halves(key);
        // Tables take their bits from both ends. Keys of tests are small numbers.
        self.0 = (self.0 ^ low ^ high.rotate_left(32)).wrapping_mul(SPREAD);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// An odd number of random bits: 2⁶⁴ divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Longer values are hashed first, so that a key in the making stays small whatever is in it.
const LONGEST: usize = 128;
/// In place of a length: a long value's hash follows; there is no value.
const HASHED: u8 = 254;
const ABSENT: u8 = 255;

#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
const fn halves(hash: u128) -> (u64, u64) {
    ((hash >> 64) as u64, hash as u64)
}

fn wide(secret: u128) -> sip128::SipHasher13 {
    let (high, low) = halves(secret);
    sip128::SipHasher13::new_with_keys(high, low)
}

impl Keyed {
    fn new(secret: u128, is_near: bool) -> Self {
        if !is_near {
            return Self::Wide(wide(secret));
        }
        let (high, low) = halves(secret);
        Self::Near(sip::SipHasher13::new_with_keys(high, low))
    }

    #[inline]
    fn hash(&self, bytes: &[u8]) -> u128 {
        match self {
            Self::Wide(hasher) => hasher.hash(bytes).as_u128(),
            Self::Near(hasher) => {
                let hash = hasher.hash(bytes);
                // Tables take their bits from both halves.
                u128::from(hash) << 64 | u128::from(hash.wrapping_mul(SPREAD))
            }
        }
    }
}

impl Keys {
    /// Keys under a secret of 128 random bits.
    #[must_use]
    pub fn new(secret: u128) -> Self {
        Self { hasher: wide(secret), is_near: false }
    }

    /// Keys under a secret that a person made up: the same text is the same secret, on every node.
    #[must_use]
    pub fn of_text(secret: &str) -> Self {
        Self::new(wide(0).hash(secret.as_bytes()).as_u128())
    }

    /// Keys under the same secret for tables of this process: cheaper ones, which no other process is to know.
    #[must_use]
    pub const fn near(self) -> Self {
        Self { is_near: true, ..self }
    }

    /// The keys of `limit`, by its name.
    #[must_use]
    pub fn of(&self, limit: &str) -> KeysOfLimit {
        let secret = self.hasher.hash(limit.as_bytes()).as_u128();
        let keyed = |secret| Keyed::new(secret, self.is_near);
        KeysOfLimit { hasher: keyed(secret), only: keyed(!secret) }
    }
}

impl KeysOfLimit {
    /// A key without values.
    #[inline]
    #[must_use]
    pub fn start(&self) -> KeyBuilder {
        KeyBuilder { hasher: self.hasher, parts: SmallVec::new() }
    }

    /// The key that is one value, and never that of a list.
    #[inline]
    #[must_use]
    pub fn only(&self, value: &[u8]) -> Key {
        Key(self.only.hash(value))
    }
}

impl KeyBuilder {
    /// Adds a value. Lengths are part of the hash: `("a", "bc")` is not `("ab", "c")`.
    #[inline]
    #[must_use]
    pub fn with(mut self, value: &[u8]) -> Self {
        if let (Ok(length), true) = (u8::try_from(value.len()), value.len() <= LONGEST) {
            self.parts.push(length);
            self.parts.extend_from_slice(value);
        } else {
            self.parts.push(HASHED);
            self.parts.extend_from_slice(&self.hasher.hash(value).to_le_bytes());
        }
        self
    }

    /// Adds that there is no value, which is no value of anybody.
    #[must_use]
    pub fn without(mut self) -> Self {
        self.parts.push(ABSENT);
        self
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> Key {
        Key(self.hasher.hash(&self.parts))
    }
}
