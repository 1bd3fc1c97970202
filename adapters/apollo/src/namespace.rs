//! What is known of one namespace.

use crate::messages::{Messages, Release};

/// The item of a namespace that is one text.
const CONTENT: &str = "content";

/// A namespace.
#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) name: String,
    /// The last notification; -1 before the first.
    pub(crate) id: i64,
    pub(crate) messages: Option<Messages>,
    /// Has to be read.
    pub(crate) stale: bool,
    /// The release that was read last. `None`: there is none.
    pub(crate) found: Option<Found>,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) key: String,
}

// === impl Namespace ===

impl Namespace {
    pub(crate) fn new(name: String) -> Self {
        Self { name, id: -1, messages: None, stale: true, found: None }
    }

    /// Takes what was read; `None` if there is nothing.
    pub(crate) fn take(&mut self, release: Option<Release>) {
        self.stale = false;
        self.found = release.and_then(|Release { mut configurations, key }| {
            let text = configurations.remove(CONTENT)?;
            Some(Found { text, key })
        });
    }

    /// Takes a notification. One that is known says nothing.
    pub(crate) fn notice(&mut self, id: i64, messages: Option<Messages>) {
        if self.id != id {
            self.id = id;
            self.messages = messages;
            self.stale = true;
        }
    }
}
