//! Asks the keeper, and knows how things stand.

use super::keeper::Command;
use super::loader::{Fixed, Loader};
use super::{Attempt, Generation, Standing};
use crate::canary::Plans;
use crate::config::diff::{self, Change};
use crate::diagnostics::{Diagnostic, Report};
use crate::follow::SchemaStates;
use std::sync::Arc;
use tidegate_gateway::Gateway;
use tidegate_gateway::snapshot::Schemas;
use tidegate_source::Document;
use tokio::sync::{mpsc, oneshot};

/// For the admin port and for signals. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) loader: Arc<Loader>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) standing: Arc<Standing>,
    pub(super) states: Arc<SchemaStates>,
    pub(super) fixed: Fixed,
    pub(super) plans: Arc<Plans>,
    pub(super) source: Arc<str>,
}

/// Why something that was asked for was not done. Nothing has changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The config is wrong.
    #[error("{0}")]
    Config(Report),
    /// The source cannot be read.
    #[error("the source cannot be read: {0}")]
    Source(String),
    /// There is no such generation any more.
    #[error("generation {0} is not kept")]
    NotKept(u64),
    /// Another config has come into force since the caller looked.
    #[error("generation {in_force} is in force, not {expected}")]
    Overtaken {
        /// What the caller took for the one in force.
        expected: u64,
        /// The one that is.
        in_force: u64,
    },
    /// The process ends.
    #[error("the gateway is stopping")]
    Stopping,
}

/// A config that could be put in force.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What is allowed but probably not meant.
    pub warnings: Report,
    /// Keys whose change would take effect with the next start only.
    pub at_next_start: Vec<&'static str>,
}

/// What it is called when it comes by the admin port.
const ADMIN: &str = "admin API";

impl Handle {
    /// Reads the source again and puts in force what it says, even if it is what it said before. Gives the
    /// generation.
    ///
    /// # Errors
    /// Nothing has changed, and why.
    pub async fn reload(&self) -> Result<u64, Refused> {
        self.ask(|answer| Command::Reload { answer }).await
    }

    /// Puts a config in force that does not come from the source, until the source says something new.
    /// `expected` is the generation that must be in force now, if the caller cares.
    ///
    /// # Errors
    /// Nothing has changed, and why.
    pub async fn apply(&self, document: Document, expected: Option<u64>) -> Result<u64, Refused> {
        self.ask(|answer| Command::Apply { document, origin: ADMIN.to_owned(), expected, answer }).await
    }

    /// Puts a config in force that was before, as a new generation.
    ///
    /// # Errors
    /// Nothing has changed, and why.
    pub async fn roll_back(&self, number: u64) -> Result<u64, Refused> {
        let found = self.generations().into_iter().find(|generation| generation.number == number);
        let document = (*found.ok_or(Refused::NotKept(number))?.document).clone();
        let origin = format!("generation {number}");
        self.ask(|answer| Command::Apply { document, origin, expected: None, answer }).await
    }

    /// Whether a config could be put in force. Ports are not tried.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub async fn check(&self, document: Document) -> Result<Checked, Report> {
        let handle = self.clone();
        let check = tokio::task::spawn_blocking(move || {
            let candidate = handle.loader.load(&document)?;
            let mut told = Schemas::new();
            for upstream in &candidate.loaded.config.upstreams {
                if let Some(known) = handle.states.told(&upstream.name) {
                    told.insert(upstream.name.clone(), known.schema);
                }
            }
            candidate.compile(&told, &handle.gateway.telemetry().metrics)?;
            let at_next_start = handle.fixed.differences(&Fixed::of(&candidate.loaded));
            Ok(Checked { warnings: candidate.loaded.warnings, at_next_start })
        });
        check.await.unwrap_or_else(|_| Err(failed()))
    }

    /// In what a config differs from the one in force, key by key, as both are written.
    ///
    /// # Errors
    /// It is no YAML.
    pub fn diff(&self, document: &Document) -> Result<Vec<Change>, Report> {
        let current = self.current().map(|current| Arc::unwrap_or_clone(current.document));
        diff::documents(current.as_ref(), document)
    }

    /// The config in force.
    #[must_use]
    pub fn current(&self) -> Option<Generation> {
        self.standing.current()
    }

    /// Those that are kept, the oldest first; the last one is in force.
    #[must_use]
    pub fn generations(&self) -> Vec<Generation> {
        self.standing.generations.lock().iter().cloned().collect()
    }

    /// The last config that was refused, if none has come into force since.
    #[must_use]
    pub fn refused(&self) -> Option<Attempt> {
        self.standing.refused.lock().clone()
    }

    /// Why the source cannot be read, if it cannot.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.standing.trouble.lock().clone()
    }

    /// Where configs come from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The data plane.
    #[must_use]
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Who walks the plans of its canaries.
    #[must_use]
    pub fn plans(&self) -> &Plans {
        &self.plans
    }

    async fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<u64, Refused>>) -> Command,
    ) -> Result<u64, Refused> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| Refused::Stopping)?;
        answered.await.unwrap_or(Err(Refused::Stopping))
    }
}

/// Something ended that must not.
pub(super) fn failed() -> Report {
    Report::new(vec![Diagnostic::error("checking the config failed without an error")])
}
