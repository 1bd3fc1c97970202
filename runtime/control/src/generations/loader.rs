//! From a document to something that can be put in force, or to what is wrong with it.

use crate::config::{self, Admin, Loaded, Store};
use crate::diagnostics::{Diagnostic, Report};
use crate::files::{certificates, named};
use crate::schemas::Sources;
use std::path::PathBuf;
use std::sync::Arc;
use tidegate_gateway::Snapshot;
use tidegate_gateway::config::Place;
use tidegate_gateway::snapshot::Schemas;
use tidegate_source::Document;
use tidegate_telemetry::metrics::Metrics;
use tidegate_transcode::ports::SchemaCompiler;

/// Gives the value of an environment variable, for as long as the process runs.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Says what is wrong with a store of limits, and where, as far as that can be told without asking it.
pub type StoreCheck = fn(&Store) -> Result<(), (Place, String)>;

/// Parses and checks documents, always in the same surroundings.
pub struct Loader {
    folder: PathBuf,
    variables: Variables,
    compiler: Arc<dyn SchemaCompiler>,
    stores: StoreCheck,
}

/// A config that holds together by itself; upstreams that tell their schema have not been asked.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What the file says.
    pub loaded: Loaded,
    /// Its schemas.
    pub sources: Arc<Sources>,
    /// The content of the files that it names.
    pub(crate) named: u64,
}

/// What a process keeps as it was at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    admin: Option<Admin>,
    workers: usize,
}

// === impl Loader ===

impl Loader {
    /// Paths in documents are relative to `folder`.
    #[must_use]
    pub fn new(folder: PathBuf, variables: Variables, compiler: Arc<dyn SchemaCompiler>) -> Self {
        Self { folder, variables, compiler, stores: |_| Ok(()) }
    }

    /// The same, with somebody who knows stores of limits.
    #[must_use]
    pub fn with_stores(self, stores: StoreCheck) -> Self {
        Self { stores, ..self }
    }

    /// Parses and checks a document, and compiles the schemas that it names by files. Blocks on both.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(&self, document: &Document) -> Result<Candidate, Report> {
        let variables = &self.variables;
        let mut loaded = config::parse_document(document, &self.folder, &|name| variables(name))?;
        if let Some(ca) = loaded.telemetry.otlp.as_mut().and_then(|otlp| otlp.ca.as_mut()) {
            certificates::read(ca, &loaded.source)?;
        }
        self.read_stores(&mut loaded)?;
        // Taken before they are read, so that a change after that is noticed.
        let named = named::fingerprint(&loaded.config);
        let config = Arc::new(loaded.config.clone());
        let sources = Arc::new(Sources::load(config, &loaded.source, &*self.compiler)?);
        loaded.warnings = Report::new([loaded.warnings.diagnostics, sources.warnings()].concat());
        Ok(Candidate { loaded, sources, named })
    }

    /// Reads the files that stores name, and checks what is known of stores without asking them.
    fn read_stores(&self, loaded: &mut Loaded) -> Result<(), Report> {
        let mut problems = Vec::new();
        for store in &mut loaded.stores {
            let before = problems.len();
            let mut read = |read: Result<(), Report>| {
                problems.extend(read.err().into_iter().flat_map(|report| report.diagnostics));
            };
            if let Some(ca) = &mut store.ca {
                read(certificates::read(ca, &loaded.source));
            }
            if let Some((certificate, key)) = &mut store.identity {
                read(certificates::read(certificate, &loaded.source));
                read(certificates::read_key(key, &loaded.source));
            }
            if problems.len() == before
                && let Err((place, message)) = (self.stores)(store)
            {
                problems.push(Diagnostic::error(message).at(&loaded.source, place.into()));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Report::new(problems)) }
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").field("folder", &self.folder).finish_non_exhaustive()
    }
}

// === impl Candidate ===

impl Candidate {
    /// Compiles it, with the schemas that upstreams `told`.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn compile(&self, told: &Schemas, metrics: &Metrics) -> Result<Snapshot, Report> {
        let schemas = self.sources.with(told)?;
        let config = Arc::clone(self.sources.config());
        Snapshot::compile(config, &schemas, metrics, 0)
            .map_err(|problems| Report::from_problems(problems, self.sources.source()))
    }
}

// === impl Fixed ===

impl Fixed {
    /// What `loaded` says of it.
    #[must_use]
    pub fn of(loaded: &Loaded) -> Self {
        let Loaded { admin, config, .. } = loaded;
        Self { admin: admin.clone(), workers: config.workers }.without_places()
    }

    /// The keys in which another config differs.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let differs = [("admin", self.admin != other.admin), ("workers", self.workers != other.workers)];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }

    /// Where something stands in the file makes no difference.
    fn without_places(mut self) -> Self {
        if let Some(admin) = &mut self.admin {
            admin.place = Default::default();
        }
        self
    }
}
