//! Values, with a liking for the edges.

use super::rng::Rng;

/// Any 64 bits: small, near a power of two, or anything.
pub(super) fn bits(rng: &mut Rng) -> u64 {
    match rng.below(4) {
        0 => rng.below(4) as u64,
        1 => (1_u64 << rng.below(64)).wrapping_sub(rng.below(3) as u64),
        2 => (rng.below(1000) as u64).wrapping_neg(),
        _ => rng.any(),
    }
}

/// Any double that is a number, an infinity or NaN; never a negative zero.
pub(super) fn double(rng: &mut Rng) -> f64 {
    let value = match rng.below(6) {
        0 => *rng.choose(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324]),
        1 => rng.below(1_000_000) as f64,
        2 => rng.below(1_000_000) as f64 / 1000.0 - 500.0,
        3 => *rng.choose(&[1e21, 1e-7, 123_456_789_012_345_680.0, 0.1, 1e300]),
        _ => f64::from_bits(rng.any()),
    };
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

/// Any float, likewise.
pub(super) fn float(rng: &mut Rng) -> f32 {
    let value = match rng.below(5) {
        0 => *rng.choose(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-45]),
        1 => rng.below(100_000) as f32,
        2 => rng.below(100_000) as f32 / 1000.0 - 50.0,
        _ => f32::from_bits(rng.any() as u32),
    };
    if value.is_nan() { f32::NAN } else { value + 0.0 }
}

/// Text with what must be escaped, and what need not but looks so.
pub(super) fn string(rng: &mut Rng) -> String {
    let alphabet = [
        "a",
        "Z",
        " ",
        "\"",
        "\\",
        "/",
        "\n",
        "\t",
        "\u{1}",
        "\u{7f}",
        "é",
        "\u{2028}",
        "漢",
        "😀",
        "<",
        "&",
        "\u{0}",
        "plain words ",
        "0123456789",
        "\u{ffff}",
    ];
    let length = if rng.percent(5) { 200 } else { rng.below(12) };
    (0..length).map(|_| *rng.choose(&alphabet)).collect()
}

/// Any bytes.
pub(super) fn bytes(rng: &mut Rng) -> Vec<u8> {
    let length = if rng.percent(5) { 100 } else { rng.below(8) };
    (0..length).map(|_| rng.any() as u8).collect()
}

/// Seconds and nanoseconds of a timestamp that RFC 3339 can write (years 1 to 9999).
pub(super) fn timestamp(rng: &mut Rng) -> (i64, i32) {
    let (first, last) = (-62_135_596_800_i64, 253_402_300_799_i64);
    let seconds = match rng.below(4) {
        0 => *rng.choose(&[first, last, 0, -1]),
        _ => first + (rng.any() % (last - first) as u64) as i64,
    };
    (seconds, nanos(rng))
}

/// Seconds and nanoseconds of a duration, of one sign.
pub(super) fn duration(rng: &mut Rng) -> (i64, i32) {
    let last = 315_576_000_000_i64;
    let seconds = match rng.below(4) {
        0 => *rng.choose(&[last - 1, 0, 1]),
        _ => (rng.any() % last as u64) as i64,
    };
    let nanos = nanos(rng);
    if rng.percent(50) { (-seconds, -nanos) } else { (seconds, nanos) }
}

fn nanos(rng: &mut Rng) -> i32 {
    let below = |rng: &mut Rng, end: usize| rng.below(end) as i32;
    match rng.below(4) {
        0 => 0,
        1 => below(rng, 1000) * 1_000_000,
        2 => below(rng, 1_000_000) * 1000,
        _ => below(rng, 1_000_000_000),
    }
}

/// A field mask's paths that survive the way to lowerCamel and back.
pub(super) fn paths(rng: &mut Rng) -> Vec<String> {
    let parts = ["a", "foo", "foo_bar", "a_b_c", "x1"];
    let path = |rng: &mut Rng| {
        let length = 1 + rng.below(3);
        let parts: Vec<&str> = (0..length).map(|_| *rng.choose(&parts)).collect();
        parts.join(".")
    };
    (0..rng.below(4)).map(|_| path(rng)).collect()
}
