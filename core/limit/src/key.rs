//! Keys as fixed-size hashes.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// The 128-bit hash of everything that makes two budgets different: the limit and the values of its key.
///
/// Two keys that hash alike share a budget, which can refuse too much and never admit too much. The hash is keyed:
/// who does not know the secret cannot make keys meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u128);

/// Makes [`Key`]s. Every process that shares a store must have the same secret.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    secret: (u64, u64),
}

/// A key in the making.
#[derive(Debug, Clone)]
pub struct KeyBuilder(SipHasher13);

impl Keys {
    /// Keys under a secret of 128 random bits.
    #[must_use]
    pub const fn new(secret: u128) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        Self { secret: ((secret >> 64) as u64, secret as u64) }
    }

    /// A key that begins with `limit`, the name of the limit.
    #[must_use]
    pub fn of(&self, limit: &str) -> KeyBuilder {
        KeyBuilder(SipHasher13::new_with_keys(self.secret.0, self.secret.1)).with(limit.as_bytes())
    }
}

impl KeyBuilder {
    /// Adds a value. Lengths are part of the hash: `("a", "bc")` is not `("ab", "c")`.
    #[must_use]
    pub fn with(mut self, value: &[u8]) -> Self {
        self.0.write_u64(value.len() as u64);
        self.0.write(value);
        self
    }

    /// Adds that there is no value, which is no value of anybody.
    #[must_use]
    pub fn without(mut self) -> Self {
        self.0.write_u64(u64::MAX);
        self
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> Key {
        Key(self.0.finish128().as_u128())
    }
}
