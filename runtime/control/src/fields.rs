//! Walks a [`Node`] key by key and collects everything that is wrong with it.
//!
//! Each `config::*` file takes the keys that it knows from a [`Fields`] and calls [`Fields::finish`],
//! which reports the keys that nobody took. A value that is wrong is reported and then treated as
//! absent, so that one mistake hides no other.

use crate::diagnostics::{Diagnostic, Source, Span, nearest};
use crate::value::Wrong;
use crate::yaml::{Entry, Kind, Node};
use std::sync::Arc;

/// A file being read and what was found wrong in it so far.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) source: Arc<Source>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// The entries of one mapping.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    /// What the mapping is, for messages: "a listener".
    what: &'static str,
    span: Span,
    entries: &'n [Entry],
    known: Vec<&'static str>,
    later: &'static [&'static str],
    /// What is missing is missing in the file, not in its first line.
    is_file: bool,
}

// === impl Context ===

impl Context {
    pub(crate) fn new(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), problems: Vec::new() }
    }

    /// Reports an error at `span`; `refine` adds label, help and the like.
    pub(crate) fn error_with(
        &mut self,
        span: Span,
        message: impl Into<String>,
        refine: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        self.problems.push(refine(Diagnostic::error(message).at(&self.source, span)));
    }

    /// Reports an error at `span`.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.error_with(span, message, |diagnostic| diagnostic);
    }

    /// Reports a warning at `span`.
    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>) {
        self.warn_with(span, message, |diagnostic| diagnostic);
    }

    /// The same; `refine` adds label, help and the like.
    pub(crate) fn warn_with(
        &mut self,
        span: Span,
        message: impl Into<String>,
        refine: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        self.problems.push(refine(Diagnostic::warning(message).at(&self.source, span)));
    }

    /// The scalar `node` as `parse` reads it. `key` names it in messages.
    pub(crate) fn scalar<T>(
        &mut self,
        key: &str,
        node: &Node,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        self.scalar_of(&format!("`{key}`"), node, parse)
    }

    /// `subject` is what messages begin with.
    fn scalar_of<T>(
        &mut self,
        subject: &str,
        node: &Node,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        let Kind::Scalar(text) = &node.kind else {
            self.wrong_kind(subject, node, "a single value");
            return None;
        };
        match parse(text) {
            Ok(value) => Some(Located { value, span: node.span }),
            Err(Wrong { expected, hint }) => {
                let message = match shortened(text) {
                    text if text.is_empty() => format!("{subject} must be {expected} and is empty"),
                    text => format!("{subject} must be {expected}, not `{text}`"),
                };
                self.error_with(node.span, message, |d| d.label(hint));
                None
            }
        }
    }

    /// The items of the list `node`.
    pub(crate) fn list<'n>(&mut self, key: &str, node: &'n Node) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::List(items) => Some(items),
            Kind::Scalar(text) => {
                let hint = format!("put it in brackets: `[{}]`", shortened(text));
                self.error_with(node.span, format!("`{key}` must be a list"), |d| d.label(hint));
                None
            }
            Kind::Null | Kind::Unknown | Kind::Map(_) => {
                self.wrong_kind(&format!("`{key}`"), node, "a list");
                None
            }
        }
    }

    /// A list of scalars, each read by `parse`; those that are wrong are left out.
    pub(crate) fn scalars<T>(
        &mut self,
        key: &str,
        node: &Node,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<Vec<Located<T>>> {
        let items = self.list(key, node)?;
        let subject = format!("each of `{key}`");
        Some(items.iter().filter_map(|item| self.scalar_of(&subject, item, &parse)).collect())
    }

    /// One item of a list of scalars.
    pub(crate) fn scalars_of<T>(
        &mut self,
        key: &str,
        item: &Node,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        self.scalar_of(&format!("each of `{key}`"), item, parse)
    }

    /// One word of a fixed set, with what each stands for.
    pub(crate) fn word<T: Copy>(&mut self, key: &str, node: &Node, words: &[(&'static str, T)]) -> Option<T> {
        let Kind::Scalar(text) = &node.kind else {
            self.wrong_kind(&format!("`{key}`"), node, "a single word");
            return None;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| word == text) {
            return Some(*value);
        }
        let list = one_of(words.iter().map(|(word, _)| *word));
        let label = match nearest(text, words.iter().map(|(word, _)| *word)) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write {list}"),
        };
        let text = shortened(text);
        self.error_with(node.span, format!("`{key}` must be {list}, not `{text}`"), |d| d.label(label));
        None
    }

    /// `node` is a list, a mapping or nothing where `expected` ("a list") belongs.
    pub(crate) fn wrong_kind(&mut self, subject: &str, node: &Node, expected: &str) {
        let found = match node.kind {
            Kind::Unknown => return,
            Kind::Null => "nothing",
            Kind::Scalar(_) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        };
        self.error_with(node.span, format!("{subject} must be {expected}"), |d| d.label(format!("found {found}")));
    }

    /// A name that is not among `known`; `what` says what it should name: "upstream".
    pub(crate) fn unknown_name<'k>(
        &mut self,
        what: &str,
        name: &Located<String>,
        known: impl IntoIterator<Item = &'k str> + Clone,
    ) {
        let message = format!("unknown {what} `{}`", name.value);
        match nearest(&name.value, known.clone()) {
            Some(near) => self.error_with(name.span, message, |d| d.label(format!("did you mean `{near}`?"))),
            None => {
                let list = some_of(known);
                let help = if list.is_empty() { format!("there is no {what}") } else { format!("there is {list}") };
                self.error_with(name.span, message, |d| d.help(help));
            }
        }
    }
}

