//! Numbers: JSON's grammar, exact integers, correctly rounded floats.

use super::float;
use super::scan::peek;
use crate::schema::Kind;
use crate::wire::zigzag;

/// A number as written: `±mantissa · 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) negative: bool,
    pub(super) mantissa: u64,
    pub(super) exponent: i64,
    /// Digits other than zero did not fit the mantissa.
    pub(super) inexact: bool,
    /// Where it ends.
    pub(super) end: usize,
}

/// Bytes that are no number: where, and what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoNumber {
    pub(super) at: usize,
    pub(super) expected: &'static str,
}

/// Why a number is no integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoInteger {
    Fraction,
    TooLarge,
}

/// The largest mantissa behind which any digit fits.
const ROOM_FOR_ANY_DIGIT: u64 = (u64::MAX - 9) / 10;

/// Beyond this an exponent says no more: the number is zero, infinite or out of every range.
const EXPONENT_MAX: i64 = 1 << 40;

/// Reads the number at `at` by the grammar of RFC 8259, section 6.
pub(super) fn number(json: &[u8], at: usize) -> Result<Number, NoNumber> {
    let negative = peek(json, at) == b'-';
    let start = at + usize::from(negative);
    let mut number = Number { negative, mantissa: 0, exponent: 0, inexact: false, end: start };
    let whole = number.digits(json, false);
    if whole == 0 {
        return Err(NoNumber { at: start, expected: "a digit" });
    }
    if whole > 1 && peek(json, start) == b'0' {
        return Err(NoNumber { at: start, expected: "a number without leading zeros" });
    }
    if peek(json, number.end) == b'.' {
        number.end += 1;
        if number.digits(json, true) == 0 {
            return Err(NoNumber { at: number.end, expected: "a digit behind the decimal point" });
        }
    }
    if peek(json, number.end) | 0x20 == b'e' {
        number.power(json)?;
    }
    Ok(number)
}

impl Number {
    /// Reads digits into the mantissa and says how many.
    #[inline]
    fn digits(&mut self, json: &[u8], fraction: bool) -> usize {
        let start = self.end;
        while let Some(&byte) = json.get(self.end)
            && byte.wrapping_sub(b'0') < 10
        {
            let digit = u64::from(byte - b'0');
            self.end += 1;
            let longer = if self.mantissa <= ROOM_FOR_ANY_DIGIT {
                Some(self.mantissa * 10 + digit)
            } else {
                self.mantissa.checked_mul(10).and_then(|longer| longer.checked_add(digit)).filter(|_| !self.inexact)
            };
            match longer {
                Some(longer) => {
                    self.mantissa = longer;
                    self.exponent -= i64::from(fraction);
                }
                None => {
                    self.inexact |= digit != 0;
                    self.exponent += i64::from(!fraction);
                }
            }
        }
        self.end - start
    }

    fn power(&mut self, json: &[u8]) -> Result<(), NoNumber> {
        self.end += 1;
        let sign = peek(json, self.end);
        self.end += usize::from(sign == b'-' || sign == b'+');
        let start = self.end;
        let mut power = 0i64;
        while let Some(&byte) = json.get(self.end)
            && byte.is_ascii_digit()
        {
            power = (power * 10 + i64::from(byte - b'0')).min(EXPONENT_MAX);
            self.end += 1;
        }
        if self.end == start {
            return Err(NoNumber { at: start, expected: "a digit of the exponent" });
        }
        self.exponent += if sign == b'-' { -power } else { power };
        Ok(())
    }

    /// Its magnitude, if it is an integer below 2⁶⁴.
    pub(super) fn integer(self) -> Result<u64, NoInteger> {
        let Self { mut mantissa, mut exponent, inexact, .. } = self;
        if mantissa == 0 {
            return Ok(0);
        }
        if inexact {
            // A digit that is not zero stands behind the mantissa, which was full: above 2⁶⁴, or a fraction.
            return Err(if exponent > 0 { NoInteger::TooLarge } else { NoInteger::Fraction });
        }
        while exponent < 0 {
            if !mantissa.is_multiple_of(10) {
                return Err(NoInteger::Fraction);
            }
            mantissa /= 10;
            exponent += 1;
        }
        let power = u32::try_from(exponent).ok().and_then(|exponent| 10u64.checked_pow(exponent));
        power.and_then(|power| mantissa.checked_mul(power)).ok_or(NoInteger::TooLarge)
    }

