//! Correctly rounded doubles from decimal mantissa and exponent, in one or two multiplications.
//!
//! The algorithm of Eisel and Lemire: "Number Parsing at a Gigabyte per Second",
//! <https://arxiv.org/abs/2101.11408>, for the exponents at which it never has to give up.

/// The smallest exponent: 5²⁷ is the largest power of five below 2⁶⁴.
const LEAST: i64 = -27;
/// The largest exponent: 5⁵⁵ is the largest power of five below 2¹²⁸.
const MOST: i64 = 55;
const COUNT: usize = (MOST - LEAST + 1) as usize;

/// The 128 highest bits of 5^q for each exponent q, from [`LEAST`]; of negative ones, rounded up.
static FIVES: [u128; COUNT] = {
    let mut fives = [0; COUNT];
    let mut index = 0;
    while index < COUNT {
        let exponent = index as i64 + LEAST;
        fives[index] = if exponent < 0 {
            reciprocal(5u128.pow(-exponent as u32))
        } else {
            let power = 5u128.pow(exponent as u32);
            power << power.leading_zeros()
        };
        index += 1;
    }
    fives
};

/// ⌊2^b / divisor⌋ + 1, with the b that makes it 128 bits long. By long division.
const fn reciprocal(divisor: u128) -> u128 {
    let (mut remainder, mut quotient) = (1u128, 0u128);
    while quotient >> 127 == 0 {
        remainder <<= 1;
        quotient <<= 1;
        if remainder >= divisor {
            remainder -= divisor;
            quotient |= 1;
        }
    }
    quotient + 1
}

/// `mantissa · 10^exponent`, rounded to nearest, ties to even. `None` for exponents out of range.
#[inline]
pub(super) fn double(mantissa: u64, exponent: i64) -> Option<f64> {
    let five = *FIVES.get(usize::try_from(exponent.checked_sub(LEAST)?).ok()?)?;
    if mantissa == 0 {
        return Some(0.0);
    }
    let shift = mantissa.leading_zeros();
    let word = u128::from(mantissa << shift);
    // Of the product, 192 bits long, its 128 highest. Mostly the upper half of the power suffices.
    let mut product = word * (five >> 64);
    const UNDECIDED: u64 = u64::MAX >> 55;
    if (product >> 64) as u64 & UNDECIDED == UNDECIDED {
        product = product.wrapping_add((word * u128::from(five as u64)) >> 64);
    }
    let (high, low) = ((product >> 64) as u64, product as u64);
    let upper = (high >> 63) as u32;
    // 53 bits of mantissa and one more, to round.
    let cut = upper + 9;
    let mut bits = high >> cut;
    // 10^q is 2^q times 5^q; 217706 / 2^16 is log2(10).
    let power = ((217_706 * exponent) >> 16) + 63 + 1023 + i64::from(upper) - i64::from(shift);
    // Exactly half-way: to even, which here is down.
    if low <= 1 && (-4..=23).contains(&exponent) && bits & 3 == 1 && bits << cut == high {
        bits &= !1;
    }
    bits = (bits + (bits & 1)) >> 1;
    // Rounding up may have carried into the next power of two: the sum below does the same.
    let exponent_bits = u64::try_from(power - 1).ok().filter(|power| *power < 2046)?;
    Some(f64::from_bits((exponent_bits << 52) + bits))
}

#[cfg(test)]
mod tests;
