//! Quantities: counts, sizes in bytes, rates and shares.

use super::{Wrong, scaled};

const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];

/// `512B`, `16KiB`, `4MiB`, `1.5GiB`: more than nothing, at most 1 TiB.
pub(crate) fn size(text: &str) -> Result<u64, Wrong> {
    const LARGEST: u64 = 1 << 40;
    bytes(text, "a size", "write for example `16KiB`, `4MiB` or `1GiB`", LARGEST)
}

/// A size that one buffer may have: at most 1 GiB.
pub(crate) fn buffer(text: &str) -> Result<usize, Wrong> {
    const LARGEST: u64 = 1 << 30;
    let size = bytes(text, "a size", "write for example `16KiB` or `4MiB`", LARGEST)?;
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

/// `240B/s`, `1KiB/s`: more than nothing, at most 1 GiB/s.
pub(crate) fn byte_rate(text: &str) -> Result<u64, Wrong> {
    const LARGEST: u64 = 1 << 30;
    let hint = "write for example `240B/s` or `1KiB/s`";
    let Some(size) = text.strip_suffix("/s") else { return Err(Wrong::new("a rate", hint)) };
    bytes(size, "a rate", hint, LARGEST)
}

/// A window of HTTP/2 (RFC 9113, section 6.9.1): at most 2³¹−1 bytes; not less than what every client may
/// take for granted.
pub(crate) fn window(text: &str) -> Result<u32, Wrong> {
    const HINT: &str = "from `64KiB` to `1GiB`";
    const SMALLEST: u32 = 65_535;
    const LARGEST: u64 = 1 << 30;
    let size = bytes(text, "a window", HINT, LARGEST)?;
    u32::try_from(size).ok().filter(|size| *size >= SMALLEST).ok_or_else(|| Wrong::new("a window", HINT))
}

/// `1` to `1000000`.
pub(crate) fn count(text: &str) -> Result<usize, Wrong> {
    const MOST: usize = 1_000_000;
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(value) if plain && (1..=MOST).contains(&value) => Ok(value),
        _ => Err(Wrong::new("a number", format!("from `1` to `{MOST}`"))),
    }
}

/// Fields of a request's head: 1 to 1000.
pub(crate) fn header_count(text: &str) -> Result<usize, Wrong> {
    count(text).ok().filter(|count| *count <= 1000).ok_or_else(|| Wrong::new("a number", "from `1` to `1000`"))
}

/// The size of a request's head: 1 KiB to 1 MiB.
pub(crate) fn header_bytes(text: &str) -> Result<usize, Wrong> {
    const SIZES: std::ops::RangeInclusive<usize> = 1 << 10..=1 << 20;
    let size = buffer(text)?;
    if SIZES.contains(&size) { Ok(size) } else { Err(Wrong::new("a size", "from `1KiB` to `1MiB`")) }
}

/// `5%`: 1 to 100.
pub(crate) fn percent(text: &str) -> Result<u8, Wrong> {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
    match number {
        Some(value @ 1..=100) => Ok(value),
        _ => Err(Wrong::new("a percentage", "from `1%` to `100%`")),
    }
}

fn bytes(text: &str, expected: &'static str, hint: &str, largest: u64) -> Result<u64, Wrong> {
    let wrong = |hint: String| Wrong::new(expected, hint);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if unit.is_empty() && !number.is_empty() {
        return Err(wrong(format!("it needs a unit: `{number}B` or `{number}KiB`")));
    }
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, size)| *size);
    match unit.and_then(|unit| scaled(number, unit)) {
        None => Err(wrong(hint.to_owned())),
        Some(0) => Err(wrong("it must be more than 0".to_owned())),
        Some(value) if value > largest => {
            let (name, unit) = if largest >> 30 > 1023 { ("TiB", 1 << 40) } else { ("GiB", 1 << 30) };
            Err(wrong(format!("it can be at most `{}{name}`", largest / unit)))
        }
        Some(value) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::{buffer, byte_rate, count, percent, size, window};

    #[test]
    fn sizes_have_a_unit() {
        let good = [("512B", 512), ("16KiB", 16 << 10), ("1.5MiB", 3 << 19), ("2GiB", 2 << 30), ("1024GiB", 1 << 40)];
        for (text, want) in good {
            assert_eq!(size(text), Ok(want), "{text}");
        }
        let wrong = [
            ("16", "it needs a unit: `16B` or `16KiB`"),
            ("16KB", "write for example `16KiB`, `4MiB` or `1GiB`"),
            ("", "write for example `16KiB`, `4MiB` or `1GiB`"),
            ("-1KiB", "write for example `16KiB`, `4MiB` or `1GiB`"),
            ("0MiB", "it must be more than 0"),
            ("1025GiB", "it can be at most `1TiB`"),
        ];
        for (text, hint) in wrong {
            assert_eq!(size(text).map_err(|wrong| wrong.hint), Err(hint.to_owned()), "{text}");
        }
        assert_eq!(buffer("2GiB").map_err(|wrong| wrong.hint), Err("it can be at most `1GiB`".to_owned()));
    }

    #[test]
    fn rates_are_sizes_per_second() {
        assert_eq!((byte_rate("240B/s"), byte_rate("1KiB/s")), (Ok(240), Ok(1024)));
        assert!(byte_rate("240B").is_err() && byte_rate("240/s").is_err());
    }

    #[test]
    fn windows_are_at_least_what_the_protocol_gives() {
        assert_eq!((window("64KiB"), window("1GiB")), (Ok(65_536), Ok(1 << 30)));
        assert!(window("63KiB").is_err());
    }

    #[test]
    fn counts_and_percentages_are_plain_and_not_0() {
        assert_eq!((count("1"), count("1000000"), percent("95%")), (Ok(1), Ok(1_000_000), Ok(95)));
        for text in ["0", "+1", "1000001", "many", ""] {
            assert!(count(text).is_err(), "{text}");
        }
        for text in ["0%", "101%", "95", "%"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
