//! The paths of `google.protobuf.FieldMask`.

/// Writes one path in lowerCamel as snake_case into `out`, which has room for one byte more for each
/// capital; how long it became.
///
/// `None` for an empty path, and for characters that would not come back: `_` and all but ASCII
/// letters, digits and dots. If `lenient`, `_` and `*` stand for themselves.
pub(crate) fn snake_case(path: &[u8], lenient: bool, out: &mut [u8]) -> Option<usize> {
    if path.is_empty() {
        return None;
    }
    let mut len = 0;
    for &byte in path {
        match byte {
            b'A'..=b'Z' => {
                *out.get_mut(len)? = b'_';
                *out.get_mut(len + 1)? = byte.to_ascii_lowercase();
                len += 2;
                continue;
            }
            b'a'..=b'z' | b'0'..=b'9' | b'.' => {}
            b'_' | b'*' if lenient => {}
            _ => return None,
        }
        *out.get_mut(len)? = byte;
        len += 1;
    }
    Some(len)
}
