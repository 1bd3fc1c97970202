//! From a config to something that can be served, or to what is wrong with it.

use crate::cli::VERSION;
use crate::exit::Exit;
use crate::follow::{self, Told};
use crate::stores;
use std::path::Path;
use std::sync::Arc;
use tidegate_control::generations::{Candidate, Loader};
use tidegate_control::{Diagnostic, Report, Source, Sources, files, not_read};
use tidegate_gateway::Snapshot;
use tidegate_gateway::snapshot::Schemas;
use tidegate_schema::Compiler;
use tidegate_source::Document;
use tidegate_telemetry::metrics::Metrics;

/// The first config of a process.
const GENERATION: u64 = 1;

/// A config that is compiled, and what the program itself has to know of it.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) snapshot: Snapshot,
    pub(crate) metrics: Arc<Metrics>,
    /// What it was compiled from.
    pub(crate) candidate: Candidate,
    pub(crate) document: Document,
    /// How further documents are read.
    pub(crate) loader: Arc<Loader>,
    /// Threads of the data plane.
    pub(crate) workers: usize,
}

/// Why there is nothing to serve.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) report: Report,
    pub(crate) exit: Exit,
}

// === impl Failure ===

impl Failure {
    pub(crate) fn config(report: Report) -> Self {
        Self { report, exit: Exit::Config }
    }

    /// Something that went wrong at run time, about a place in the config or not.
    pub(crate) fn runtime(diagnostic: Diagnostic) -> Self {
        Self { report: Report::new(vec![diagnostic]), exit: Exit::Failure }
    }

    /// Nothing went wrong: it was told to stop.
    pub(crate) fn stopped() -> Self {
        Self { report: Report::new(Vec::new()), exit: Exit::Success }
    }

    /// Tells it on standard error.
    pub(crate) fn tell(&self) -> Exit {
        eprint!("{}", self.report);
        self.exit
    }
}

// === impl Ready ===

impl Ready {
    /// The file, for diagnostics.
    pub(crate) fn source(&self) -> &Arc<Source> {
        self.candidate.sources.source()
    }
}

/// Loads the config file and compiles it, without the schemas that upstreams tell themselves. Warnings are
/// told on standard error.
pub(crate) fn file(path: &Path) -> Result<Ready, Failure> {
    let document = files::read(path).map_err(|error| Failure::config(not_read(&error)))?;
    document_in(document, files::folder_of(path))
}

/// The same for a config that comes from elsewhere; paths in it are relative to `folder`.
pub(crate) fn document_in(document: Document, folder: &Path) -> Result<Ready, Failure> {
    let (candidate, loader) = candidate(&document, folder)?;
    compile(document, candidate, loader, &Schemas::new())
}

/// The same as [`file()`], with the schemas that upstreams tell themselves.
pub(crate) fn file_online(path: &Path) -> Result<Ready, Failure> {
    let document = files::read(path).map_err(|error| Failure::config(not_read(&error)))?;
    let (candidate, loader) = candidate(&document, files::folder_of(path))?;
    let Told { schemas, .. } = follow::ask_all(&candidate.sources)?;
    compile(document, candidate, loader, &schemas)
}

/// Loads the config file, and the schemas that it names by files. Warnings are told on standard error.
pub(crate) fn sources(path: &Path) -> Result<Arc<Sources>, Failure> {
    let document = files::read(path).map_err(|error| Failure::config(not_read(&error)))?;
    Ok(candidate(&document, files::folder_of(path))?.0.sources)
}

fn candidate(document: &Document, folder: &Path) -> Result<(Candidate, Arc<Loader>), Failure> {
    // Values that are no UTF-8 count as not set.
    let variables = Arc::new(|name: &str| std::env::var_os(name)?.into_string().ok());
    let compiler = Arc::new(Compiler::with_protoc_from(std::env::var_os("PATH").as_deref()));
    let loader = Loader::new(folder.to_owned(), variables, Arc::<Compiler>::clone(&compiler));
    let loader = Arc::new(loader.with_stores(stores::check));
    let candidate = loader.load(document).map_err(|report| {
        // If other things are wrong too, they have to be mended first.
        let exit = if compiler.lacked_protoc() && report.errors() == 1 { Exit::Unavailable } else { Exit::Config };
        Failure { report, exit }
    })?;
    eprint!("{}", candidate.loaded.warnings);
    Ok((candidate, loader))
}

/// Compiles a config that was loaded, with the schemas that upstreams `told`.
fn compile(document: Document, candidate: Candidate, loader: Arc<Loader>, told: &Schemas) -> Result<Ready, Failure> {
    let workers = match candidate.loaded.config.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let metrics = Arc::new(Metrics::new(VERSION, workers));
    let mut snapshot = candidate.compile(told, &metrics).map_err(Failure::config)?;
    snapshot.generation = GENERATION;
    Ok(Ready { snapshot, metrics, candidate, document, loader, workers })
}
