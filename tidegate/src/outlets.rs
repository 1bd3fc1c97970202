//! What requests are told to, and what of their limits other gateways know: the access log, the collector and the
//! stores, opened as a config says, and closed when no request uses them any more.

use crate::otlp;
use crate::rate_limit_service::ForOthers;
use crate::stores::{StoreThread, Stores};
use parking_lot::Mutex;
use std::fmt::Debug;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;
use tidegate_control::config::{self, AccessLogTarget};
use tidegate_control::generations;
use tidegate_control::{Diagnostic, Loaded, Report, Source};
use tidegate_gateway::{InUse, Sinks};
use tidegate_telemetry::access_log::{AccessLog, QUEUE_LIMIT_BYTES, Writer};
use tidegate_telemetry::metrics::Metrics;
use tidegate_telemetry::tracer::Tracer;
use tokio::runtime::Handle;

/// Opens them.
#[derive(Debug)]
pub(crate) struct Outlets {
    runtime: Handle,
    metrics: Arc<Metrics>,
    /// Threads of the data plane.
    workers: usize,
    origin: otlp::Origin,
    open: Arc<Open>,
    log: Option<Kept<config::AccessLog, AccessLog>>,
    otlp: Option<Kept<config::Otlp, Tracer>>,
    stores: Stores,
    for_others: Arc<ForOthers>,
}

/// What is in force, and what it was made of.
#[derive(Debug)]
struct Kept<C, T> {
    config: C,
    what: Arc<InUse<T>>,
}

/// The threads that write and send, each with a number. One that is dropped writes or sends what it has.
#[derive(Debug, Default)]
pub(crate) struct Open(Mutex<(u64, Vec<(u64, Thread)>)>);

type Thread = Box<dyn Debug + Send>;

// === impl Outlets ===

impl Outlets {
    /// Nothing is open yet. What is no longer in use is closed from `runtime`.
    pub(crate) fn new(runtime: Handle, metrics: Arc<Metrics>, workers: usize) -> Self {
        let (origin, open) = (otlp::Origin::new(), Arc::default());
        let for_others = Arc::new(ForOthers::new(Arc::clone(&metrics), workers));
        Self { runtime, metrics, workers, origin, open, log: None, otlp: None, stores: Stores::default(), for_others }
    }

    /// Who stops the rate limit service in the end.
    pub(crate) fn for_others(&self) -> Arc<ForOthers> {
        Arc::clone(&self.for_others)
    }

    /// Who closes everything in the end.
    pub(crate) fn threads(&self) -> Arc<Open> {
        Arc::clone(&self.open)
    }

    /// Shares what `thread` works for, and drops that when it is no longer in use.
    fn share<T>(&self, what: T, thread: impl Debug + Send + 'static) -> Arc<InUse<T>> {
        let (what, unused) = InUse::new(what);
        let (open, number) = (Arc::clone(&self.open), self.open.add(Box::new(thread)));
        self.runtime.spawn(async move {
            unused.wait().await;
            // To drop it is to wait for its thread.
            let _ = tokio::task::spawn_blocking(move || open.close(number)).await;
        });
        what
    }

    fn log(&self, config: &config::AccessLog, source: &Arc<Source>) -> Result<Arc<InUse<AccessLog>>, Report> {
        let (log, writer) = start_access_log(config, self.workers, source)?;
        Ok(self.share(log, writer))
    }

    /// Starts the thread that speaks with stores. It runs until everything is closed.
    fn store_thread(&mut self) -> Result<(), Report> {
        if self.stores.runtime.is_none() {
            let (thread, handle) = StoreThread::start().map_err(|error| {
                Report::new(vec![Diagnostic::error(format!("cannot start the thread of the stores: {error}"))])
            })?;
            self.stores.runtime = Some(handle);
            self.open.add(Box::new(thread));
        }
        Ok(())
    }

    fn tracer(&self, config: &config::Otlp, source: &Arc<Source>) -> Result<Arc<InUse<Tracer>>, Report> {
        let (tracer, sender) = otlp::start(config, &self.metrics, source, &self.origin)?;
        Ok(self.share(tracer, sender))
    }
}

/// What is said as before is as before; else it is opened.
fn kept_or<C: Clone + PartialEq, T>(
    kept: Option<&Kept<C, T>>,
    said: Option<(&C, C)>,
    open: impl FnOnce(&C) -> Result<Arc<InUse<T>>, Report>,
) -> Result<Option<Kept<C, T>>, Report> {
    let Some((said, config)) = said else { return Ok(None) };
    let what = match kept.filter(|kept| kept.config == config) {
        Some(kept) => Arc::clone(&kept.what),
        None => open(said)?,
    };
    Ok(Some(Kept { config, what }))
}

impl generations::Outlets for Outlets {
    fn open(&mut self, loaded: &Loaded) -> Result<Sinks, Report> {
        let (telemetry, source) = (&loaded.telemetry, &loaded.source);
        // Where it stands in the file makes no difference.
        let plain = telemetry.clone().without_places();
        let said = telemetry.access_log.as_ref().zip(plain.access_log);
        let log = kept_or(self.log.as_ref(), said, |config| self.log(config, source))?;
        let said = telemetry.otlp.as_ref().zip(plain.otlp);
        let otlp = kept_or(self.otlp.as_ref(), said, |config| self.tracer(config, source))?;
        if !loaded.stores.is_empty() {
            self.store_thread()?;
        }
        let stores = self.stores.open(&loaded.stores);
        self.for_others.open(loaded, &stores)?;
        if let Some(before) = &self.otlp
            && otlp.as_ref().is_none_or(|otlp| !Arc::ptr_eq(&otlp.what, &before.what))
        {
            before.what.retire();
        }
        (self.log, self.otlp) = (log, otlp);
        let access_log = self.log.as_ref().map(|log| Arc::clone(&log.what));
        let tracer = self.otlp.as_ref().map(|otlp| Arc::clone(&otlp.what));
        if let Some(log) = &access_log {
            self.metrics.register_access_log(log);
        }
        if let Some(tracer) = &tracer {
            self.metrics.register_tracer(tracer);
        }
        Ok(Sinks { access_log, tracer, stores })
    }
}

// === impl Open ===

impl Open {
    fn add(&self, thread: Thread) -> u64 {
        let mut open = self.0.lock();
        open.0 += 1;
        let number = open.0;
        open.1.push((number, thread));
        number
    }

    fn close(&self, number: u64) {
        let thread = {
            let mut open = self.0.lock();
            let at = open.1.iter().position(|(known, _)| *known == number);
            at.map(|at| open.1.remove(at))
        };
        drop(thread);
    }

    /// Writes and sends what waits, and ends all threads.
    pub(crate) fn close_all(&self) {
        let threads = std::mem::take(&mut self.0.lock().1);
        drop(threads);
    }
}

fn start_access_log(
    log: &config::AccessLog,
    workers: usize,
    source: &Arc<Source>,
) -> Result<(AccessLog, Writer), Report> {
    let output: Box<dyn Write + Send> = match &log.to {
        AccessLogTarget::Stdout => Box::new(io::stdout()),
        AccessLogTarget::Stderr => Box::new(io::stderr()),
        AccessLogTarget::File(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
                let message = format!("cannot open the access log `{}`: {error}", path.display());
                Report::new(vec![Diagnostic::error(message).at(source, log.place.into())])
            })?;
            Box::new(file)
        }
    };
    AccessLog::start(log.layout.clone(), output, workers, QUEUE_LIMIT_BYTES).map_err(|error| {
        Report::new(vec![Diagnostic::error(format!("cannot start the writer of the access log: {error}"))])
    })
}
