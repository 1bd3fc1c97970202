//! Where a config comes from: a stream of revisions, each with the whole text.
//!
//! **Owns** the port that files, etcd and Apollo implement ([`ConfigSource`]), what comes of it
//! ([`Document`]), and the [`contract`] that every implementation is tested against.
//!
//! **Does not** read anything, know YAML, or decide whether a config is right.
//!
//! **Invariant**: a document is whole: one state of its source, never a mixture of two.
#![forbid(unsafe_code)]

pub mod contract;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// The most bytes that all parts of a document may have. A source that has more says so instead of
/// reading on.
pub const MAX_BYTES: usize = 4 << 20;

/// One state of a config at its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Tells states of one source apart.
    pub revision: Revision,
    /// The pieces of the config in their order: files of a folder, keys below a prefix, namespaces. At least one.
    pub parts: Vec<Part>,
}

/// A piece of a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// As people know it: a path, a key. Diagnostics show it.
    pub name: String,
    /// Its content, as it came; text if it is right.
    pub text: Vec<u8>,
}

/// What a source calls one of its states: a hash of the content, a number of etcd's, a release of Apollo's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(String);

/// Why a source cannot be read now. Ask again after a while.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// One sentence, lower case, no full stop: what failed, and with whom.
    pub message: String,
    /// What that means for whoever asks again.
    pub why: Why,
}

/// What it means that a source cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody is there to be asked, which costs nobody anything: ask again soon.
    Unreachable,
    /// It was asked in vain, or did not answer: asking often makes it worse.
    Failed,
    /// The source is there and says that there is no config in it: waiting does not help, somebody must act.
    Absent,
}

/// What [`ConfigSource::next`] gives.
pub type Next<'a> = Pin<Box<dyn Future<Output = Result<Document, SourceError>> + Send + 'a>>;

/// A place where a config is kept, and changes.
pub trait ConfigSource: fmt::Debug + Send + Sync {
    /// What it is and where, as logs show it: `file tidegate.yaml`, `etcd http://127.0.0.1:2379/tidegate/`.
    /// No secrets.
    fn name(&self) -> &str;

    /// Makes the next [`next`](Self::next) give the present state even if it is the one that was given last.
    fn again(&mut self);

    /// Waits for the next state: the first time for the present one, then for one whose parts differ from
    /// those that were given last. States in between may be left out; the last one never is.
    ///
    /// After an error it goes on: asked again, it tries again at once, so the caller has to pause. When the
    /// source can be read again its state is given, changed or not.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// The source cannot be read, or holds no config.
    fn next(&mut self) -> Next<'_>;
}

// === impl Document ===

impl Document {
    /// A document of one part.
    #[must_use]
    pub fn whole(revision: Revision, name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self { revision, parts: vec![Part { name: name.into(), text: text.into() }] }
    }

    /// The bytes of all parts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.text.len()).sum()
    }
}

// === impl Revision ===

impl Revision {
    /// What the source itself calls it.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// For sources without names of their own: a hash of names and contents (FNV-1a, 64 bits).
    #[must_use]
    pub fn of_content(parts: &[Part]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut eat = |bytes: &[u8]| {
            for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for part in parts {
            eat(part.name.as_bytes());
            eat(&part.text);
        }
        Self(format!("{hash:016x}"))
    }

    /// As it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl SourceError ===

impl SourceError {
    /// It cannot be read now.
    #[must_use]
    pub fn away(message: impl Into<String>) -> Self {
        Self { message: message.into(), why: Why::Failed }
    }

    /// Nobody is there.
    #[must_use]
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { message: message.into(), why: Why::Unreachable }
    }

    /// There is no config in it.
    #[must_use]
    pub fn absent(message: impl Into<String>) -> Self {
        Self { message: message.into(), why: Why::Absent }
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Revision};

    fn part(name: &str, text: &str) -> Part {
        Part { name: name.into(), text: text.into() }
    }

    #[test]
    fn revisions_of_content_differ_wherever_names_or_contents_do() {
        let of = Revision::of_content;
        let documents = [
            vec![],
            vec![part("a", "")],
            vec![part("", "a")],
            vec![part("a", "b")],
            vec![part("ab", "")],
            vec![part("a", ""), part("b", "")],
            vec![part("b", ""), part("a", "")],
        ];
        let mut revisions: Vec<_> = documents.iter().map(|parts| of(parts)).collect();
        revisions.sort();
        revisions.dedup();
        assert_eq!(revisions.len(), documents.len());
        assert_eq!(of(&documents[3]), of(&documents[3]));
    }
}
