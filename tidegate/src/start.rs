//! The first config of a process: what its source says, or else what was in force when it last ran.

use crate::cli::{From, Run};
use crate::exit::Exit;
use crate::load::{self, Failure, Ready};
use crate::run::Signals;
use crate::source::{Opened, Place};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tidegate_control::files::{self, FileSource};
use tidegate_control::generations::{Saved, StateFolder};
use tidegate_control::{Diagnostic, Report, not_read};
use tidegate_source::SourceError;
use tidegate_traffic::ports::Board;
use tokio::runtime::Runtime;

/// How long a source that is elsewhere has to say what it says.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something to serve, and where the next one comes from.
pub(crate) struct Started {
    pub(crate) ready: Ready,
    pub(crate) feed: Feed,
}

/// Where configs come from.
pub(crate) struct Feed {
    pub(crate) source: Box<dyn tidegate_source::ConfigSource>,
    pub(crate) state: Option<StateFolder>,
    /// Where the config in force is from.
    pub(crate) origin: String,
    /// It is what the source says.
    pub(crate) from_source: bool,
    /// Where the plans of its canaries are walked together with other gateways.
    pub(crate) board: Option<Arc<dyn Board>>,
    /// Where the source is, if it is elsewhere.
    pub(crate) place: Option<Place>,
}

/// Reads the first config from where the command line says. `runtime` is where the source lives from now on.
pub(crate) fn first(arguments: &Run, runtime: &Runtime, signals: &mut Signals) -> Result<Started, Failure> {
    let state = arguments.state.as_deref().map(open_state).transpose()?;
    let from = arguments.from();
    let folder = folder(&from);
    let place = match &from {
        From::File(_) => None,
        From::Elsewhere(place) => Some(place.clone()),
    };
    let Opened { mut source, board } = open(&from, runtime)?;
    let said = runtime.block_on(signals.unless_told(async { tokio::time::timeout(PATIENCE, source.next()).await }))?;
    let said = match said {
        Ok(said) => said,
        Err(_) => Err(SourceError::away(format!("{} has not said anything within {PATIENCE:?}", source.name()))),
    };
    // The one who follows the source begins with what it says now.
    source.again();
    let origin = source.name().to_owned();
    let failure = match said {
        Ok(document) => match load::document_in(document, &folder) {
            Ok(ready) => {
                return Ok(Started { ready, feed: Feed { source, state, origin, from_source: true, board, place } });
            }
            Err(failure) => failure,
        },
        Err(error) => unreadable(&from, &error),
    };
    let Some(Saved { origin, document }) = saved(state.as_ref()) else { return Err(failure) };
    tracing::error!(
        source = source.name(),
        reason = failure.report.in_one_line(),
        origin,
        revision = document.revision.as_str(),
        "the config cannot be used; the one that was in force last is served"
    );
    let ready = load::document_in(document, &folder).map_err(|saved| both(failure, saved))?;
    let origin = format!("saved, {origin}");
    Ok(Started { ready, feed: Feed { source, state, origin, from_source: false, board, place } })
}

/// The config file at `path`, for a process that keeps no state.
#[cfg(feature = "demo")]
pub(crate) fn file(path: &Path, runtime: &Runtime, signals: &mut Signals) -> Result<Started, Failure> {
    let arguments = Run { config: Some(path.to_owned()), from: None, state: None };
    first(&arguments, runtime, signals)
}

fn open(from: &From, runtime: &Runtime) -> Result<Opened, Failure> {
    let _runtime = runtime.enter();
    match from {
        From::File(path) => Ok(Opened { source: Box::new(FileSource::new(path)), board: None }),
        // Values that are no UTF-8 count as not set.
        From::Elsewhere(place) => place
            .open(|name| std::env::var_os(name)?.into_string().ok())
            .map_err(|message| Failure { report: Report::new(vec![Diagnostic::error(message)]), exit: Exit::Usage }),
    }
}

/// What paths in the config are relative to.
fn folder(from: &From) -> PathBuf {
    match from {
        From::File(path) => files::folder_of(path).to_owned(),
        From::Elsewhere(_) => PathBuf::new(),
    }
}

fn unreadable(from: &From, error: &SourceError) -> Failure {
    match from {
        From::File(_) => Failure::config(not_read(error)),
        From::Elsewhere(_) => Failure {
            report: Report::new(vec![
                Diagnostic::error(&error.message)
                    .help("with `--state FOLDER` the config that was in force last is served until the source is back"),
            ]),
            exit: Exit::Unavailable,
        },
    }
}

fn open_state(path: &Path) -> Result<StateFolder, Failure> {
    StateFolder::open(path).map_err(|error| {
        let message = format!("cannot make the folder `{}` for the config in force: {error}", path.display());
        Failure::runtime(Diagnostic::error(message).help("`--state` names a folder that the program may write to"))
    })
}

fn saved(state: Option<&StateFolder>) -> Option<Saved> {
    let state = state?;
    match state.load() {
        Ok(saved) => saved,
        Err(error) => {
            // What the source says is worth more to be told.
            tracing::error!(file = %state.file().display(), %error, "what was in force last cannot be read");
            None
        }
    }
}

/// Neither can be served.
fn both(failure: Failure, saved: Failure) -> Failure {
    let note = Diagnostic::error("the config that was in force last cannot be used either; what is wrong with it:");
    let mut diagnostics = failure.report.diagnostics;
    diagnostics.push(note);
    diagnostics.extend(saved.report.diagnostics);
    Failure {
        report: Report { diagnostics },
        exit: if failure.exit == Exit::Failure { Exit::Config } else { failure.exit },
    }
}
