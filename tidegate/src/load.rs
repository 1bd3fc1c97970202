//! From a config file to something that can be served, or to what is wrong with it.

use crate::cli::VERSION;
use crate::exit::Exit;
use crate::follow::{self, Told};
use std::path::Path;
use std::sync::Arc;
use tidegate_control::config::Telemetry;
use tidegate_control::{Diagnostic, Loaded, Report, Source, Sources};
use tidegate_gateway::Snapshot;
use tidegate_gateway::snapshot::Schemas;
use tidegate_schema::Compiler;
use tidegate_telemetry::metrics::Metrics;

/// The first config of a process.
const GENERATION: u64 = 1;

/// A config that is compiled, and what the program itself has to know of it.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) snapshot: Snapshot,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) admin: Option<tidegate_control::config::Admin>,
    pub(crate) telemetry: Telemetry,
    pub(crate) source: Arc<Source>,
    /// Where schemas come from.
    pub(crate) sources: Arc<Sources>,
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

    /// Tells it on standard error.
    pub(crate) fn tell(&self) -> Exit {
        eprint!("{}", self.report);
        self.exit
    }
}

/// Loads the config file and compiles it, without the schemas that upstreams tell themselves. Warnings are
/// told on standard error.
pub(crate) fn file(path: &Path) -> Result<Ready, Failure> {
    let (loaded, sources) = sources(path)?;
    compile(loaded, sources, &Schemas::new())
}

/// The same, with the schemas that upstreams tell themselves.
pub(crate) fn file_online(path: &Path) -> Result<Ready, Failure> {
    let (loaded, sources) = sources(path)?;
    let Told { schemas, .. } = follow::ask_all(&sources)?;
    compile(loaded, sources, &schemas)
}

/// Loads the config file, and the schemas that it names by files. Warnings are told on standard error.
pub(crate) fn sources(path: &Path) -> Result<(Loaded, Sources), Failure> {
    // Values that are no UTF-8 count as not set.
    let environment = |name: &str| std::env::var_os(name)?.into_string().ok();
    let loaded = tidegate_control::load(path, &environment).map_err(Failure::config)?;
    eprint!("{}", loaded.warnings);
    let compiler = Compiler::with_protoc_from(std::env::var_os("PATH").as_deref());
    let config = Arc::new(loaded.config.clone());
    let sources = Sources::load(config, &loaded.source, &compiler).map_err(|report| {
        // If other things are wrong too, they have to be mended first.
        let exit = if compiler.lacked_protoc() && report.errors() == 1 { Exit::Unavailable } else { Exit::Config };
        Failure { report, exit }
    })?;
    Ok((loaded, sources))
}

/// Compiles a config that was loaded, with the schemas that upstreams `told`.
fn compile(loaded: Loaded, sources: Sources, told: &Schemas) -> Result<Ready, Failure> {
    let Loaded { admin, telemetry, source, .. } = loaded;
    let schemas = sources.with(told).map_err(Failure::config)?;
    let config = Arc::clone(sources.config());
    let workers = match config.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let metrics = Arc::new(Metrics::new(VERSION, workers));
    let snapshot = Snapshot::compile(config, &schemas, &metrics, GENERATION)
        .map_err(|problems| Failure::config(Report::from_problems(problems, &source)))?;
    Ok(Ready { snapshot, metrics, admin, telemetry, source, sources: Arc::new(sources), workers })
}