// === impl Fields ===

impl<'n> Fields<'n> {
    /// The entries of `node`, which must be a mapping; `what` is it for messages: "a listener".
    pub(crate) fn of(node: &'n Node, what: &'static str, cx: &mut Context) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            cx.wrong_kind(what, node, "a mapping");
            return None;
        };
        Some(Self { what, span: node.span, entries, known: Vec::new(), later: &[], is_file: false })
    }

    /// The entries of a whole file.
    pub(crate) fn of_file(root: &'n Node, what: &'static str, cx: &mut Context) -> Option<Self> {
        Some(Self { is_file: true, ..Self::of(root, what, cx)? })
    }

    /// Keys that config files may have one day: refused, but not as unknown.
    pub(crate) fn not_yet(mut self, later: &'static [&'static str]) -> Self {
        self.later = later;
        self
    }

    /// The place of the mapping: its first key or its brace.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// The place of a key; that of the mapping if it is absent.
    pub(crate) fn key_span(&self, key: &str) -> Span {
        self.entries.iter().find(|entry| entry.key == key).map_or(self.span, |entry| entry.key_span)
    }

    /// Whether `key` is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Whether `key` was asked for.
    pub(crate) fn is_known(&self, key: &str) -> bool {
        self.known.contains(&key)
    }

    /// Takes `key`, whatever its value is.
    pub(crate) fn pass_over(&mut self, key: &'static str) {
        self.known.push(key);
    }

    /// Takes the value of `key`. A key without value is reported.
    pub(crate) fn node(&mut self, key: &'static str, cx: &mut Context) -> Option<&'n Node> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        if entry.value.kind == Kind::Null {
            cx.error_with(entry.key_span, format!("`{key}` has no value"), |d| {
                d.label("give it one or remove the key")
            });
            return None;
        }
        Some(&entry.value)
    }

    /// Takes the value of a key that must be there.
    pub(crate) fn required_node(&mut self, key: &'static str, cx: &mut Context) -> Option<&'n Node> {
        if !self.entries.iter().any(|entry| entry.key == key) {
            self.known.push(key);
            // If a misspelt key stands in its place, that one error says it all.
            if !self.entries.iter().any(|entry| nearest(&entry.key, [key]).is_some()) {
                let missing = Diagnostic::error(format!("{} needs `{key}`", self.what));
                cx.problems.push(match self.is_file {
                    true => missing.in_file(&cx.source),
                    false => missing.at(&cx.source, self.span),
                });
            }
            return None;
        }
        self.node(key, cx)
    }

    /// Takes a scalar.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        cx: &mut Context,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        let node = self.node(key, cx)?;
        cx.scalar(key, node, parse)
    }

    /// Takes a scalar that must be there.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        cx: &mut Context,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<Located<T>> {
        let node = self.required_node(key, cx)?;
        cx.scalar(key, node, parse)
    }

    /// Takes one word of a fixed set.
    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        cx: &mut Context,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let node = self.node(key, cx)?;
        cx.word(key, node, words)
    }

    /// Entries in the order of the file, for mappings whose keys are names.
    pub(crate) fn entries(&self) -> &'n [Entry] {
        self.entries
    }

    /// Reports the keys that were not taken.
    pub(crate) fn finish(self, cx: &mut Context) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.known.contains(&key) {
                continue;
            }
            if self.later.contains(&key) {
                cx.error_with(entry.key_span, format!("`{key}` is not supported yet"), |d| {
                    d.label("remove it: this version does not have it")
                });
                continue;
            }
            // Only keys that this version takes: a suggestion that is refused in turn helps nobody.
            let known = self.known.iter().copied();
            match nearest(key, known.clone()) {
                Some(near) => cx.error_with(entry.key_span, format!("unknown key `{key}`"), |d| {
                    d.label(format!("did you mean `{near}`?"))
                }),
                None => {
                    let help = format!("{} has {}", self.what, some_of(known));
                    cx.error_with(entry.key_span, format!("unknown key `{key}`"), |d| d.help(help));
                }
            }
        }
    }
}

/// `a`, `b` or `c`.
fn one_of<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let quoted: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// `a`, `b`, `c`; no more than a dozen.
fn some_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    const MOST: usize = 12;
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    if quoted.len() <= MOST {
        return quoted.join(", ");
    }
    format!("{} and {} more", quoted[..MOST].join(", "), quoted.len() - MOST)
}

/// Text for a message: not more than some words of it.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain(['…']).collect()
}