    /// Its value, rounded to nearest; infinite if it is too large. `token` is its text.
    #[inline]
    pub(super) fn double(self, token: &[u8]) -> f64 {
        // Both factors are exact, so that the one operation rounds once (Clinger's fast path).
        let magnitude = match POWERS.get(self.exponent.unsigned_abs() as usize) {
            Some(power) if self.mantissa <= 1 << 53 && self.exponent < 0 => self.mantissa as f64 / power,
            Some(power) if self.mantissa <= 1 << 53 => self.mantissa as f64 * power,
            _ => match float::double(self.mantissa, self.exponent) {
                Some(magnitude) if !self.inexact => magnitude,
                _ => return self.slow(token),
            },
        };
        if self.negative { -magnitude } else { magnitude }
    }

    /// Its value, rounded to nearest; infinite if it is too large. `token` is its text.
    pub(super) fn float(self, token: &[u8]) -> f32 {
        let wide = self.double(token);
        let narrow = wide as f32;
        // Rounding twice goes wrong only where the first rounding ended half-way between two floats.
        let halfway = wide.to_bits() & 0x1fff_ffff == 0x1000_0000;
        if halfway || !narrow.is_normal() { self.slow(token) } else { narrow }
    }
}

impl Number {
    /// Its value by the standard library's parser, whatever it is. The grammar was checked.
    #[cold]
    fn slow<F: std::str::FromStr + Default>(self, token: &[u8]) -> F {
        let sign = if self.negative { "-" } else { "" };
        let text = match std::str::from_utf8(token) {
            // Whatever the mantissa, such a number is zero or infinite.
            _ if !(-400..=400).contains(&self.exponent) => {
                &format!("{sign}{}e{}", self.mantissa, self.exponent.signum() * 400)
            }
            // The standard library counts exponents up to 65 535 only. Beyond 20 digits, one more
            // stands for all.
            _ if token.len() > 65_535 => &format!("{sign}{}1e{}", self.mantissa, self.exponent - 1),
            Ok(text) => text,
            Err(_) => "",
        };
        text.parse().unwrap_or_default()
    }
}

/// The powers of ten that `f64` holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// What stands on the wire for an integer of type `kind`: the varint, or the bits of a fixed one.
/// `None` if it is out of range.
#[inline(always)]
pub(super) fn wire_integer(kind: Kind, negative: bool, magnitude: u64) -> Option<u64> {
    let signed = || {
        let value = if negative { 0i64.checked_sub_unsigned(magnitude)? } else { i64::try_from(magnitude).ok()? };
        Some(value)
    };
    let narrow = || signed().and_then(|value| i32::try_from(value).ok());
    let unsigned = || if negative && magnitude != 0 { None } else { Some(magnitude) };
    match kind {
        Kind::Int32 | Kind::Enum(_) => narrow().map(|value| i64::from(value).cast_unsigned()),
        Kind::Int64 | Kind::Sfixed64 => signed().map(i64::cast_unsigned),
        Kind::Sint32 => narrow().map(|value| zigzag(value.into())),
        Kind::Sint64 => signed().map(zigzag),
        Kind::Sfixed32 => narrow().map(|value| value.cast_unsigned().into()),
        Kind::Uint32 | Kind::Fixed32 => unsigned().filter(|&value| value <= u32::MAX.into()),
        _ => unsigned(),
    }
}

/// What protobuf calls the type.
pub(super) fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int64 => "int64",
        Kind::Uint64 => "uint64",
        Kind::Int32 => "int32",
        Kind::Fixed64 => "fixed64",
        Kind::Fixed32 => "fixed32",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Uint32 => "uint32",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Enum(_) => "enum",
        Kind::Message(_) | Kind::Group(_) => "message",
    }
}
