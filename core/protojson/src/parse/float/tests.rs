use super::{LEAST, MOST, double};

/// Numbers without pattern, the same in each run.
fn numbers() -> impl Iterator<Item = u64> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

fn check(mantissa: u64, exponent: i64) {
    let text = format!("{mantissa}e{exponent}");
    let want: f64 = text.parse().expect("a number");
    assert_eq!(double(mantissa, exponent).map(f64::to_bits), Some(want.to_bits()), "{text}");
}

#[test]
fn rounds_as_the_standard_library_does() {
    for mantissa in numbers().take(2000) {
        for exponent in LEAST..=MOST {
            check(mantissa >> (exponent & 31), exponent);
        }
    }
}

#[test]
fn half_way_between_two_doubles_goes_to_the_even_one() {
    for number in numbers().take(2000) {
        // One bit more than a double has, so that it ends half-way; times a power of ten that
        // keeps it an integer, written with and without that power.
        let odd = number >> 10 | 1 << 53 | 1;
        check(odd, 0);
        check(odd + 1, 0);
        check(odd - 1, 0);
        for digits in 1..=3 {
            check(odd * 10u64.pow(digits), -i64::from(digits));
            check(odd * 10u64.pow(digits) + 1, -i64::from(digits));
        }
        for exponent in 1..=23 {
            check(odd >> (2 * exponent + 3), exponent as i64);
        }
    }
}

#[test]
fn edges() {
    for exponent in LEAST..=MOST {
        for mantissa in [0, 1, 9, 10, u64::MAX, u64::MAX - 1, 1 << 53, (1 << 53) + 1, (1 << 53) - 1] {
            check(mantissa, exponent);
        }
    }
    assert_eq!(double(1, LEAST - 1), None);
    assert_eq!(double(1, MOST + 1), None);
    assert_eq!(double(1, i64::MIN), None);
    assert_eq!(double(1, i64::MAX), None);
}
