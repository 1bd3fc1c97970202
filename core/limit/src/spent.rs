//! Budgets that were spent already: what an edge tells those behind it, so that nothing is charged twice.
//!
//! ```text
//! 1;<milliseconds since 1970>;<key>:<cost>[,<key>:<cost>…];<HMAC-SHA256 of all that and the request's id>
//! ```
//!
//! A key is the hash of a limit's name and of the values of its key, made with the secret: who reads it learns neither.
//! The text holds for one request id and for a few seconds by the wall clocks of both sides, whichever way they differ.
//! Within that it can be shown again, as a retry does: [`Seen`] counts how often.

use std::collections::HashMap;
use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::key::{Key, Keys};

/// The header that carries it.
pub const HEADER: &str = "tidegate-spent";
/// How old it may be, and how far ahead.
pub const LIFETIME: Duration = Duration::from_secs(5);
/// Bytes that a secret must have at least.
pub const SHORTEST: usize = 16;
/// Budgets that are told at most, and the bytes that their text has at most.
const MOST: usize = 16;
const LONGEST: usize = 32 + MOST * (32 + 2 + 20) + 64;

/// Units of a budget that were spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The limit and the values of its key, by [`Seal::keys`].
    pub key: Key,
    /// Units.
    pub cost: u64,
}

/// A secret is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret needs at least 16 bytes")]
pub struct Short;

/// Why a text is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// It is not written like one.
    #[error("it is not written like one")]
    Malformed,
    /// Another secret, another request, or changed on its way.
    #[error("it was made with another secret, for another request, or was changed")]
    Forged,
    /// Older than [`LIFETIME`], or as far ahead.
    #[error("it is of another time: older than 5 s, or clocks differ by more than that")]
    Old,
}

/// Who knows the secret: signs and reads.
#[derive(Clone)]
pub struct Seal {
    mac: Hmac<Sha256>,
    keys: Keys,
}

/// Without the secret.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

/// What was told, by somebody who knows the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    spent: Vec<Spent>,
    /// What makes it different from others: a part of its signature.
    mark: u128,
}

impl Seal {
    /// Both sides have the same secret.
    ///
    /// # Errors
    /// It has fewer than [`SHORTEST`] bytes.
    pub fn new(secret: &str) -> Result<Self, Short> {
        let mac = Hmac::new_from_slice(secret.as_bytes()).ok().filter(|_| secret.len() >= SHORTEST).ok_or(Short)?;
        // Keys are hashed with what follows from the secret, not with the secret itself.
        let mut keys = mac.clone();
        keys.update(b"tidegate-spent keys");
        let [first, ..] = halves(&keys.finalize().into_bytes());
        Ok(Self { mac, keys: Keys::new(first) })
    }

    /// Makes the keys that are told.
    #[must_use]
    pub const fn keys(&self) -> Keys {
        self.keys
    }

    /// What was spent for the request of this id. `now` is the wall time since 1970. Of more than sixteen budgets the
    /// first are told.
    #[must_use]
    pub fn sign(&self, spent: &[Spent], request: &str, now: Duration) -> String {
        let mut text = format!("1;{};", now.as_millis());
        for (index, Spent { key, cost }) in spent.iter().take(MOST).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a text cannot fail.
            let _ = write!(text, "{comma}{:032x}:{cost}", key.0);
        }
        let signature = self.signature(&text, request);
        let [first, second] = halves(&signature.finalize().into_bytes());
        let _ = write!(text, ";{first:032x}{second:032x}");
        text
    }

    /// Reads what was told of the request of this id.
    ///
    /// # Errors
    /// Why it is not believed: it must be as if it were not there.
    pub fn read(&self, text: &str, request: &str, now: Duration) -> Result<Proof, Doubt> {
        if text.len() > LONGEST {
            return Err(Doubt::Malformed);
        }
        let (said, signature) = text.rsplit_once(';').ok_or(Doubt::Malformed)?;
        let signature = bytes(signature).ok_or(Doubt::Malformed)?;
        // In a time that does not depend on where they differ.
        self.signature(said, request).verify_slice(&signature).map_err(|_| Doubt::Forged)?;
        let mut parts = said.split(';');
        let (Some("1"), Some(at), Some(list), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(Doubt::Malformed);
        };
        let at = Duration::from_millis(at.parse().map_err(|_| Doubt::Malformed)?);
        if at.abs_diff(now) > LIFETIME {
            return Err(Doubt::Old);
        }
        let spent = list.split(',').filter(|item| !item.is_empty()).map(item).collect::<Option<Vec<_>>>();
        let [mark, _] = halves(&signature);
        Ok(Proof { spent: spent.ok_or(Doubt::Malformed)?, mark })
    }

    fn signature(&self, said: &str, request: &str) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(b"tidegate-spent\0");
        // Its length goes first: what is signed can be read in one way.
        mac.update(&(request.len() as u64).to_le_bytes());
        mac.update(request.as_bytes());
        mac.update(said.as_bytes());
        mac
    }
}

impl Proof {
    /// Whether so many units of a budget were spent.
    #[must_use]
    pub fn covers(&self, key: Key, cost: u64) -> bool {
        self.spent.iter().any(|spent| spent.key == key && spent.cost >= cost)
    }
}

fn item(text: &str) -> Option<Spent> {
    let (key, cost) = text.split_once(':')?;
    let is_key = key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let key = u128::from_str_radix(key, 16).ok().filter(|_| is_key)?;
    Some(Spent { key: Key(key), cost: cost.parse().ok()? })
}

fn halves(bytes: &[u8]) -> [u128; 2] {
    let mut halves = [0_u128; 2];
    for (half, bytes) in halves.iter_mut().zip(bytes.chunks(16)) {
        *half = bytes.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
    }
    halves
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digit = |letter: u8| char::from(letter).to_digit(16);
        let [high, low] = pair else { return None };
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(bytes)
}

/// Proofs that were shown, as long as they would be believed.
///
/// One is taken as often as `uses` says: a call can be made again, and a request can be several calls to one service.
/// What cannot be remembered is not believed, so it is charged.
#[derive(Debug)]
pub struct Seen {
    uses: u32,
    most: usize,
    /// When the younger generation began, in wall time.
    since: Duration,
    young: HashMap<u128, u32>,
    old: HashMap<u128, u32>,
}

impl Seen {
    /// Takes each proof so often; `most` of them are remembered in about [`LIFETIME`] × 2.
    #[must_use]
    pub fn new(uses: u32, most: usize) -> Self {
        Self { uses, most, since: Duration::ZERO, young: HashMap::new(), old: HashMap::new() }
    }

    /// Whether a proof may be taken, once more.
    pub fn takes(&mut self, proof: &Proof, now: Duration) -> bool {
        // One from the future is believed for twice the lifetime. A clock that goes back keeps what is known.
        if now.saturating_sub(self.since) >= LIFETIME * 2 {
            let long_ago = now.saturating_sub(self.since) >= LIFETIME * 4;
            self.old = std::mem::take(&mut self.young);
            if long_ago {
                self.old.clear();
            }
            self.since = now;
        }
        let known = self.young.get(&proof.mark).or_else(|| self.old.get(&proof.mark)).copied();
        if known.is_none() && self.young.len() >= self.most {
            return false;
        }
        let uses = known.unwrap_or(0);
        if uses >= self.uses {
            return false;
        }
        self.young.insert(proof.mark, uses + 1);
        true
    }
}

#[cfg(test)]
mod tests;
