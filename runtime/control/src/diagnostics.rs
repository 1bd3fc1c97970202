//! What is wrong, where, and what to do about it: one form and one rendering for every error that a
//! config file, a `.proto` file or the compiled snapshot can have.

mod listen;
mod render;
mod suggest;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tidegate_gateway::config::{Place, Problem};

pub use listen::cannot_listen;
pub use suggest::nearest;

/// A text that diagnostics point into: a file, or several that are read as one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// As the user named it.
    pub name: String,
    /// Its content; empty if it could not be read, and then diagnostics show no lines.
    pub text: String,
    /// Of a text that is made of several, each with its name and its first line in the whole, in order.
    pub(crate) parts: Vec<(String, u32)>,
}

/// A stretch of one line; line and column count from 1, column and width in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
    /// Number of characters; 0 is "the word that begins there".
    pub width: u32,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The config cannot be used.
    Error,
    /// The config can be used, but probably not as meant.
    Warning,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The file.
    pub source: Arc<Source>,
    /// Where in it; `None` is the file as a whole.
    pub span: Option<Span>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// Where; `None` if no file is at fault.
    pub site: Option<Site>,
    /// Stands beside the caret.
    pub label: Option<String>,
    /// A second place that belongs to it, with its own label.
    pub related: Option<(Site, String)>,
    /// What to do about it.
    pub help: Option<String>,
}

/// All that is wrong, in the order of the places; `Display` is what the user reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

// === impl Source ===

impl Source {
    /// A text by itself.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), parts: Vec::new() }
    }

    /// The file that a line of the text is from, and its number there.
    pub(crate) fn locate(&self, line: u32) -> (&str, u32) {
        match self.parts.iter().rev().find(|(_, first)| *first <= line) {
            Some((name, first)) => (name, line - first + 1),
            None => (&self.name, line),
        }
    }

    /// Reads `path`; a file that cannot be read, is no UTF-8, or is larger than `limit` bytes has no text.
    pub(crate) fn read_for_display(path: &Path, limit: u64) -> Arc<Self> {
        let readable = std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= limit);
        let text = if readable { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() };
        Arc::new(Self::new(path.display().to_string(), text))
    }

    /// Where `word` stands for the first time with neither a letter, a digit nor a dot behind it.
    pub(crate) fn find_word(&self, word: &str) -> Option<Span> {
        let goes_on = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let width = u32::try_from(word.chars().count()).ok()?;
        self.lines().zip(1..).find_map(|(text, line)| {
            let (at, _) = text.match_indices(word).find(|(at, _)| !text[at + word.len()..].starts_with(goes_on))?;
            Some(Span { line, column: u32::try_from(text[..at].chars().count()).ok()? + 1, width })
        })
    }

    /// The line with this number, counted from 1, without its end.
    pub(crate) fn line(&self, number: u32) -> Option<&str> {
        self.lines().nth((number as usize).checked_sub(1)?)
    }

    /// Lines as YAML counts them: a carriage return by itself ends one too.
    fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().flat_map(|line| line.split('\r'))
    }
}

// === impl Span ===

impl Span {
    /// The form in which the gateway's config carries places.
    #[must_use]
    pub const fn place(self) -> Place {
        Place { line: self.line, column: self.column }
    }
}

impl From<Place> for Span {
    fn from(place: Place) -> Self {
        Self { line: place.line, column: place.column, width: 0 }
    }
}

// === impl Diagnostic ===

impl Diagnostic {
    /// An error that no file is at fault for, until [`Self::at`] says so.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), site: None, label: None, related: None, help: None }
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// A problem that the gateway found in the config file `source`.
    #[must_use]
    pub fn from_problem(problem: Problem, source: &Arc<Source>) -> Self {
        let site = problem.place.map(|place| Site { source: Arc::clone(source), span: Some(place.into()) });
        Self { site, help: problem.help, ..Self::error(problem.message) }
    }

    /// Points at a place.
    #[must_use]
    pub fn at(self, source: &Arc<Source>, span: Span) -> Self {
        Self { site: Some(Site { source: Arc::clone(source), span: Some(span) }), ..self }
    }

    /// Points at a whole file.
    #[must_use]
    pub fn in_file(self, source: &Arc<Source>) -> Self {
        Self { site: Some(Site { source: Arc::clone(source), span: None }), ..self }
    }

    /// Puts text beside the caret.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// Points at a second place.
    #[must_use]
    pub fn related(self, source: &Arc<Source>, span: Span, label: impl Into<String>) -> Self {
        let site = Site { source: Arc::clone(source), span: Some(span) };
        Self { related: Some((site, label.into())), ..self }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl Site {
    /// `file:line:column`, or the file's name alone.
    #[must_use]
    pub fn place(&self) -> String {
        match self.span {
            Some(span) => {
                let (name, line) = self.source.locate(span.line);
                format!("{name}:{line}:{}", span.column)
            }
            None => self.source.name.clone(),
        }
    }
}

impl Diagnostic {
    /// `file:line:column: message`, without what would end a line or move a cursor.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let place = self.site.as_ref().map(|site| site.place() + ": ").unwrap_or_default();
        let hints: Vec<String> = self.label.clone().into_iter().chain(self.elsewhere()).collect();
        let hints = if hints.is_empty() { String::new() } else { format!(" ({})", hints.join("; ")) };
        render::printable(&(place + &self.message + &hints))
    }

    /// The second place that belongs to it, as text.
    pub(crate) fn elsewhere(&self) -> Option<String> {
        self.related.as_ref().map(|(site, label)| format!("{label}: {}", site.place()))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        render::diagnostic(self, f)
    }
}

// === impl Report ===

impl Report {
    /// A report of these, sorted by file and place; those of the same place stay in order.
    #[must_use]
    pub fn new(mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
        Self { diagnostics }
    }

    /// What the gateway found in the config file `source`.
    #[must_use]
    pub fn from_problems(problems: Vec<Problem>, source: &Arc<Source>) -> Self {
        Self::new(problems.into_iter().map(|problem| Diagnostic::from_problem(problem, source)).collect())
    }

    /// The errors in one line, for a log: the first few, each with its place.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        /// More than these are counted.
        const TOLD: usize = 3;
        let errors = || self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        let mut line: Vec<String> = errors().take(TOLD).map(Diagnostic::in_one_line).collect();
        match errors().count().saturating_sub(TOLD) {
            0 => {}
            more => line.push(format!("and {more} more")),
        }
        line.join("; ")
    }

    /// How many errors it has, warnings not counted.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
    }
}

/// Files by name, within a file by place; what has no file comes first.
fn sort_key(diagnostic: &Diagnostic) -> (Option<&str>, Option<Span>) {
    let site = diagnostic.site.as_ref();
    (site.map(|site| site.source.name.as_str()), site.and_then(|site| site.span))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests;
