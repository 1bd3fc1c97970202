//! Reading bytes: white space, and the plain stretches of strings, eight bytes a step.

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

/// The highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks, by its highest bit, the first of eight bytes (little endian) that ends a plain stretch of
/// string: a quote, a backslash, a control character. Bits above the lowest mean nothing.
#[inline(always)]
fn stops(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // With bit 1 flipped, quote (0x22) and control characters (below 0x20) are what is below 0x21.
    let quote_or_control = (word ^ (EACH * 0x02)).wrapping_sub(EACH * 0x21);
    let backslash = (word ^ (EACH * 0x5c)).wrapping_sub(EACH);
    (quote_or_control | backslash) & !word & HIGH
}

/// True if no byte ends a plain stretch. In this shape, compilers look at sixteen bytes at once.
#[inline(always)]
fn is_plain(chunk: &[u8; 32]) -> bool {
    let stops = chunk.iter().fold(0, |stops, &byte| stops | u8::from(byte ^ 2 < 0x21) | u8::from(byte == b'\\'));
    stops == 0
}

/// How many plain ASCII bytes a chunk has in front of its first quote, if nothing else ends them.
#[inline(always)]
pub(super) fn short_string(chunk: &[u8; 16]) -> Option<usize> {
    let word = u128::from_le_bytes(*chunk);
    let (low, high) = (word as u64, (word >> 64) as u64);
    let (stop, place, text, before) = match stops(low) {
        0 => (stops(high), 8, high, low),
        stop => (stop, 0, low, 0),
    };
    if stop == 0 {
        return None;
    }
    let index = stop.trailing_zeros();
    let in_front = text & ((1 << (index & 56)) - 1);
    let is_quote = (text >> (index & 56)) as u8 == b'"';
    (is_quote && (in_front | before) & HIGH == 0).then_some(place + (index / 8) as usize)
}

/// A stretch of string without escapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Where the byte stands that ends it (a quote, a backslash, a control character, the end of the input).
    pub(super) end: usize,
    /// It has bytes that are not ASCII, and so must be checked.
    pub(super) high: bool,
}

/// The stretch from `at` to the next quote, backslash or control character.
#[inline]
pub(super) fn run(json: &[u8], mut at: usize) -> Run {
    let mut high = 0;
    while let Some(chunk) = json.get(at..).and_then(|rest| rest.first_chunk::<32>())
        && is_plain(chunk)
    {
        high |= if chunk.is_ascii() { 0 } else { HIGH };
        at += 32;
    }
    while let Some(chunk) = json.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let stop = stops(word);
        if stop != 0 {
            let index = stop.trailing_zeros();
            high |= word & ((1 << (index & 56)) - 1);
            return Run { end: at + (index / 8) as usize, high: high & HIGH != 0 };
        }
        high |= word;
        at += 8;
    }
    let mut high = high & HIGH != 0;
    while let Some(&byte) = json.get(at)
        && byte >= 0x20
        && byte != b'"'
        && byte != b'\\'
    {
        high |= byte >= 0x80;
        at += 1;
    }
    Run { end: at, high }
}

#[cfg(test)]
mod tests {
    use super::{run, short_string, token};

    /// What a string starts with: plain bytes, the byte that ends them, whether all are ASCII.
    fn slow(text: &[u8]) -> (usize, u8, bool) {
        let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        let len = text.iter().position(special).unwrap_or(text.len());
        (len, text.get(len).copied().unwrap_or(0), text[..len].is_ascii())
    }

    #[test]
    fn words_see_what_single_bytes_show() {
        for byte in 0..=255u8 {
            for other in [0x80, b'"', b'\\', 0x1f, 0x21, 0x23, 0x5b, 0x5d, 0xa2, 0xdc, 0x7f] {
                for place in 0..16 {
                    let mut chunk = *b"abcdefghijklmnop";
                    chunk[place] = byte;
                    chunk[(place + 1) % 16] = other;
                    let (len, end, ascii) = slow(&chunk);
                    let found = run(&chunk, 0);
                    assert_eq!((found.end, found.high), (len, !ascii), "{chunk:x?}");
                    let short = (end == b'"' && ascii).then_some(len);
                    assert_eq!(short_string(&chunk), short, "{chunk:x?}");
                }
            }
        }
    }

    #[test]
    fn a_run_ends_at_every_length_where_its_first_special_byte_stands() {
        for len in 0..70 {
            for special in [b'"', b'\\', 0x1f, 0] {
                let mut text = vec![b'x'; len];
                text.push(special);
                text.extend_from_slice(b"\xc3\xa9 tail that must not count, it is longer than a step");
                let found = run(&text, 0);
                assert_eq!((found.end, found.high), (len, false));
            }
            let found = run(&vec![0xc3; len], 0);
            assert_eq!((found.end, found.high), (len, len > 0));
        }
    }

    #[test]
    fn white_space_is_what_json_says() {
        assert_eq!(token(b" \t\r\n                       x", 0), (27, b'x'));
        assert_eq!(token(b" \x0bx", 0), (1, 0x0b));
        assert_eq!(token(b"   ", 0), (3, 0));
    }
}
