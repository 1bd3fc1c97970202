//! A span: one piece of work within a trace, as it is exported.

use std::borrow::Cow;
use std::time::Duration;

/// Text that is often known beforehand.
pub type Text = Cow<'static, str>;

/// A finished span.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace it belongs to; not all zero.
    pub trace_id: [u8; 16],
    /// Its own id; not all zero.
    pub span_id: [u8; 8],
    /// The span that caused it; `None` begins a trace.
    pub parent: Option<Parent>,
    /// Its place between caller and callee.
    pub kind: Kind,
    /// What was done; of few different values, as the semantic conventions ask.
    pub name: Text,
    /// When it began, since the Unix epoch.
    pub start: Duration,
    /// When it ended, since the Unix epoch; not before `start`.
    pub end: Duration,
    /// Whether the services that were called were told to record theirs.
    pub sampled: bool,
    /// What is known of it; each name at most once.
    pub attributes: Vec<Attribute>,
    /// What happened within it, in the order of time.
    pub events: Vec<Event>,
    /// How it ended.
    pub outcome: Outcome,
}

/// The span that caused another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its id.
    pub span_id: [u8; 8],
    /// It is of another process.
    pub remote: bool,
}

/// The place of a span between caller and callee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request that came in.
    Server,
    /// A request that went out.
    Client,
    /// Work that nobody asked for over the network.
    Internal,
}

/// How a span ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is said: it went as it should, or it is for others to judge.
    Unset,
    /// It failed, and why in a word.
    Error(Text),
}

/// A name and a value.
pub type Attribute = (&'static str, Value);

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(Text),
    /// A number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
}

/// Something that happened within a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happened.
    pub name: Text,
    /// When, since the Unix epoch.
    pub at: Duration,
    /// What is known of it.
    pub attributes: Vec<Attribute>,
}

// === impl Value ===

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Text::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Text::Owned(text))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<u64> for Value {
    /// What is above the range becomes its end.
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}
