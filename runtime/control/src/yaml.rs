//! YAML text as a tree in which every key and value knows its place.
//!
//! A typed deserializer stops at the first value that it does not like. This tree takes any well-formed
//! document, so that [`crate::fields`] can walk it and report everything that is wrong at once.
//!
//! Scalars are kept as written: `1.10` stays `1.10`, `off` stays `off`; what they mean is up to the key.

use crate::diagnostics::{Diagnostic, Source, Span};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{MessageFormatter, Options, Spanned, UserMessageFormatter};
use std::fmt;
use std::sync::Arc;

/// The largest config file, in bytes. Real ones have some kilobytes.
const MAX_BYTES: usize = 4 << 20;
/// The deepest nesting; the config's own is eight.
const MAX_DEPTH: usize = 64;
/// The most keys and values, those behind aliases counted as often as they are used.
const MAX_NODES: usize = 250_000;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// A scalar that is a number or a boolean: it has no quotes.
    pub(crate) bare: bool,
    /// Of a scalar its text, of a list or mapping its beginning.
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// Any other scalar.
    Scalar(String),
    /// A scalar whose value could not be told, which has been reported.
    Unknown,
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

/// Parses one document.
///
/// # Errors
/// The syntax error, or every duplicate key and every key that is no scalar. Memory and time are
/// bounded by the limits above, aliases included.
pub(crate) fn parse(source: &Arc<Source>) -> Result<Node, Vec<Diagnostic>> {
    if source.text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; {MAX_BYTES} is the most", source.text.len());
        return Err(vec![Diagnostic::error(message).in_file(source)]);
    }
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(&source.text, options())
        .map_err(|error| vec![syntax_error(&error, source)])?;
    let mut builder = Builder { source, problems: Vec::new() };
    let node = builder.node(raw);
    if builder.problems.is_empty() { Ok(node) } else { Err(builder.problems) }
}

fn options() -> Options {
    let mut options = serde_saphyr::options! {
        // Both are kept, so that all duplicates are reported, each with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES, max_aliases: 1_000 },
    };
    options.alias_limits.max_total_replayed_events = MAX_NODES;
    options
}

/// What the parser says of a budget that is spent, with names of its own behind.
const TOO_MUCH: &str = "YAML document too large or too complex";

fn syntax_error(error: &serde_saphyr::Error, source: &Arc<Source>) -> Diagnostic {
    let message = UserMessageFormatter.format_message(error.without_snippet()).into_owned();
    let diagnostic = if message.starts_with(TOO_MUCH) {
        Diagnostic::error("the config is too large or too complex").help(format!(
            "it may have {MAX_NODES} values, each counted as often as aliases repeat it, and {MAX_DEPTH} levels"
        ))
    } else {
        Diagnostic::error(format!("not valid YAML: {message}"))
    };
    let Some(location) = error.location().filter(|location| location.line() > 0) else {
        return diagnostic.in_file(source);
    };
    let line = u32::try_from(location.line()).unwrap_or(u32::MAX);
    let column = u32::try_from(location.column()).unwrap_or(u32::MAX);
    let diagnostic = diagnostic.at(source, Span { line, column, width: 0 });
    match syntax_help(source.line(line).unwrap_or_default()) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The mistakes that YAML invites with our own syntax.
fn syntax_help(line: &str) -> Option<&'static str> {
    if line.contains(": *") || line.contains("- *") {
        return Some("`*` begins a YAML alias; quote the value: \"*.example.com\"");
    }
    if line.contains("${") {
        return Some("inside [ ] or { } quote a value with `${…}`: [\"${HOST}:50051\"]");
    }
    if line.contains("/{") {
        return Some("inside { } quote a value with braces: '/v1/orders/{id}'");
    }
    line.trim_start_matches(' ').starts_with('\t').then_some("indent with spaces, not with tabs")
}

// === from serde ===

/// What serde-saphyr tells: for numbers, booleans and nulls not even their text, which the span has.
enum Raw {
    Bare,
    Null,
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Self>, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Bare)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Bare)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Bare)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Bare)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Bare)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Bare)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

// === to nodes ===

struct Builder<'s> {
    source: &'s Arc<Source>,
    problems: Vec<Diagnostic>,
}

impl Builder<'_> {
    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        // Of an alias, the place where the text stands: that is where a mistake is mended.
        let location = raw.defined;
        let text = self.text_of(&location);
        let mut span = Span {
            line: u32::try_from(location.line()).unwrap_or(u32::MAX),
            column: u32::try_from(location.column()).unwrap_or(u32::MAX),
            width: width_of_first_line(text),
        };
        let bare = matches!(raw.value, Raw::Bare);
        let kind = match raw.value {
            Raw::Null => Kind::Null,
            Raw::Bare => Kind::Scalar(text.to_owned()),
            Raw::Text(text) => Kind::Scalar(text),
            Raw::List(items) => {
                span.width = 1;
                Kind::List(items.into_iter().map(|item| self.node(item)).collect())
            }
            Raw::Map(entries) => {
                span.width = 0;
                self.map(entries)
            }
        };
        Node { kind, bare, span }
    }

    fn map(&mut self, raw: Vec<(Spanned<Raw>, Spanned<Raw>)>) -> Kind {
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
        let mut seen = std::collections::HashMap::with_capacity(raw.len());
        for (key, value) in raw {
            let (key, value) = (self.node(key), self.node(value));
            let key_span = key.span;
            let Kind::Scalar(key) = key.kind else {
                self.problems.push(Diagnostic::error("a key must be a word").at(self.source, key_span));
                continue;
            };
            if let Some(first) = seen.insert(key.clone(), key_span) {
                self.problems.push(
                    Diagnostic::error(format!("`{key}` is given twice"))
                        .at(self.source, key_span)
                        .label("again here")
                        .related(self.source, first, "first here"),
                );
            }
            entries.push(Entry { key, key_span, value });
        }
        Kind::Map(entries)
    }

    fn text_of(&self, location: &serde_saphyr::Location) -> &str {
        let span = location.span();
        let range = || {
            let start = usize::try_from(span.byte_offset()?).ok()?;
            let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
            self.source.text.get(start..end)
        };
        range().unwrap_or_default()
    }
}

fn width_of_first_line(text: &str) -> u32 {
    let first = text.lines().next().unwrap_or_default().trim_end();
    u32::try_from(first.chars().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
