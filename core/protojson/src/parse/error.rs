//! What can be wrong with a document, and where.

use std::fmt::Write as _;

/// Why a JSON document (or a parameter's text) is no message of the wanted type.
///
/// `Display` reads `order.items[3].quantity: expected int32, found string "abc" (byte 123)`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}{kind} (byte {offset})", if path.is_empty() { "" } else { ": " })]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where, as `order.items[3].labels["k"]`, in the names that the document uses; empty for the root.
    pub path: String,
    /// Byte offset into the document.
    pub offset: usize,
}

/// What is wrong with a JSON document.
///
/// Texts quoted from the document are cut to a few dozen characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The bytes are no JSON (RFC 8259).
    #[error("expected {expected}, found {found}")]
    Syntax {
        /// What JSON allows here.
        expected: &'static str,
        /// What stands here.
        found: String,
    },
    /// A string holds what JSON strings must not: a control character, an unknown escape, a lone
    /// surrogate, bytes that are not UTF-8.
    #[error("{0} in a string")]
    BadString(StringFault),
    /// JSON of another type than the field's.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// The field's type.
        expected: String,
        /// What stands here.
        found: String,
    },
    /// A number that its type cannot hold.
    #[error("{found} is out of range of {expected}")]
    OutOfRange {
        /// The field's type.
        expected: &'static str,
        /// The number.
        found: String,
    },
    /// A text that does not have the form which its type wants.
    #[error("{found} is no {expected}")]
    Malformed {
        /// The type, and the form of its text.
        expected: &'static str,
        /// The text.
        found: String,
    },
    /// `null` as an element of a list or as a value of a map.
    #[error("null cannot be an element of a list or a value of a map")]
    NullElement,
    /// A member that the message has no field for.
    #[error("unknown field `{name}` of {message}{}", Suggestion(suggestion.as_deref()))]
    UnknownField {
        /// The member's name.
        name: String,
        /// The message's full name.
        message: String,
        /// A field that may have been meant.
        suggestion: Option<String>,
    },
    /// A name (or, for a closed enum, a number) that the enum does not have.
    #[error("{value} is no value of enum {enumeration}{}", Suggestion(suggestion.as_deref()))]
    UnknownEnumValue {
        /// The name or number.
        value: String,
        /// The enum's full name.
        enumeration: String,
        /// A value that may have been meant.
        suggestion: Option<String>,
    },
    /// A field given twice, be it once by its JSON name and once by its proto name.
    #[error("field `{name}` is given twice")]
    DuplicateField {
        /// The name of the second one.
        name: String,
    },
    /// A key given twice in one map.
    #[error("key {key} is given twice")]
    DuplicateKey {
        /// The key, quoted.
        key: String,
    },
    /// Two members of one oneof.
    #[error("field `{name}` is the second one of oneof `{oneof}`")]
    OneofTwice {
        /// The second member.
        name: String,
        /// The oneof.
        oneof: String,
    },
    /// Required fields that are not set.
    #[error("required fields of {message} are missing: {}", names.join(", "))]
    MissingRequired {
        /// The message's full name.
        message: String,
        /// Their JSON names.
        names: Vec<String>,
    },
    /// A `google.protobuf.Any` with members but without `@type`.
    #[error("an Any needs \"@type\"")]
    AnyWithoutType,
    /// A `google.protobuf.Any` of a well-known type without its `value`.
    #[error("an Any of {0} needs \"value\"")]
    AnyWithoutValue(String),
    /// The `@type` of an `Any` is no type URL: something, a slash, a message's full name.
    #[error("{0} is no type URL")]
    BadTypeUrl(String),
    /// The `@type` of an `Any` names a message that the schema does not have.
    #[error("type {0} is not in the schema")]
    UnknownType(String),
    /// A message that cannot be written as one text (a parameter).
    #[error("message {0} has no text form")]
    NoTextForm(String),
    /// Nested deeper than the limit.
    #[error("nested deeper than {0} levels")]
    TooDeep(u32),
    /// The output would be larger than the limit.
    #[error("the message is larger than {0} bytes")]
    TooLarge(usize),
}

/// What is wrong inside a JSON string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StringFault {
    /// A byte below 0x20, which must be escaped.
    #[error("control character 0x{0:02x}")]
    Control(u8),
    /// A backslash in front of something that is no escape.
    #[error("invalid escape sequence")]
    Escape,
    /// Half of a UTF-16 surrogate pair.
    #[error("lone surrogate")]
    Surrogate,
    /// Bytes that are not UTF-8.
    #[error("invalid UTF-8")]
    Utf8,
}

