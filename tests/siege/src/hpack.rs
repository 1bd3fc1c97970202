//! Header blocks by hand (RFC 7541): no Huffman code, and the dynamic table only where an attack needs it.

/// A field that goes into no table.
pub fn literal(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.push(0x00);
    string(block, name);
    string(block, value);
}

/// A field that is added to the dynamic table, where it is number 62 until the next one is added.
pub fn indexing(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.push(0x40);
    string(block, name);
    string(block, value);
}

/// The first field of the dynamic table, in one byte.
pub const NEWEST: u8 = 0x80 | 62;

/// The header block of a request.
#[must_use]
pub fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [(":method", method), (":scheme", "http"), (":authority", "siege.test"), (":path", path)] {
        literal(&mut block, name.as_bytes(), value.as_bytes());
    }
    for (name, value) in more {
        literal(&mut block, name.as_bytes(), value.as_bytes());
    }
    block
}

/// A string with its length in a prefix of seven bits.
fn string(block: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap_or(0));
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).unwrap_or(0) | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap_or(0));
    }
    block.extend_from_slice(text);
}

/// The status that a header block begins with; 0 if it cannot be told. Right for a connection's first
/// answer, and as long as answers add nothing to the dynamic table before it.
#[must_use]
pub fn status(block: &[u8]) -> u16 {
    // What may come first: a new size of the dynamic table.
    let block = block.strip_prefix(&[0x20]).unwrap_or(block);
    match *block {
        [first @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(first - 0x88)],
        // A literal value under one of the static table's names `:status`.
        [0x48..=0x4e | 0x08..=0x0e, length, ..] => {
            let end = 2 + usize::from(length & 0x7f);
            let text = block.get(2..end).unwrap_or_default();
            let digits = if length & 0x80 == 0 { text.to_vec() } else { huffman_digits(text) };
            std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
        }
        _ => 0,
    }
}

/// Decodes digits (RFC 7541, appendix B); anything else ends them.
fn huffman_digits(bytes: &[u8]) -> Vec<u8> {
    let bit = |at: usize| bytes.get(at / 8).map(|byte| u32::from(byte >> (7 - at % 8) & 1));
    let code = |at: usize, length: usize| (at..at + length).try_fold(0, |code, at| Some(code << 1 | bit(at)?));
    let mut digits = Vec::new();
    let mut at = 0;
    loop {
        match (code(at, 5), code(at, 6)) {
            (Some(five @ 0..=2), _) => {
                digits.push(b'0' + u8::try_from(five).unwrap_or(0));
                at += 5;
            }
            (_, Some(six @ 0b01_1001..=0b01_1111)) => {
                digits.push(b'3' + u8::try_from(six - 0b01_1001).unwrap_or(0));
                at += 6;
            }
            _ => return digits,
        }
    }
}

#[cfg(test)]
mod tests;
