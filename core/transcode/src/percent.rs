//! Percent-decoding of path segments and query parameters.

use smallvec::SmallVec;

/// Where decoded text goes if it differs from the raw text; larger texts are allocated.
pub(crate) type Buffer = SmallVec<[u8; 128]>;

/// What is decoded, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Everything (a variable of one segment, a literal).
    Segment,
    /// Everything but `%2F` and `%2f`, which stay as they are (a variable of several segments).
    Segments,
    /// Everything, and `+` is a space (a query).
    Query,
}

/// Why text cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PercentError {
    #[error("`%` without two hexadecimal digits")]
    Malformed,
    #[error("the percent-decoded bytes are not UTF-8")]
    NotUtf8,
}

/// The byte that two hexadecimal digits at the start of `text` stand for.
#[inline]
pub(crate) fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (&[high, low], _) = text.split_first_chunk::<2>()?;
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// The offset of the first `%` that two hexadecimal digits do not follow.
pub(crate) fn find_malformed(raw: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'%', raw).find(|&at| hex_pair(raw.get(at + 1..).unwrap_or_default()).is_none())
}

/// Decodes `raw`; borrows it if there is nothing to decode, else fills `buffer`.
#[inline]
pub(crate) fn decode<'t>(raw: &'t str, mode: Mode, buffer: &'t mut Buffer) -> Result<&'t str, PercentError> {
    let first = match mode {
        Mode::Segment | Mode::Segments => memchr::memchr(b'%', raw.as_bytes()),
        Mode::Query => memchr::memchr2(b'%', b'+', raw.as_bytes()),
    };
    match first {
        None => Ok(raw),
        Some(first) => {
            decode_into(raw.as_bytes(), first, mode, buffer)?;
            str::from_utf8(buffer).map_err(|_| PercentError::NotUtf8)
        }
    }
}

/// Decodes a literal or a verb to bytes, which need not be UTF-8.
#[inline]
pub(crate) fn decode_bytes<'t>(raw: &'t [u8], buffer: &'t mut Buffer) -> Result<&'t [u8], PercentError> {
    match memchr::memchr(b'%', raw) {
        None => Ok(raw),
        Some(first) => {
            decode_into(raw, first, Mode::Segment, buffer)?;
            Ok(buffer)
        }
    }
}

/// Fills `buffer` with `raw` decoded; nothing needs decoding before `first`.
#[cold]
fn decode_into(raw: &[u8], first: usize, mode: Mode, buffer: &mut Buffer) -> Result<(), PercentError> {
    let (plain, mut rest) = raw.split_at(first);
    buffer.clear();
    buffer.extend_from_slice(plain);
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'%' => {
                let decoded = hex_pair(behind).ok_or(PercentError::Malformed)?;
                if decoded == b'/' && mode == Mode::Segments {
                    buffer.push(b'%');
                } else {
                    buffer.push(decoded);
                    rest = &behind[2..];
                }
            }
            b'+' if mode == Mode::Query => buffer.push(b' '),
            _ => buffer.push(byte),
        }
    }
    Ok(())
}
