//! Reading bytes: white space, and the plain stretches of strings, many bytes a step.

use crate::plain::{first_special, first_stop};

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

/// How many plain ASCII bytes a chunk has in front of its first quote, if nothing else ends them.
#[inline(always)]
pub(super) fn short_string(chunk: &[u8; 16]) -> Option<usize> {
    first_special(chunk).filter(|len| chunk.get(*len) == Some(&b'"'))
}

/// A stretch of string without escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where the byte stands that ends it (a quote, a backslash, a control character, the end of the input).
    pub(super) end: usize,
    /// Where its first byte stands that is not ASCII: the text is to be checked from there on. `end` if there
    /// is none.
    pub(super) high: usize,
}

/// The stretch from `at` to the next quote, backslash or control character.
#[inline(always)]
pub(super) fn run(json: &[u8], at: usize) -> Run {
    let mut rest = json.get(at..).unwrap_or_default();
    let place = loop {
        let Some((block, behind)) = rest.split_first_chunk::<32>() else {
            break first_special(&last_block(rest));
        };
        if let Some(place) = first_special(block) {
            break Some(place);
        }
        rest = behind;
    };
    let high = json.len() - rest.len() + place.unwrap_or_default();
    let end = if peek(json, high) < 0x80 { high } else { stop(json, high) };
    Run { end, high }
}

/// The next quote, backslash or control character, or the end of the input.
#[inline(never)]
fn stop(json: &[u8], at: usize) -> usize {
    let mut rest = json.get(at..).unwrap_or_default();
    let place = loop {
        let Some((block, behind)) = rest.split_first_chunk::<32>() else {
            break first_stop(&last_block(rest));
        };
        if let Some(place) = first_stop(block) {
            break Some(place);
        }
        rest = behind;
    };
    json.len() - rest.len() + place.unwrap_or_default()
}

/// The last bytes of the input and zeros, which end a string as control characters do.
#[inline(never)]
fn last_block(rest: &[u8]) -> [u8; 32] {
    let mut block = [0; 32];
    for (place, byte) in block.iter_mut().zip(rest) {
        *place = *byte;
    }
    block
}

#[cfg(test)]
mod tests;
