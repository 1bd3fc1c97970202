//! Reading bytes: white space, and the plain stretches of strings, eight bytes a step.

use crate::plain::{is_plain, is_plain_ascii};

/// The byte at `at`; 0, which no JSON token starts with, behind the end.
#[inline(always)]
pub(super) fn peek(json: &[u8], at: usize) -> u8 {
    json.get(at).copied().unwrap_or(0)
}

/// The next byte that is no white space, and where it stands; 0 at the end of the input.
#[inline(always)]
pub(super) fn token(json: &[u8], at: usize) -> (usize, u8) {
    let byte = peek(json, at);
    if byte > b' ' { (at, byte) } else { token_slow(json, at) }
}

#[inline(never)]
fn token_slow(json: &[u8], mut at: usize) -> (usize, u8) {
    const SPACES: u64 = 0x2020_2020_2020_2020;
    loop {
        match peek(json, at) {
            b' ' | b'\n' | b'\r' | b'\t' => at += 1,
            byte => return (at, byte),
        }
        // An indent.
        while let Some(chunk) = json.get(at..).and_then(|rest| rest.first_chunk::<8>())
            && u64::from_le_bytes(*chunk) == SPACES
        {
            at += 8;
        }
    }
}

/// The sixteen bytes at `at`, if there are so many.
#[inline(always)]
pub(super) fn chunk(json: &[u8], at: usize) -> Option<&[u8; 16]> {
    json.get(at..).and_then(|rest| rest.first_chunk::<16>())
}

/// The highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks, by its highest bit, the first of eight bytes (little endian) that ends a plain stretch of
/// string: a quote, a backslash, a control character. Bits above the lowest mean nothing.
#[inline(always)]
fn stops(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // With bit 1 flipped, quote (0x22) and control characters (below 0x20) are what is below 0x21.
    let quote_or_control = (word ^ (EACH * 0x02)).wrapping_sub(EACH * 0x21);
    let backslash = (word ^ (EACH * 0x5c)).wrapping_sub(EACH);
    (quote_or_control | backslash) & !word & HIGH
}

/// True if the next `N` bytes are plain ASCII.
#[inline(always)]
fn plain_ascii_at<const N: usize>(json: &[u8], at: usize) -> bool {
    json.get(at..).and_then(|rest| rest.first_chunk::<N>()).is_some_and(is_plain_ascii)
}

/// Skips blocks of plain ASCII: small ones first, for strings of a few words, then larger ones.
#[inline(always)]
fn skip_plain_ascii(json: &[u8], mut at: usize) -> usize {
    for _ in 0..2 {
        if !plain_ascii_at::<16>(json, at) {
            return at;
        }
        at += 16;
    }
    while plain_ascii_at::<32>(json, at) {
        at += 32;
    }
    if plain_ascii_at::<16>(json, at) { at + 16 } else { at }
}

/// How many plain ASCII bytes a chunk has in front of its first quote, if nothing else ends them.
#[inline(always)]
pub(super) fn short_string(chunk: &[u8; 16]) -> Option<usize> {
    let word = u128::from_le_bytes(*chunk);
    let (low, high) = (word as u64, (word >> 64) as u64);
    let (stop, place, text, before) = match stops(low) {
        0 => (stops(high), 8, high, low),
        stop => (stop, 0, low, 0),
    };
    if stop == 0 {
        return None;
    }
    let index = stop.trailing_zeros();
    let in_front = text & ((1 << (index & 56)) - 1);
    let is_quote = (text >> (index & 56)) as u8 == b'"';
    (is_quote && (in_front | before) & HIGH == 0).then_some(place + (index / 8) as usize)
}

/// A stretch of string without escapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Where the byte stands that ends it (a quote, a backslash, a control character, the end of the input).
    pub(super) end: usize,
    /// It has bytes that are not ASCII, and so must be checked.
    pub(super) high: bool,
}

/// The stretch from `at` to the next quote, backslash or control character.
#[inline]
pub(super) fn run(json: &[u8], at: usize) -> Run {
    let mut at = skip_plain_ascii(json, at);
    let mut high = 0;
    while let Some(chunk) = json.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let stop = stops(word);
        if stop != 0 {
            let index = stop.trailing_zeros();
            high |= word & ((1 << (index & 56)) - 1);
            return Run { end: at + (index / 8) as usize, high: high & HIGH != 0 };
        }
        high |= word;
        at += 8;
        if high & HIGH != 0 {
            while json.get(at..).and_then(|rest| rest.first_chunk::<32>()).is_some_and(is_plain) {
                at += 32;
            }
        }
    }
    let mut high = high & HIGH != 0;
    while let Some(&byte) = json.get(at)
        && byte >= 0x20
        && byte != b'"'
        && byte != b'\\'
    {
        high |= byte >= 0x80;
        at += 1;
    }
    Run { end: at, high }
}

#[cfg(test)]
mod tests;
