//! Takes configs, one after the other, and puts those in force that are right.

use super::follow::{self, Following};
use super::handle::{self, Handle, Refused};
use super::loader::{Candidate, Fixed, Loader};
use super::outlets::Outlets;
use super::pause::Pause;
use super::state::{Saved, StateFolder};
use super::{Attempt, Generation, Standing};
use crate::canary::Plans;
use crate::diagnostics::{Report, cannot_listen};
use crate::files::named::Named;
use parking_lot::Mutex;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_gateway::server::Ports;
use tidegate_gateway::{Gateway, Phase};
use tidegate_source::{ConfigSource, Document, Part, SourceError};
use tidegate_telemetry::clock;
use tokio::sync::{mpsc, oneshot};

/// Commands that wait.
const COMMANDS: usize = 16;

/// What the keeper keeps, and with what.
#[derive(Debug)]
pub struct Given {
    /// What is to be changed.
    pub gateway: Arc<Gateway>,
    /// Its listening sockets.
    pub ports: Arc<Ports>,
    /// How documents are read.
    pub loader: Arc<Loader>,
    /// Who opens what requests are told to.
    pub outlets: Box<dyn Outlets>,
    /// Who follows the upstreams of the config in force.
    pub following: Following,
    /// Who walks the plans of its canaries.
    pub plans: Arc<Plans>,
    /// Where configs come from.
    pub source: Box<dyn ConfigSource>,
    /// Where the config in force is kept for the next start.
    pub state: Option<StateFolder>,
    /// The config in force.
    pub candidate: Candidate,
    /// Its text.
    pub document: Document,
    /// Where it is from.
    pub origin: String,
    /// It is what the source says. Otherwise it was saved.
    pub from_source: bool,
}

/// Puts configs in force. One per process.
#[derive(Debug)]
pub struct Keeper {
    gateway: Arc<Gateway>,
    ports: Arc<Ports>,
    loader: Arc<Loader>,
    outlets: Arc<Mutex<Box<dyn Outlets>>>,
    following: Following,
    source: Box<dyn ConfigSource>,
    state: Option<StateFolder>,
    standing: Arc<Standing>,
    fixed: Fixed,
    commands: mpsc::Receiver<Command>,
    named: Named,
    /// What was tried last, and where it was from: tried again when a file that it names has changed.
    last: (Document, String),
    /// What the source said last.
    said: Option<Vec<Part>>,
    /// Who waits for the source to be read again.
    reloads: Vec<Answer>,
    /// When the source is asked again after an error.
    pause: Option<Pause>,
}

pub(super) type Answer = oneshot::Sender<Result<u64, Refused>>;

/// What a [`Handle`] asks for.
#[derive(Debug)]
pub(super) enum Command {
    Apply { document: Document, origin: String, expected: Option<u64>, answer: Answer },
    Reload { answer: Answer },
}

enum Event {
    Command(Command),
    NamedFiles,
    Source(Result<Document, SourceError>),
}

impl Keeper {
    /// For a gateway that serves already.
    pub async fn new(given: Given) -> (Self, Handle) {
        let Given { gateway, ports, loader, outlets, following, plans, source, state, .. } = given;
        let Given { candidate, document, origin, from_source, .. } = given;
        let (commands, asked) = mpsc::channel(COMMANDS);
        let fixed = Fixed::of(&candidate.loaded);
        let mut named = Named::new();
        named.set(&candidate.loaded, candidate.named);
        let handle = Handle {
            commands,
            loader: Arc::clone(&loader),
            gateway: Arc::clone(&gateway),
            standing: Arc::default(),
            states: Arc::clone(following.states()),
            fixed: fixed.clone(),
            plans,
            source: source.name().into(),
        };
        let keeper = Self {
            gateway,
            ports,
            loader,
            outlets: Arc::new(Mutex::new(outlets)),
            following,
            source,
            state,
            standing: Arc::clone(&handle.standing),
            fixed,
            commands: asked,
            named,
            said: from_source.then(|| document.parts.clone()),
            last: (document.clone(), origin.clone()),
            reloads: Vec::new(),
            pause: None,
        };
        let number = keeper.gateway.snapshot().generation;
        keeper.remember(number, document.clone(), origin.clone());
        keeper.save(document, origin).await;
        (keeper, handle)
    }

