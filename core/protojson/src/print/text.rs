//! Strings and bytes as JSON strings.

use super::writer::Writer;
use crate::plain::{first_stop, is_plain_ascii};

/// A string that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotUtf8;

/// Writes a quoted string; escapes only what JSON demands: `"`, `\` and control characters.
#[inline(always)]
pub(super) fn string(out: &mut Writer, bytes: &[u8]) -> Result<(), NotUtf8> {
    match bytes.len() {
        0 => {
            out.block(b"\"\"", 2);
            Ok(())
        }
        1..=7 => short(out, bytes),
        8..=16 => middle(out, bytes),
        _ => long(out, bytes),
    }
}

/// At most seven bytes: text and quotes are one block.
#[inline(never)]
fn short(out: &mut Writer, bytes: &[u8]) -> Result<(), NotUtf8> {
    let len = bytes.len();
    let word = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(head), Some(tail)) => {
            u64::from(u32::from_le_bytes(*head)) | u64::from(u32::from_le_bytes(*tail)) << (8 * (len & 7) - 32)
        }
        _ => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let bits = 8 * (len & 7);
    let filled = word | PLAIN << bits;
    if unusual_bytes(filled) != 0 {
        return unusual(out, bytes);
    }
    let block = u128::from(b'"') | u128::from(word) << 8 | u128::from(b'"') << (bits + 8);
    out.block(&block.to_le_bytes(), len + 2);
    Ok(())
}

/// Eight to sixteen bytes: two words, which overlap unless there are sixteen.
#[inline(never)]
fn middle(out: &mut Writer, bytes: &[u8]) -> Result<(), NotUtf8> {
    let (Some(head), Some(tail)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) else {
        return long(out, bytes);
    };
    let (first, last) = (u64::from_le_bytes(*head), u64::from_le_bytes(*tail));
    if unusual_bytes(first) | unusual_bytes(last) != 0 {
        return unusual(out, bytes);
    }
    let opened = u128::from(b'"') | u128::from(first) << 8;
    let closed = u128::from(last) | u128::from(b'"') << 64;
    out.block(&opened.to_le_bytes(), bytes.len() - 7);
    out.block(&closed.to_le_bytes(), 9);
    Ok(())
}

#[inline(never)]
fn long(out: &mut Writer, bytes: &[u8]) -> Result<(), NotUtf8> {
    if is_unusual(bytes) {
        return unusual(out, bytes);
    }
    quoted(out, bytes);
    Ok(())
}

/// A string that is not plain ASCII, or that has something to escape.
#[cold]
#[inline(never)]
fn unusual(out: &mut Writer, bytes: &[u8]) -> Result<(), NotUtf8> {
    if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() {
        return Err(NotUtf8);
    }
    match plain_len(bytes) {
        len if len == bytes.len() => quoted(out, bytes),
        len => escape(out, bytes, len),
    }
    Ok(())
}

/// Writes a quoted string that is known to need no escapes.
#[inline]
pub(super) fn quoted(out: &mut Writer, bytes: &[u8]) {
    let len = bytes.len();
    let place = out.reserve(len + 2);
    if let Some((first, rest)) = place.split_first_mut()
        && let Some((content, rest)) = rest.split_at_mut_checked(len)
        && let Some(last) = rest.first_mut()
    {
        *first = b'"';
        content.copy_from_slice(bytes);
        *last = b'"';
    }
    out.advance(len + 2);
}

/// True if some byte is not ASCII or must be escaped.
fn is_unusual(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let ends_plain = match (bytes.first_chunk::<16>(), bytes.last_chunk::<16>(), bytes.last_chunk::<32>()) {
        (_, _, Some(tail)) => rest.is_empty() || is_plain_ascii(tail),
        (Some(head), Some(tail), None) => is_plain_ascii(head) && is_plain_ascii(tail),
        _ => false,
    };
    !(ends_plain && blocks.iter().all(is_plain_ascii))
}

/// How many bytes stand before the first that must be escaped.
fn plain_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((block, behind)) = rest.split_first_chunk::<32>() {
        if let Some(place) = first_stop(block) {
            return bytes.len() - rest.len() + place;
        }
        rest = behind;
    }
    // What is left is looked at with what stands in front of it, where nothing was found.
    let place = match bytes.last_chunk::<32>() {
        Some(block) => first_stop(block).map(|place| bytes.len() - block.len() + place),
        None => bytes.iter().position(|&byte| ESCAPES[usize::from(byte)] != 0),
    };
    place.unwrap_or(bytes.len())
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
/// Eight letters: fills a word where a string has no bytes.
const PLAIN: u64 = 0x6161_6161_6161_6161;

/// 0 unless a byte of the word is a control character, `"`, `\`, or not ASCII.
#[inline(always)]
fn unusual_bytes(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    // The lowest byte that is unusual gets its high bit; those above it may get one by the borrow.
    (word | word.wrapping_sub(ONES * 0x20) | quote.wrapping_sub(ONES) | backslash.wrapping_sub(ONES)) & HIGH
}

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

/// Writes a quoted string whose first `plain` bytes need no escape.
fn escape(out: &mut Writer, bytes: &[u8], mut plain: usize) {
    out.byte(b'"');
    let mut rest = bytes;
    while let Some((text, behind)) = rest.split_at_checked(plain) {
        out.slice(text);
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
        plain = plain_len(rest);
    }
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
