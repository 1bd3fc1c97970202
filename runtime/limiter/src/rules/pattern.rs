//! Values in which a star stands for anything.

/// A value with at least one `*` in it.
#[derive(Debug)]
pub(super) struct Pattern {
    text: Box<str>,
    first: Box<str>,
    middle: Box<[Box<str>]>,
    last: Box<str>,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        let mut pieces: Vec<Box<str>> = text.split('*').map(Into::into).collect();
        let last = pieces.pop().unwrap_or_default();
        let mut pieces = pieces.into_iter();
        let first = pieces.next().unwrap_or_default();
        Self { text: text.into(), first, middle: pieces.filter(|piece| !piece.is_empty()).collect(), last }
    }

    /// As it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a value fits. Linear in the value for each star.
    pub(super) fn fits(&self, value: &str) -> bool {
        let Some(mut left) = value.strip_prefix(&*self.first).and_then(|left| left.strip_suffix(&*self.last)) else {
            return false;
        };
        for piece in &self.middle {
            let Some(at) = memchr::memmem::find(left.as_bytes(), piece.as_bytes()) else { return false };
            left = &left[at + piece.len()..];
        }
        true
    }
}
