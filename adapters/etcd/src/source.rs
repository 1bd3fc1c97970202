//! Reads the keys below a prefix, and watches them.
//!
//! ```text
//! connect ──► read all, at revision n ──► watch from n + 1 ──► apply events ──► settle ──► tell
//!    ▲                                          │
//!    └────────── anything goes wrong ◄──────────┘   (also: n + 1 has been compacted)
//! ```

use crate::Address;
use crate::client::{self, Client};
use crate::wire::{Event, WatchResponse};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;
use tidegate_source::{ConfigSource, Document, MAX_BYTES, Next, Part, Revision, SourceError};
use tokio::time::{Sleep, sleep, timeout};

/// How long it may take to connect, read all and begin to watch.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait after a change for what belongs to it. Later changes do not extend it.
const SETTLE: Duration = Duration::from_millis(100);

/// The keys below a prefix, in the order of their names; the value of each is a part of the config.
pub struct EtcdSource {
    address: Address,
    name: String,
    watch: Option<client::Watch>,
    keys: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of etcd, that of `keys`.
    revision: i64,
    /// Runs since a change.
    settle: Option<Pin<Box<Sleep>>>,
    /// What was told last; none after an error.
    given: Option<Vec<Part>>,
    /// That there is nothing below the prefix was told.
    told_absent: bool,
}

// === impl EtcdSource ===

impl EtcdSource {
    /// Nothing is asked yet. Must be used within a runtime.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            name: format!("etcd {address}"),
            address,
            watch: None,
            keys: BTreeMap::new(),
            revision: 0,
            settle: None,
            given: None,
            told_absent: false,
        }
    }

    async fn changed(&mut self) -> Result<Document, SourceError> {
        loop {
            if self.watch.is_none() {
                self.begin().await.inspect_err(|_| self.given = None)?;
            } else if self.settle.is_some() {
                self.settle().await;
            } else {
                self.event().await;
                continue;
            }
            if self.watch.is_none() {
                continue;
            }
            match self.document() {
                Ok(document) => {
                    self.told_absent = false;
                    if self.given.as_ref() != Some(&document.parts) {
                        self.given = Some(document.parts.clone());
                        return Ok(document);
                    }
                }
                // Told once: it is not there until somebody writes it, which the watch tells.
                Err(_) if self.told_absent => {}
                Err(error) => {
                    self.given = None;
                    self.told_absent = true;
                    return Err(error);
                }
            }
        }
    }

    /// Reads all keys, and watches from there: after an interruption of any kind, so that nothing is missed
    /// and no revision is asked for that etcd no longer has.
    async fn begin(&mut self) -> Result<(), SourceError> {
        let away = |why: String| SourceError::away(format!("{}: {why}", self.name));
        let begun = async {
            let mut client = Client::connect(&self.address).await?;
            let read = client.range(&self.address.prefix).await?;
            let revision = read.header.map_or(0, |header| header.revision);
            let watch = client.watch(&self.address.prefix, revision + 1).await?;
            Ok::<_, String>((read.kvs, revision, watch))
        };
        let begun = timeout(PATIENCE, begun).await;
        let (keys, revision, watch) =
            begun.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}"))).map_err(away)?;
        self.keys = keys.into_iter().map(|kv| (kv.key, kv.value)).collect();
        self.revision = revision;
        self.watch = Some(watch);
        self.settle = None;
        Ok(())
    }

    /// Waits for something to happen to the keys, or to the watch, which is dropped then.
    async fn event(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        match watch.message().await {
            Ok(Some(response)) if !response.canceled => {
                let changed = !response.events.is_empty();
                self.apply(response);
                if changed {
                    self.settle = Some(Box::pin(sleep(SETTLE)));
                }
            }
            // Cancelled, because the revision has been compacted or etcd has no leader; ended; broken.
            _ => self.watch = None,
        }
    }

    /// Takes what comes until the time is over.
    async fn settle(&mut self) {
        while let (Some(watch), Some(over)) = (&mut self.watch, &mut self.settle) {
            let response = tokio::select! {
                biased;
                () = over.as_mut() => {
                    self.settle = None;
                    return;
                }
                response = watch.message() => response,
            };
            match response {
                Ok(Some(response)) if !response.canceled => self.apply(response),
                _ => {
                    self.watch = None;
                    self.settle = None;
                }
            }
        }
    }

    fn apply(&mut self, response: WatchResponse) {
        for event in response.events {
            let is_put = event.r#type == Event::PUT;
            let Some(kv) = event.kv else { continue };
            match is_put {
                true => self.keys.insert(kv.key, kv.value),
                false => self.keys.remove(&kv.key),
            };
        }
        if let Some(header) = response.header {
            self.revision = header.revision;
        }
    }

    fn document(&self) -> Result<Document, SourceError> {
        if self.keys.is_empty() {
            let message = format!("there is no key below `{}` in etcd", self.address.prefix);
            return Err(SourceError::absent(message));
        }
        let part = |(key, value): (&Vec<u8>, &Vec<u8>)| Part {
            name: String::from_utf8_lossy(key).into_owned(),
            text: value.clone(),
        };
        let revision = Revision::new(self.revision.to_string());
        let document = Document { revision, parts: self.keys.iter().map(part).collect() };
        if document.bytes() > MAX_BYTES {
            let prefix = &self.address.prefix;
            let message = format!("the keys below `{prefix}` have {} bytes; {MAX_BYTES} is the most", document.bytes());
            return Err(SourceError::absent(message));
        }
        Ok(document)
    }
}

impl ConfigSource for EtcdSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn again(&mut self) {
        self.given = None;
        self.told_absent = false;
        // Read anew, whatever the watch has told so far.
        self.watch = None;
    }

    fn next(&mut self) -> Next<'_> {
        Box::pin(self.changed())
    }
}

impl std::fmt::Debug for EtcdSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdSource")
            .field("address", &self.address)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}
