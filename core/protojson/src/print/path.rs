//! Where in the JSON document something is.

use std::fmt;

/// Segments, innermost first: they are added on the way up.
#[derive(Debug, Default)]
pub(super) struct Path(Vec<Segment>);

/// One step into a document.
#[derive(Debug)]
pub(super) enum Segment {
    /// A member, or `[pkg.ext]`.
    Field(Box<str>),
    /// An element of a list.
    Index(usize),
    /// The key of a map, as JSON has it, quotes included.
    Key(String),
}

/// Longer keys are cut.
const KEY_MAX: usize = 64;

impl Path {
    /// Puts a segment before the others.
    pub(super) fn enter(&mut self, segment: Segment) {
        self.0.push(segment);
    }
}

impl Segment {
    /// The segment of a key that was written as JSON.
    pub(super) fn key(json: &[u8]) -> Self {
        let text = String::from_utf8_lossy(json);
        let mut key: String = text.chars().take(KEY_MAX).collect();
        if key.len() < text.len() {
            key.push_str("…\"");
        }
        Self::Key(key)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.0.iter().rev().enumerate() {
            match segment {
                Segment::Field(name) if depth == 0 || name.starts_with('[') => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => write!(f, "[{key}]")?,
            }
        }
        Ok(())
    }
}
