//! The one form of a path in which plain routes are matched and forwarded.
//!
//! Whoever matched a path and whoever serves it must not disagree about what it says. So there is one form, and
//! what could be read in two ways even then is refused.
//!
//! - Escapes of characters that need none (letters, digits, `-` `.` `_` `~`) are decoded, so that `%61dmin` is
//!   `admin` and `%2e%2e` is a dot segment; the digits of all others become upper case (RFC 3986, section
//!   6.2.2). Nothing is decoded twice. Bytes that are no ASCII, and characters that RFC 3986 does not let stand
//!   in a path, are escaped.
//! - Slashes are merged, then dot segments resolved (section 5.2.4); above the root there is the root.
//! - `%2F`, `%5C`, `\`, `%00`, a `%` without two hexadecimal digits, and a dot segment that carries a `;`
//!   (also as `%3B`) are refused.
//!
//! The form of a normal path is itself.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// A path in normal form, without query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalPath<'r>(Cow<'r, str>);

/// A path that could be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("path: {what} at byte {at}")]
pub struct PathRefusal {
    /// What is there.
    pub what: Ambiguity,
    /// Where it begins; the leading slash is byte 0.
    pub at: usize,
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// `%2F`.
    EscapedSlash,
    /// `\` or `%5C`.
    Backslash,
    /// `%00`.
    EscapedNul,
    /// `%` without two hexadecimal digits.
    BadEscape,
    /// `..;x`.
    DotSegmentWithParameter,
    /// It does not begin with a slash.
    NoSlash,
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EscapedSlash => "an escaped slash (`%2F`)",
            Self::Backslash => "a backslash",
            Self::EscapedNul => "an escaped NUL (`%00`)",
            Self::BadEscape => "`%` without two hexadecimal digits",
            Self::DotSegmentWithParameter => "a dot segment with a `;`",
            Self::NoSlash => "no slash",
        })
    }
}

// === impl NormalPath ===

impl<'r> NormalPath<'r> {
    /// The normal form of a path as it came, without query. Borrows one that is normal.
    ///
    /// Takes time linear in the path.
    ///
    /// # Errors
    /// [`PathRefusal`].
    pub fn new(raw: &'r str) -> Result<Self, PathRefusal> {
        if !raw.starts_with('/') {
            return Err(PathRefusal { what: Ambiguity::NoSlash, at: 0 });
        }
        if is_plain(raw.as_bytes()) {
            return Ok(Self(Cow::Borrowed(raw)));
        }
        let characters = characters(raw.as_bytes())?;
        let mut out = String::with_capacity(characters.len());
        let mut segments = characters.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            let last = segments.peek().is_none();
            match segment {
                "" | "." if !last => {}
                ".." => {
                    out.truncate(out.rfind('/').unwrap_or(0));
                    if last {
                        out.push('/');
                    }
                }
                _ => {
                    out.push('/');
                    out.push_str(if segment == "." { "" } else { segment });
                }
            }
        }
        Ok(Self(if out == raw { Cow::Borrowed(raw) } else { Cow::Owned(out) }))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path, without a copy if it came in this form.
    #[must_use]
    pub fn into_inner(self) -> Cow<'r, str> {
        self.0
    }
}

impl Deref for NormalPath<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Whether a path is surely normal: the most are, and are not copied.
fn is_plain(path: &[u8]) -> bool {
    let mut before = 0;
    path.iter().all(|&byte| {
        let fits = is_path_byte(byte) && !(before == b'/' && matches!(byte, b'/' | b'.'));
        before = byte;
        fits
    })
}

/// What may stand in a path as it is: `pchar` of RFC 3986, section 3.3, and the slash.
const fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b'='
                | b':'
                | b'@'
                | b'/'
                | b';'
        )
}

/// The path with each character in its one form, dot segments and slashes as they came.
fn characters(raw: &[u8]) -> Result<String, PathRefusal> {
    let mut out = String::with_capacity(raw.len());
    // Where the segment begins: in the path, and in what is written.
    let mut segment = (0, 0);
    let mut at = 0;
    while at < raw.len() {
        let begin = at;
        let byte = raw[at];
        at += 1;
        let escaped = byte == b'%';
        let byte = if escaped {
            let pair = raw.get(at..at + 2).and_then(hex_pair);
            let Some(byte) = pair else { return Err(PathRefusal { what: Ambiguity::BadEscape, at: begin }) };
            at += 2;
            byte
        } else {
            byte
        };
        match byte {
            b'/' if escaped => return Err(PathRefusal { what: Ambiguity::EscapedSlash, at: begin }),
            b'\\' => return Err(PathRefusal { what: Ambiguity::Backslash, at: begin }),
            0 => return Err(PathRefusal { what: Ambiguity::EscapedNul, at: begin }),
            b';' if matches!(&out[segment.1..], "." | "..") => {
                return Err(PathRefusal { what: Ambiguity::DotSegmentWithParameter, at: segment.0 });
            }
            b'/' => {
                out.push('/');
                segment = (at, out.len());
            }
            _ if !escaped && is_path_byte(byte) => out.push(char::from(byte)),
            _ if is_unreserved(byte) => out.push(char::from(byte)),
            _ => push_escape(&mut out, byte),
        }
    }
    Ok(out)
}

/// RFC 3986, section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn push_escape(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// The byte that two hexadecimal digits say.
pub(crate) fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}