    /// Keeps the gateway up to date until it drains: then nothing is changed any more, and nothing new is opened.
    pub async fn run(mut self) {
        loop {
            let event = tokio::select! {
                biased;
                Some(command) = self.commands.recv() => Event::Command(command),
                () = self.named.changed() => Event::NamedFiles,
                said = after(self.pause, self.source.next()) => Event::Source(said),
            };
            if self.gateway.phase() >= Phase::Draining {
                return;
            }
            match event {
                Event::Command(Command::Reload { answer }) => {
                    self.reloads.push(answer);
                    self.source.again();
                    self.pause = None;
                }
                Event::Command(Command::Apply { document, origin, expected, answer }) => {
                    let in_force = self.standing.current().map_or(0, |current| current.number);
                    let result = match expected.filter(|expected| *expected != in_force) {
                        Some(expected) => Err(Refused::Overtaken { expected, in_force }),
                        None => self.take(document, origin).await.map_err(Refused::Config),
                    };
                    // Whoever asked may have left.
                    let _ = answer.send(result);
                }
                Event::NamedFiles => {
                    tracing::info!("files that the config names have changed");
                    let (document, origin) = self.last.clone();
                    let _ = self.take(document, origin).await;
                }
                Event::Source(said) => self.source_said(said).await,
            }
        }
    }

    async fn source_said(&mut self, said: Result<Document, SourceError>) {
        let document = match said {
            Ok(document) => document,
            Err(error) => return self.not_read(&error),
        };
        self.pause = None;
        self.gateway.telemetry().metrics.config().source_read(true);
        if self.standing.trouble.lock().take().is_some() {
            tracing::info!(source = self.source.name(), "the source of the config can be read again");
        }
        let reloads = std::mem::take(&mut self.reloads);
        if reloads.is_empty() && self.said.as_ref() == Some(&document.parts) {
            return;
        }
        self.said = Some(document.parts.clone());
        let result = self.take(document, self.source.name().to_owned()).await.map_err(Refused::Config);
        for answer in reloads {
            let _ = answer.send(result.clone());
        }
    }

    fn not_read(&mut self, error: &SourceError) {
        self.pause = Some(Pause::after(self.pause, error.why, clock::now()));
        self.gateway.telemetry().metrics.config().source_read(false);
        let before = self.standing.trouble.lock().replace(error.message.clone());
        if before.as_ref() != Some(&error.message) {
            let source = self.source.name();
            tracing::warn!(
                source,
                reason = error.message,
                "the source of the config cannot be read; the config in force stays"
            );
        }
        for answer in self.reloads.drain(..) {
            let _ = answer.send(Err(Refused::Source(error.message.clone())));
        }
    }

    /// Puts a document in force, whole, or changes nothing.
    async fn take(&mut self, document: Document, origin: String) -> Result<u64, Report> {
        self.last = (document.clone(), origin.clone());
        let metrics = Arc::clone(&self.gateway.telemetry().metrics);
        let (began, at) = (clock::wall(), clock::now());
        let result = self.put_in_force(&document).await;
        if let Some(tracer) = &self.gateway.snapshot().sinks.tracer {
            let told = result.as_ref().map(|(number, _)| *number).map_err(Report::in_one_line);
            let took = clock::now().saturating_duration_since(at);
            tracer.config_tried(began, took, (&origin, document.revision.as_str()), told);
        }
        match result {
            Ok((number, candidate)) => {
                metrics.config().accepted(number, clock::wall());
                let revision = document.revision.to_string();
                self.remember(number, document.clone(), origin.clone());
                self.save(document, origin.clone()).await;
                self.named.set(&candidate.loaded, candidate.named);
                tracing::info!(generation = number, origin, revision, "the config is in force");
                self.warn(&candidate);
                Ok(number)
            }
            Err(report) => {
                metrics.config().rejected();
                tracing::error!(
                    generation = self.gateway.snapshot().generation,
                    origin,
                    revision = document.revision.as_str(),
                    reason = report.in_one_line(),
                    "the config is refused; the one before it stays in force"
                );
                let (at, revision) = (clock::wall(), document.revision.to_string());
                *self.standing.refused.lock() = Some(Attempt { at, origin, revision, report: report.clone() });
                Err(report)
            }
        }
    }

