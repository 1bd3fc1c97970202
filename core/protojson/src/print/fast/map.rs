//! Maps: entries in the order of the wire, as long as no key comes twice.

use super::{Fast, Pass, Rest, Unusual};
use crate::print::scalar::PrintScalar;
use crate::print::text;
use crate::scalar::{Scalar, with_scalar};
use crate::schema::{Field, Kind};
use crate::take;

/// Up to this many keys are compared with each other.
const FEW: usize = 8;

impl Fast<'_> {
    /// Writes entries, each behind a comma, for as long as the same tag follows.
    pub(super) fn entries<'a>(&mut self, field: &Field, mut bytes: &'a [u8], depth: u32) -> Rest<'a> {
        let (key, value) = self.schema.map_entry(field).ok_or(Unusual::Order)?;
        loop {
            let (entry, rest) = take::len_prefixed(bytes)?;
            let more = self.entry(key, value, entry, depth)?;
            if !more.is_empty() {
                return Err(Unusual::Order);
            }
            match take::same_tag(rest, &field.tag) {
                Some(next) => bytes = next,
                None => return Ok(rest),
            }
        }
    }

    #[inline(always)]
    fn entry<'a>(&mut self, key: &Field, value: &Field, entry: &'a [u8], depth: u32) -> Rest<'a> {
        let start = self.out.position();
        self.out.byte(b',');
        let (fingerprint, rest) = match take::same_tag(entry, &key.tag) {
            Some(rest) => self.map_key(key, rest)?,
            None => (self.default_map_key(key), entry),
        };
        self.out.byte(b':');
        let rest = match take::same_tag(rest, &value.tag) {
            None => {
                self.missing_map_value(value, depth)?;
                rest
            }
            Some(rest) if value.closed_enum && self.is_unknown_enum(value, rest)? => {
                self.out.rewind(start);
                return Ok(take::skip(rest, value.raw_tag)?);
            }
            Some(rest) => self.value(value, rest, depth)?,
        };
        self.keys.push(fingerprint);
        Ok(rest)
    }

    /// Writes the value of an entry that has none.
    pub(in crate::print) fn missing_map_value(&mut self, value: &Field, depth: u32) -> Pass {
        match value.kind {
            Kind::Message(id) => {
                self.message(id, &[], 0, depth)?;
            }
            _ => self.default_value(value),
        }
        Ok(())
    }

    /// Writes a key within quotes; returns its fingerprint and what is behind it.
    #[inline(always)]
    pub(in crate::print) fn map_key<'a>(&mut self, key: &Field, bytes: &'a [u8]) -> Pass<(u64, &'a [u8])> {
        if key.kind == Kind::String {
            let (text, rest) = take::len_prefixed(bytes)?;
            text::string(&mut self.out, text)?;
            return Ok((fingerprint(text), rest));
        }
        self.number_key(key, bytes)
    }

    fn number_key<'a>(&mut self, key: &Field, bytes: &'a [u8]) -> Pass<(u64, &'a [u8])> {
        with_scalar!(key.kind,
            S => {
                let (value, rest) = S::take(bytes)?;
                S::print_key(&mut self.out, value);
                Ok((S::fingerprint(value), rest))
            },
            enum _ => Err(Unusual::Order),
            _ => Err(Unusual::Order),
        )
    }

    /// Writes the key of an entry that has none; returns its fingerprint.
    pub(in crate::print) fn default_map_key(&mut self, key: &Field) -> u64 {
        let (text, fingerprint): (&[u8], u64) = match key.kind {
            Kind::String => (b"\"\"", fingerprint(&[])),
            Kind::Bool => (b"\"false\"", 0),
            _ => (b"\"0\"", 0),
        };
        self.out.slice(text);
        fingerprint
    }

    /// Makes sure that no two of the fingerprints from `start` on are equal, and drops them.
    ///
    /// Linear: a table that somebody fills with chosen collisions is given up after a bounded number
    /// of steps. Two keys of one fingerprint only cost the other pass.
    pub(super) fn check_unique(&mut self, start: usize) -> Pass {
        let keys = self.keys.get(start..).unwrap_or_default();
        let unique = if keys.len() <= FEW {
            (1..keys.len()).all(|index| !keys[..index].contains(&keys[index]))
        } else {
            keys.is_sorted_by(|one, next| one < next) || all_differ(keys, &mut self.table)
        };
        self.keys.truncate(start);
        if unique { Ok(()) } else { Err(Unusual::Order) }
    }
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Eight bytes a step.
#[inline]
fn fingerprint(bytes: &[u8]) -> u64 {
    let mut state = bytes.len() as u64;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        state = (state ^ u64::from_le_bytes(*chunk)).wrapping_mul(MULTIPLIER).rotate_left(29);
    }
    // Of the rest, bytes may be taken twice: the length is in the state.
    let tail = match (bytes.last_chunk::<8>(), rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        (Some(tail), _, _) => u64::from_le_bytes(*tail),
        (None, Some(head), Some(tail)) => {
            u64::from(u32::from_le_bytes(*head)) << 32 | u64::from(u32::from_le_bytes(*tail))
        }
        _ => rest.iter().fold(0, |tail, byte| tail << 8 | u64::from(*byte)),
    };
    (state ^ tail).wrapping_mul(MULTIPLIER)
}

/// True if no two keys are equal; false if two are, or if it takes too long to tell.
fn all_differ(keys: &[u64], table: &mut Vec<u64>) -> bool {
    let capacity = (keys.len() * 2).next_power_of_two();
    table.clear();
    table.resize(capacity, 0);
    let (mask, shift) = (capacity - 1, 64 - capacity.trailing_zeros());
    let mut steps = 16 * keys.len();
    for &key in keys {
        // 0 marks a free place.
        let key = if key == 0 { MULTIPLIER } else { key };
        let mut place = (key.wrapping_mul(MULTIPLIER) >> shift) as usize;
        loop {
            let Some(found) = table.get_mut(place & mask) else { return false };
            if *found == 0 {
                *found = key;
                break;
            }
            if *found == key || steps == 0 {
                return false;
            }
            steps -= 1;
            place += 1;
        }
    }
    true
}
