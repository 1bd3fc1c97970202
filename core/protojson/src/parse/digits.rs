//! Numbers in their usual form, eight digits at a time. What is unusual is left to
//! [`number`](super::number::number), which knows all of the grammar.

use super::number::Number;
use super::scan::peek;

/// Eight bytes of the document.
#[derive(Clone, Copy)]
struct Eight {
    /// The bytes minus `0`.
    word: u64,
    /// Eight times the number of digits before the first byte that is none.
    bits: u32,
}

impl Eight {
    /// The eight bytes at `at`; `None` if there are not so many.
    #[inline(always)]
    fn at(json: &[u8], at: usize) -> Option<Self> {
        let chunk = json.get(at..)?.first_chunk::<8>()?;
        let word = u64::from_le_bytes(*chunk) ^ 0x3030_3030_3030_3030;
        // The lowest bit that is set is right: carries go upwards.
        let others = (word.wrapping_add(0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080;
        Some(Self { word, bits: others.trailing_zeros() & 0x78 })
    }

    #[inline(always)]
    fn len(self) -> usize {
        (self.bits / 8) as usize
    }

    /// True if the first digit is not a zero in front of others, and there is one.
    #[inline(always)]
    fn starts_well(self) -> bool {
        (self.word as u8).wrapping_sub(1) < 9 || self.bits == 8
    }

    /// The number that the digits, at least one, say: summed in pairs, then in fours, then in eight.
    #[inline(always)]
    fn value(self) -> u64 {
        let word = self.word << (64 - self.bits);
        let pairs = word.wrapping_mul(10).wrapping_add(word >> 8);
        let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
        let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
        low.wrapping_add(high) >> 32
    }
}

const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// A natural number of at most seven digits with a comma behind it: it, and how many digits.
#[inline(always)]
pub(super) fn element(json: &[u8], at: usize) -> Option<(u64, usize)> {
    const COMMA: u8 = b',' ^ b'0';
    let eight = Eight::at(json, at)?;
    // Eight digits shift by nothing: a digit is no comma.
    let behind = (eight.word >> (eight.bits & 56)) as u8;
    if behind == COMMA && eight.starts_well() { Some((eight.value(), eight.len())) } else { None }
}

/// An integer of at most fifteen digits without point and exponent: sign, magnitude, end.
#[inline(always)]
pub(super) fn short_integer(json: &[u8], at: usize) -> Option<(bool, u64, usize)> {
    let negative = peek(json, at) == b'-';
    let start = at + usize::from(negative);
    let eight = Eight::at(json, start)?;
    if !eight.starts_well() {
        return None;
    }
    let mut value = eight.value();
    let mut end = start + eight.len();
    if eight.bits == 64 {
        let more = Eight::at(json, end)?;
        if more.bits == 64 {
            return None;
        }
        if more.bits > 0 {
            value = value * TENS.get(more.len()).copied()? + more.value();
            end += more.len();
        }
    }
    let next = peek(json, end);
    if next == b'.' || next | 0x20 == b'e' { None } else { Some((negative, value, end)) }
}

/// A number of at most 19 digits without exponent.
#[inline(always)]
pub(super) fn short_decimal(json: &[u8], at: usize) -> Option<Number> {
    let negative = peek(json, at) == b'-';
    let start = at + usize::from(negative);
    let (mut mantissa, mut end) = run(json, start, 0)?;
    let mut count = end - start;
    if count == 0 || (count > 1 && peek(json, start) == b'0') {
        return None;
    }
    let mut exponent = 0;
    if peek(json, end) == b'.' {
        let point = end;
        (mantissa, end) = run(json, point + 1, mantissa)?;
        let behind = end - point - 1;
        if behind == 0 {
            return None;
        }
        count += behind;
        exponent = -(behind as i64);
    }
    if count > 19 || peek(json, end) | 0x20 == b'e' {
        return None;
    }
    Some(Number { negative, mantissa, exponent, inexact: false, end })
}

/// Appends the digits at `at` to `value`, which wraps around if they are more than fit; where they end.
#[inline(always)]
fn run(json: &[u8], mut at: usize, mut value: u64) -> Option<(u64, usize)> {
    loop {
        let eight = Eight::at(json, at)?;
        if eight.bits == 0 {
            return Some((value, at));
        }
        value = value.wrapping_mul(TENS.get(eight.len()).copied()?).wrapping_add(eight.value());
        at += eight.len();
        if eight.bits < 64 {
            return Some((value, at));
        }
    }
}
