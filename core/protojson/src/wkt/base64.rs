//! Base64 (RFC 4648), either alphabet, with or without padding.

/// The six bits of each character; all bits of any other one.
const BITS: [u32; 256] = {
    let mut bits = [u32::MAX; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        bits[alphabet[value] as usize] = value as u32;
        value += 1;
    }
    bits[b'-' as usize] = 62;
    bits[b'_' as usize] = 63;
    bits
};

/// The text without the padding that it may have; padding that does not fill up four characters stays.
pub(crate) fn without_padding(text: &[u8]) -> &[u8] {
    if text.is_empty() || !text.len().is_multiple_of(4) {
        return text;
    }
    match text {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] => rest,
        _ => text,
    }
}

/// How many bytes so many characters without padding say.
pub(crate) fn decoded_len(text: &[u8]) -> usize {
    let whole = text.len() / 4 * 3;
    whole + [0, 0, 1, 2][text.len() % 4]
}

/// Decodes `text`, which has no padding, into `out`, [`decoded_len`] bytes long.
/// False if it is no base64. Bits that do not fill a byte may have any value.
pub(crate) fn decode(text: &[u8], out: &mut [u8]) -> bool {
    let bits = |byte: u8| BITS[usize::from(byte)];
    let (quads, rest) = text.as_chunks::<4>();
    let (triples, tail) = out.as_chunks_mut::<3>();
    for (&[a, b, c, d], triple) in quads.iter().zip(triples) {
        let value = bits(a) << 18 | bits(b) << 12 | bits(c) << 6 | bits(d);
        if value >> 24 != 0 {
            return false;
        }
        let [_, first, second, third] = value.to_be_bytes();
        *triple = [first, second, third];
    }
    let value = match *rest {
        [] => return true,
        [a, b] => bits(a) << 18 | bits(b) << 12,
        [a, b, c] => bits(a) << 18 | bits(b) << 12 | bits(c) << 6,
        // One character says less than a byte.
        _ => return false,
    };
    let bytes = value.to_be_bytes();
    for (to, from) in tail.iter_mut().zip(&bytes[1..]) {
        *to = *from;
    }
    value >> 24 == 0
}

#[cfg(test)]
mod tests;
