//! Paths of a `FieldMask`, in lowerCamel.
//!
//! Source: the comment of google/protobuf/field_mask.proto.

use super::writer::Writer;

/// A path that JSON's form of it would not bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoundTrip;

/// Writes one path: `user.display_name` as `user.displayName`.
pub(super) fn path(out: &mut Writer, path: &[u8]) -> Result<(), NoRoundTrip> {
    if path.is_empty() || (!path.is_ascii() && std::str::from_utf8(path).is_err()) {
        return Err(NoRoundTrip);
    }
    let mut bytes = path.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'_' => match bytes.next() {
                Some(letter @ b'a'..=b'z') => out.byte(letter.to_ascii_uppercase()),
                _ => return Err(NoRoundTrip),
            },
            // A comma would begin another path; the others would need an escape, and no name has them.
            b'A'..=b'Z' | b',' | b'"' | b'\\' | 0..0x20 => return Err(NoRoundTrip),
            other => out.byte(other),
        }
    }
    Ok(())
}
