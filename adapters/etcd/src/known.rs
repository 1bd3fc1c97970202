//! What is known of etcd's keys, and what of it was told.

use crate::messages::{DELETED, Event, KeyValue};
use bytes::Bytes;
use std::collections::BTreeMap;
use tidegate_source::{Document, MAX_BYTES, Part, Revision};

/// The keys and their values, in the order of the keys.
type Values = BTreeMap<Bytes, Bytes>;

/// The last state that was read, and the last one that was told.
#[derive(Debug, Default)]
pub(crate) struct Known {
    values: Values,
    revision: i64,
    told: Option<Values>,
}

/// The keys have more bytes than a config may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

// === impl Known ===

impl Known {
    /// Takes a whole state.
    pub(crate) fn replace(&mut self, values: Vec<KeyValue>, revision: i64) {
        self.values = values.into_iter().map(|pair| (pair.key, pair.value)).collect();
        self.revision = revision;
    }

    /// Takes what changed since, all of one or more whole revisions.
    pub(crate) fn change(&mut self, events: Vec<Event>, revision: i64) -> Result<(), TooLarge> {
        for Event { kind, kv } in events {
            let Some(KeyValue { key, value, .. }) = kv else { continue };
            if kind == DELETED {
                self.values.remove(&key);
            } else {
                self.values.insert(key, value);
            }
        }
        self.revision = revision;
        let bytes: usize = self.values.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > MAX_BYTES { Err(TooLarge) } else { Ok(()) }
    }

    /// The state, if it differs from the one that was told last. Counts as told then.
    pub(crate) fn news(&mut self) -> Option<Document> {
        if self.told.as_ref() == Some(&self.values) {
            return None;
        }
        self.told = Some(self.values.clone());
        let part = |(key, value): (&Bytes, &Bytes)| Part {
            name: String::from_utf8_lossy(key).into_owned(),
            text: value.to_vec(),
        };
        let parts = self.values.iter().map(part).collect();
        Some(Document { revision: Revision::new(self.revision.to_string()), parts })
    }

    /// Nothing counts as told.
    pub(crate) fn tell_again(&mut self) {
        self.told = None;
    }
}

#[cfg(test)]
mod tests;