    /// Everything that can go wrong, and then the swap, which cannot.
    async fn put_in_force(&mut self, document: &Document) -> Result<(u64, Candidate), Report> {
        let (loader, text) = (Arc::clone(&self.loader), document.clone());
        let candidate = blocking(move || loader.load(&text)).await?;
        let told = self.following.ask(&candidate).await;
        let (metrics, schemas) = (Arc::clone(&self.gateway.telemetry().metrics), follow::schemas(&told));
        let (snapshot, candidate) = blocking(move || {
            let snapshot = candidate.compile(&schemas, &metrics)?;
            Ok((snapshot, candidate))
        })
        .await?;
        let prepared = self.ports.prepare(&snapshot.config).map_err(|error| {
            let source = candidate.sources.source();
            Report::new(vec![cannot_listen(error.address, &error.source, error.place, source)])
        })?;
        let (outlets, loaded) = (Arc::clone(&self.outlets), candidate.loaded.clone());
        let sinks = blocking(move || outlets.lock().open(&loaded)).await?;
        let before = self.ports.addresses();
        let number = self.gateway.apply_with(snapshot, Some(sinks));
        self.ports.commit(prepared);
        tell_listeners(&before, &self.ports.addresses());
        self.following.move_on(&candidate.sources, told);
        Ok((number, candidate))
    }

    /// What is in force but not as it may be meant.
    fn warn(&self, candidate: &Candidate) {
        for warning in &candidate.loaded.warnings.diagnostics {
            tracing::warn!("{}", warning.in_one_line());
        }
        for key in self.fixed.differences(&Fixed::of(&candidate.loaded)) {
            tracing::warn!(key, "a change of this key takes effect with the next start of the program");
        }
    }

    /// Keeps what has come into force for rolling back.
    fn remember(&self, number: u64, document: Document, origin: String) {
        let document = Arc::new(document);
        self.standing.accepted(Generation { number, origin, at: clock::wall(), document });
    }

    /// Keeps what has come into force for the next start.
    async fn save(&self, document: Document, origin: String) {
        if let Some(state) = self.state.clone() {
            let saved = Saved { origin, document };
            let result = tokio::task::spawn_blocking(move || state.save(&saved).map_err(|error| (state.file(), error)));
            if let Ok(Err((file, error))) = result.await {
                tracing::error!(file = %file.display(), %error, "the config in force cannot be saved");
            }
        }
    }
}

fn tell_listeners(before: &[SocketAddr], now: &[SocketAddr]) {
    for address in now.iter().filter(|address| !before.contains(address)) {
        tracing::info!(%address, "listening on http://{address}");
    }
    for address in before.iter().filter(|address| !now.contains(address)) {
        tracing::info!(%address, "listening no more: connections end with their next answer");
    }
}

/// The future, but not before the pause is over.
async fn after<T>(pause: Option<Pause>, future: impl Future<Output = T>) -> T {
    if let Some(Pause { until, .. }) = pause {
        tokio::time::sleep_until(until.into()).await;
    }
    future.await
}

/// Off this thread: a large config takes a while.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Report> + Send + 'static) -> Result<T, Report> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(handle::failed()))
}