/// Writes `, did you mean …?`, or nothing.
struct Suggestion<'a>(Option<&'a str>);

impl std::fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, ", did you mean `{name}`?"))
    }
}

/// One step of a path; collected from the inside out while an error unwinds.
#[derive(Debug)]
pub(super) enum Segment {
    Field(String),
    Index(usize),
    Key(String),
}

/// The path of `segments`, innermost first.
pub(super) fn path(segments: &[Segment]) -> String {
    let mut path = String::new();
    for segment in segments.iter().rev() {
        // Writing to a String does not fail.
        let _ = match segment {
            Segment::Field(name) if path.is_empty() => write!(path, "{name}"),
            Segment::Field(name) => write!(path, ".{name}"),
            Segment::Index(index) => write!(path, "[{index}]"),
            Segment::Key(key) => write!(path, "[{key:?}]"),
        };
    }
    path
}

/// The longest text that a message quotes, in bytes.
const QUOTE_MAX: usize = 40;

/// The longest name that a message or a path has whole, in characters.
const NAME_MAX: usize = 64;

/// `text`, cut to what a message can carry, in quotes.
pub(super) fn quote(text: &[u8]) -> String {
    let cut = text.get(..QUOTE_MAX).unwrap_or(text);
    let shown = String::from_utf8_lossy(cut);
    if cut.len() < text.len() { format!("{:?}…", shown.trim_end_matches('\u{fffd}')) } else { format!("{shown:?}") }
}

/// `name`, cut to what a message can carry.
pub(super) fn shorten(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    match text.char_indices().nth(NAME_MAX) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text.into_owned(),
    }
}

/// Says what stands at `at` of a document.
pub(super) fn describe(json: &[u8], at: usize) -> String {
    let rest = json.get(at..).unwrap_or_default();
    let Some(&first) = rest.first() else {
        return "end of input".into();
    };
    match first {
        b'"' => {
            let body = rest.get(1..).unwrap_or_default();
            let mut escaped = false;
            let end = body.iter().take(QUOTE_MAX + 1).position(|&byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            format!("string {}", quote(body.get(..end.unwrap_or(body.len())).unwrap_or_default()))
        }
        b'{' => "object".into(),
        b'[' => "array".into(),
        b'-' | b'0'..=b'9' => {
            let number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
            let len = rest.iter().take(QUOTE_MAX).take_while(|byte| number(byte)).count();
            let more = if len == QUOTE_MAX { "…" } else { "" };
            format!("number {}{more}", String::from_utf8_lossy(rest.get(..len).unwrap_or_default()))
        }
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
            let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let len = rest.iter().take(QUOTE_MAX).take_while(|byte| word(byte)).count();
            String::from_utf8_lossy(rest.get(..len).unwrap_or_default()).into_owned()
        }
        0x21..=0x7e => format!("`{}`", char::from(first)),
        other => format!("byte 0x{other:02x}"),
    }
}

/// The name of `names` that is nearest to `wanted`, if one is near enough to have been meant.
pub(super) fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    let allowed = (wanted.len() / 3).clamp(1, 3);
    if wanted.len() > NAME_MAX {
        return None;
    }
    let near = names
        .filter(|name| name.len().abs_diff(wanted.len()) <= allowed)
        .map(|name| (distance(wanted.as_bytes(), name.as_bytes()), name))
        .filter(|(distance, _)| *distance <= allowed);
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name.to_owned())
}

/// How many letters must be added, dropped, replaced or swapped with their neighbour; case is free.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut above: Vec<usize> = Vec::new();
    let mut before: Vec<usize> = (0..=right.len()).collect();
    for (row, l) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, r) in right.iter().enumerate() {
            let same = l.eq_ignore_ascii_case(r);
            let mut best = (before[column] + usize::from(!same)).min(before[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0
                && column > 0
                && l.eq_ignore_ascii_case(&right[column - 1])
                && left[row - 1].eq_ignore_ascii_case(r);
            if swapped {
                best = best.min(above[column - 1] + 1);
            }
            current.push(best);
        }
        above = std::mem::replace(&mut before, current);
    }
    before.last().copied().unwrap_or(0)
}
