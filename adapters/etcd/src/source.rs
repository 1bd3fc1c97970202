//! The source: reads all, watches, and begins anew when something fails.

use crate::client::Client;
use crate::config::Config;
use crate::failure::Failure;
use crate::known::Known;
use crate::watching::{Heard, Watching};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tidegate_source::{ConfigSource, Document, MAX_BYTES, Next, SourceError};
use tokio::time::{Sleep, sleep};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How long to wait after a change for those that belong to it, written one after the other. Later changes do
/// not extend it.
const SETTLE: Duration = Duration::from_millis(100);

/// A config in etcd.
///
/// After a lost connection all keys are read anew and watched from there, at the next member if there are
/// several; it is an error only if none of them can be used. So nothing is lost, whatever happened meanwhile: writes, a compaction, a restored backup or a
/// cluster that was made anew and counts from 1 again.
#[derive(Debug)]
pub struct Etcd {
    config: Arc<Config>,
    name: String,
    /// Whose turn it is, of the endpoints.
    turn: usize,
    /// What went wrong, one endpoint after the other, since one of them could be used.
    failures: Vec<String>,
    /// At each of them nobody was there.
    nobody: bool,
    watching: Option<Watching>,
    /// Runs since a change that was not told yet.
    settle: Option<Pin<Box<Sleep>>>,
    known: Known,
}

// === impl Etcd ===

impl Etcd {
    /// A source that is not connected yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let name = config.name();
        let config = Arc::new(config);
        Self {
            config,
            name,
            turn: 0,
            failures: Vec::new(),
            nobody: true,
            watching: None,
            settle: None,
            known: Known::default(),
        }
    }

    async fn wait(&mut self) -> Result<Document, SourceError> {
        loop {
            let Some(watching) = &mut self.watching else {
                if let Err(failure) = self.connect().await {
                    self.lost(&failure)?;
                }
                continue;
            };
            if self.settle.is_none()
                && let Some(document) = self.known.news()
            {
                return self.given(document);
            }
            let settled = async {
                match &mut self.settle {
                    Some(settle) => settle.as_mut().await,
                    None => std::future::pending().await,
                }
            };
            let heard = tokio::select! {
                heard = watching.next() => heard,
                () = settled => {
                    self.settle = None;
                    continue;
                }
            };
            match heard {
                Ok(Heard::Changes { events, revision }) => {
                    self.settle.get_or_insert_with(|| Box::pin(sleep(SETTLE)));
                    if self.known.change(events, revision).is_err() {
                        let failure = Failure::TooLarge { key: self.config.key.clone(), most: MAX_BYTES };
                        self.lost(&failure)?;
                    }
                }
                Ok(Heard::Compacted) => self.watching = None,
                Ok(Heard::Alive) => drop(self.forgive()),
                Err(failure) => self.lost(&failure)?,
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        let mut client = Client::connect(&self.config, self.endpoint(), ANSWER).await?;
        let state = client.read().await?;
        // From this revision and not from the next: of a watch that begins in the future etcd gives no sign of
        // life. To apply the last change again changes nothing.
        let watching = client.watch(state.revision).await?;
        self.known.replace(state.values, state.revision);
        self.watching = Some(watching);
        self.settle = None;
        Ok(())
    }

    /// Whoever is asked next is another member. An error if all of them failed, one after the other; what is
    /// read after it is told.
    fn lost(&mut self, failure: &Failure) -> Result<(), SourceError> {
        self.failures.push(format!("etcd at {}: {failure}", self.endpoint()));
        self.nobody &= matches!(failure, Failure::Unreachable(_));
        self.watching = None;
        self.turn = self.turn.wrapping_add(1);
        if self.failures.len() < self.config.endpoints.len() {
            return Ok(());
        }
        self.known.tell_again();
        let nobody = self.nobody;
        let failures = self.forgive().join("; ");
        Err(if nobody { SourceError::unreachable(failures) } else { SourceError::away(failures) })
    }

    /// Begins to count anew; gives what was counted.
    fn forgive(&mut self) -> Vec<String> {
        self.nobody = true;
        std::mem::take(&mut self.failures)
    }

    fn given(&mut self, document: Document) -> Result<Document, SourceError> {
        self.forgive();
        if !document.parts.is_empty() {
            return Ok(document);
        }
        let key = &self.config.key;
        let what = if key.ends_with('/') { "no key begins with" } else { "there is no key" };
        Err(SourceError::absent(format!("etcd at {}: {what} {key}", self.endpoint())))
    }

    fn endpoint(&self) -> &str {
        let endpoints = &self.config.endpoints;
        endpoints.get(self.turn % endpoints.len().max(1)).map_or("", String::as_str)
    }
}

impl ConfigSource for Etcd {
    fn name(&self) -> &str {
        &self.name
    }

    fn again(&mut self) {
        // Read anew, whatever the watch has told so far.
        self.watching = None;
        self.known.tell_again();
    }

    fn next(&mut self) -> Next<'_> {
        Box::pin(self.wait())
    }
}
