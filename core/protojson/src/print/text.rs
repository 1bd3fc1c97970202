//! Strings and bytes as JSON strings.

use super::writer::Writer;

/// A string that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotUtf8;

/// Writes a quoted string; escapes only what JSON demands: `"`, `\` and control characters.
#[inline]
pub(super) fn string(out: &mut Writer, bytes: &[u8]) -> Result<(), NotUtf8> {
    let found = inspect(bytes);
    if found.high && std::str::from_utf8(bytes).is_err() {
        return Err(NotUtf8);
    }
    if found.special {
        escape(out, bytes);
        return Ok(());
    }
    quoted(out, bytes);
    Ok(())
}

#[inline]
fn quoted(out: &mut Writer, bytes: &[u8]) {
    let len = bytes.len();
    let place = out.reserve(len + 2);
    if let Some((first, rest)) = place.split_first_mut()
        && let Some((content, rest)) = rest.split_at_mut_checked(len)
        && let Some(last) = rest.first_mut()
    {
        *first = b'"';
        copy(content, bytes);
        *last = b'"';
    }
    out.advance(len + 2);
}

/// Writes a quoted string that is known to need no escapes.
#[inline]
pub(super) fn plain(out: &mut Writer, text: &[u8]) {
    quoted(out, text);
}

/// Copies short strings word by word, without the call that a copy of unknown length costs.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    let len = from.len();
    if len > 16 {
        to.copy_from_slice(from);
    } else if let (Some(head), Some(tail)) = (from.first_chunk::<8>(), from.last_chunk::<8>()) {
        // The words overlap unless there are sixteen bytes.
        if let Some(place) = to.first_chunk_mut() {
            *place = *head;
        }
        if let Some(place) = to.last_chunk_mut() {
            *place = *tail;
        }
    } else if let (Some(head), Some(tail)) = (from.first_chunk::<4>(), from.last_chunk::<4>()) {
        if let Some(place) = to.first_chunk_mut() {
            *place = *head;
        }
        if let Some(place) = to.last_chunk_mut() {
            *place = *tail;
        }
    } else {
        for (place, byte) in to.iter_mut().zip(from) {
            *place = *byte;
        }
    }
}

/// What a string is made of.
#[derive(Clone, Copy)]
struct Found {
    /// Some byte is not ASCII.
    high: bool,
    /// Some byte must be escaped.
    special: bool,
}

/// Looks at every byte, eight or sixteen at a time.
#[inline]
fn inspect(bytes: &[u8]) -> Found {
    let len = bytes.len();
    if len > 16 {
        return inspect_long(bytes);
    }
    let words = if let (Some(head), Some(tail)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        [u64::from_le_bytes(*head), u64::from_le_bytes(*tail)]
    } else if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let word = u64::from(u32::from_le_bytes(*head)) | u64::from(u32::from_le_bytes(*tail)) << 32;
        [word, word]
    } else {
        let word = bytes.iter().fold(PLAIN, |word, byte| word << 8 | u64::from(*byte));
        [word, word]
    };
    Found {
        high: (words[0] | words[1]) & HIGH != 0,
        special: (special_bytes(words[0]) | special_bytes(words[1])) & HIGH != 0,
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// Eight letters: fills a word where a string has no bytes.
const PLAIN: u64 = 0x6161_6161_6161_6161;

/// The high bit of some byte is set if the word holds a control character, `"` or `\`.
#[inline]
fn special_bytes(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (word.wrapping_sub(ONES * 0x20) & !word)
        | (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
}

fn inspect_long(bytes: &[u8]) -> Found {
    // Plain loops over fixed blocks: the compiler turns them into vector instructions.
    let (blocks, rest) = bytes.as_chunks::<16>();
    let mut high = [0u8; 16];
    let mut special = [0u8; 16];
    let tail = if rest.is_empty() { None } else { bytes.last_chunk::<16>() };
    for block in blocks.iter().chain(tail) {
        for (index, &byte) in block.iter().enumerate() {
            high[index] |= byte;
            special[index] |= u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
        }
    }
    Found { high: u128::from_le_bytes(high) & HIGH_128 != 0, special: u128::from_le_bytes(special) != 0 }
}

const HIGH_128: u128 = (HIGH as u128) << 64 | HIGH as u128;

/// What follows the backslash, by byte; 0 if the byte stands for itself, `u` for `\u00xx`.
const ESCAPES: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

#[cold]
fn escape(out: &mut Writer, bytes: &[u8]) {
    out.byte(b'"');
    let mut rest = bytes;
    while let Some(index) = rest.iter().position(|&byte| ESCAPES[usize::from(byte)] != 0) {
        let (plain, behind) = rest.split_at(index);
        out.slice(plain);
        let Some((&byte, behind)) = behind.split_first() else { break };
        match ESCAPES[usize::from(byte)] {
            b'u' => {
                let digits = b"0123456789abcdef";
                let (high, low) = (digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]);
                out.block(&[b'\\', b'u', b'0', b'0', high, low], 6);
            }
            letter => out.block(&[b'\\', letter], 2),
        }
        rest = behind;
    }
    out.slice(rest);
    out.byte(b'"');
}

/// Two base64 characters for every twelve bits.
static PAIRS: [[u8; 2]; 4096] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [[0u8; 2]; 4096];
    let mut bits = 0;
    while bits < 4096 {
        table[bits] = [alphabet[bits >> 6], alphabet[bits & 63]];
        bits += 1;
    }
    table
};

#[inline]
fn pair(bits: u32) -> [u8; 2] {
    PAIRS[(bits & 0xfff) as usize]
}

/// Writes bytes as a quoted string of standard base64 with padding (RFC 4648, section 4).
pub(super) fn base64(out: &mut Writer, bytes: &[u8]) {
    out.byte(b'"');
    let (triples, rest) = bytes.as_chunks::<3>();
    let len = triples.len() * 4;
    let (quads, _) = out.reserve(len).as_chunks_mut::<4>();
    for (quad, &[first, second, third]) in quads.iter_mut().zip(triples) {
        let bits = u32::from_be_bytes([0, first, second, third]);
        let ([a, b], [c, d]) = (pair(bits >> 12), pair(bits));
        *quad = [a, b, c, d];
    }
    out.advance(len);
    match *rest {
        [first] => {
            let [a, b] = pair(u32::from(first) << 4);
            out.block(&[a, b, b'=', b'='], 4);
        }
        [first, second] => {
            let bits = u32::from(first) << 16 | u32::from(second) << 8;
            let ([a, b], [c, _]) = (pair(bits >> 12), pair(bits));
            out.block(&[a, b, c, b'='], 4);
        }
        _ => {}
    }
    out.byte(b'"');
}
