//! What a value must be.

use regex::{Regex, RegexBuilder};
use std::fmt;

/// The size that a compiled expression may have, in bytes: enough for a few hundred alternatives.
const REGEX_SIZE_MAX: usize = 1 << 20;

/// What the value of a header or of a query parameter must be. Case-sensitive.
#[derive(Clone, Debug)]
pub enum ValueMatch {
    /// This, and nothing else.
    Exact(Box<str>),
    /// Begins with this.
    Prefix(Box<str>),
    /// The whole value is matched by this expression.
    Regex(WholeRegex),
    /// Anything, also the empty value.
    Present,
}

/// An expression that takes a whole value.
///
/// Matching takes time linear in the value: there are no look-arounds and no back-references.
#[derive(Clone, Debug)]
pub struct WholeRegex {
    text: Box<str>,
    regex: Regex,
}

/// An expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ValueMatchError {
    /// Why: one sentence, lower case, no full stop.
    pub reason: String,
}

// === impl ValueMatch ===

impl ValueMatch {
    /// A match of whole values by the expression `text`, in the syntax of the `regex` crate.
    ///
    /// # Errors
    /// The expression is malformed, or larger than 1 MiB once compiled.
    pub fn regex(text: &str) -> Result<Self, ValueMatchError> {
        // By itself first: an expression with a parenthesis too many must not become whole by being wrapped.
        let build = |text: &str| RegexBuilder::new(text).size_limit(REGEX_SIZE_MAX).build();
        let built = build(text).and_then(|_| build(&format!(r"\A(?:{text})\z")));
        // In verbose mode a comment at the end would swallow what closes the group.
        let built =
            built.or_else(|error| build(text).and_then(|_| build(&format!("\\A(?:{text}\n)\\z"))).map_err(|_| error));
        match built {
            Ok(regex) => Ok(Self::Regex(WholeRegex { text: text.into(), regex })),
            Err(error) => Err(ValueMatchError { reason: reason(&error) }),
        }
    }

    /// Whether a value is as it must be; `None` is one that is not there.
    ///
    /// Bytes outside of UTF-8 are matched by [`Present`](Self::Present) and by prefixes before them alone.
    #[must_use]
    pub fn holds(&self, value: Option<&[u8]>) -> bool {
        let Some(value) = value else { return false };
        match self {
            Self::Exact(want) => value == want.as_bytes(),
            Self::Prefix(want) => value.starts_with(want.as_bytes()),
            Self::Regex(want) => std::str::from_utf8(value).is_ok_and(|value| want.regex.is_match(value)),
            Self::Present => true,
        }
    }
}

impl PartialEq for ValueMatch {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) | (Self::Prefix(a), Self::Prefix(b)) => a == b,
            (Self::Regex(a), Self::Regex(b)) => a.text == b.text,
            (Self::Present, Self::Present) => true,
            _ => false,
        }
    }
}

impl Eq for ValueMatch {}

impl fmt::Display for ValueMatch {
    /// As a sentence goes on: "is `v2`".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(want) => write!(f, "is `{want}`"),
            Self::Prefix(want) => write!(f, "begins with `{want}`"),
            Self::Regex(want) => write!(f, "matches `{}`", want.text),
            Self::Present => f.write_str("is there"),
        }
    }
}

/// The last line of what the parser says, which is the reason; those before it draw the place.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => format!("the expression takes more than {limit} bytes once compiled"),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    }
}
