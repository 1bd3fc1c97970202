//! Numbers as JSON text.

use super::writer::Writer;

/// `00`, `01`, … `99`.
static PAIRS: [[u8; 2]; 100] = {
    let mut table = [[0u8; 2]; 100];
    let mut number = 0;
    while number < 100 {
        table[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    table
};

/// The two digits of a number below 100.
#[inline]
pub(super) fn pair(number: u32) -> [u8; 2] {
    PAIRS.get(number as usize).copied().unwrap_or([b'0'; 2])
}

/// Writes a decimal number.
#[inline]
pub(super) fn unsigned(out: &mut Writer, number: u64) {
    if number < 100 {
        let digits = u16::from_le_bytes(pair(number as u32));
        // One digit: shift the zero out.
        let one = u32::from(number < 10);
        out.block(&(digits >> (8 * one)).to_le_bytes(), 2 - one as usize);
    } else if number < 10_000 {
        let (high, low) = (number as u32 / 100, number as u32 % 100);
        let digits = u32::from(u16::from_le_bytes(pair(high))) | u32::from(u16::from_le_bytes(pair(low))) << 16;
        let three = u32::from(high < 10);
        out.block(&(digits >> (8 * three)).to_le_bytes(), 4 - three as usize);
    } else if number < EIGHT_DIGITS {
        let (digits, len) = up_to_eight(number);
        out.block(&digits.to_le_bytes(), len);
    } else {
        long(out, number);
    }
}

/// Writes a decimal number with its sign.
#[inline]
pub(super) fn signed(out: &mut Writer, number: i64) {
    if number < 0 {
        out.byte(b'-');
    }
    unsigned(out, number.unsigned_abs());
}

/// Writes a decimal number within quotes.
#[inline]
pub(super) fn quoted(out: &mut Writer, number: u64, negative: bool) {
    if number < EIGHT_DIGITS && !negative {
        let (digits, len) = up_to_eight(number);
        let quoted = u128::from(digits) << 8 | u128::from(b'"') | u128::from(b'"') << (8 * len + 8);
        out.block(&quoted.to_le_bytes(), len + 2);
    } else {
        out.block(b"\"-", 1 + usize::from(negative));
        unsigned(out, number);
        out.byte(b'"');
    }
}

const EIGHT_DIGITS: u64 = 100_000_000;

#[inline(never)]
fn long(out: &mut Writer, number: u64) {
    let (high, low) = (number / EIGHT_DIGITS, number % EIGHT_DIGITS);
    // At most 20 digits: four, eight and eight.
    if high < EIGHT_DIGITS {
        unsigned(out, high);
    } else {
        unsigned(out, high / EIGHT_DIGITS);
        out.block(&(eight(high % EIGHT_DIGITS) | ZEROS).to_le_bytes(), 8);
    }
    out.block(&(eight(low) | ZEROS).to_le_bytes(), 8);
}

/// `00000000`.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The digits of a number below 10⁸ as text, the first in the lowest byte, and how many there are.
#[inline]
fn up_to_eight(number: u64) -> (u64, usize) {
    let digits = eight(number);
    // 0 has one digit.
    let zeros = (digits.trailing_zeros() / 8).min(7);
    ((digits | ZEROS) >> (8 * zeros), 8 - zeros as usize)
}

/// The eight digits of a number below 10⁸, the first in the lowest byte: halves, quarters and eighths
/// of it are divided side by side, by multiplying with the inverse.
#[inline]
fn eight(number: u64) -> u64 {
    let halves = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = (halves * 10_486) >> 20 & 0x0000_007f_0000_007f;
    let quarters = hundreds | (halves - 100 * hundreds) << 16;
    let tens = (quarters * 103) >> 10 & 0x000f_000f_000f_000f;
    tens | (quarters - 10 * tens) << 8
}

/// Writes the shortest text that reads back as the same number; those that JSON has no number for
/// as strings.
#[inline]
pub(super) fn double(out: &mut Writer, number: f64) {
    if number.is_finite() {
        finite(out, zmij::Buffer::new().format_finite(number));
    } else {
        not_finite(out, number);
    }
}

/// As [`double`], the shortest text for single precision.
#[inline]
pub(super) fn float(out: &mut Writer, number: f32) {
    if number.is_finite() {
        finite(out, zmij::Buffer::new().format_finite(number));
    } else {
        not_finite(out, f64::from(number));
    }
}

/// Integral numbers lose their `.0`, as protobuf's own printers have it.
#[inline]
fn finite(out: &mut Writer, text: &str) {
    out.slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

#[cold]
fn not_finite(out: &mut Writer, number: f64) {
    let text: &[u8] = if number.is_nan() {
        b"\"NaN\""
    } else if number > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    };
    out.slice(text);
}
