//! A gateway that serves: workers on their threads, and the control runtime with the admin port.

use crate::cli::VERSION;
use crate::follow;
use crate::load::{Failure, Ready};
use std::fs::OpenOptions;
use std::future::Future;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_control::admin::{Bound, Phase, Readiness, Shown};
use tidegate_control::config::{AccessLog, AccessLogTarget};
use tidegate_control::{Diagnostic, Source, machine};
use tidegate_gateway::config::Place;
use tidegate_gateway::server::{Listeners, Server};
use tidegate_gateway::{Gateway, Telemetry};
use tidegate_telemetry::access_log::{self, QUEUE_LIMIT_BYTES};
use tidegate_telemetry::clock;
use tokio::runtime::{Builder, Runtime};

/// A gateway that serves. Call [`Serving::stop`] to end it well.
#[derive(Debug)]
pub(crate) struct Serving {
    server: Server,
    addresses: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    readiness: Arc<Readiness>,
    runtime: Runtime,
    /// Writes what is queued when it is dropped.
    _access_log: Option<access_log::Writer>,
}

impl Serving {
    /// Binds the ports and starts the workers. Ports are bound before anything is served, so that a
    /// gateway that cannot have all of them serves nothing.
    pub(crate) fn start(ready: Ready) -> Result<Self, Failure> {
        let Ready { snapshot, metrics, admin, access_log, source, sources, workers } = ready;
        let failed = |what: &str, error: &io::Error| Failure::runtime(Diagnostic::error(format!("{what}: {error}")));
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed("cannot start the control runtime", &error))?;
        let listeners = Listeners::bind(&snapshot.config)
            .map_err(|error| cannot_listen(error.address, &error.source, error.place, &source))?;
        let addresses = listeners.addresses().to_vec();
        let admin = admin
            .map(|admin| {
                runtime
                    .block_on(Bound::bind(&admin))
                    .map_err(|error| cannot_listen(admin.bind, &error, admin.place, &source))
            })
            .transpose()?;
        let log = access_log.map(|log| start_access_log(&log, workers, &source)).transpose()?;
        let (log, writer) = log.unzip();
        if let Some(log) = &log {
            metrics.register_access_log(log);
        }
        metrics.config().accepted(snapshot.generation, clock::wall());
        let telemetry = Telemetry { metrics: Arc::clone(&metrics), access_log: log };
        let gateway = Arc::new(Gateway::new(snapshot, telemetry));
        let schemas = follow::start(&runtime, &gateway, &sources);
        let server = Server::start(&gateway, listeners).map_err(|error| failed("cannot start the workers", &error))?;
        runtime.spawn(machine::watch(Arc::clone(&gateway)));
        let readiness = Arc::new(Readiness::default());
        readiness.set(Phase::Serving);
        let admin = admin.map(|bound| {
            let address = bound.address();
            let shown = Shown { metrics, readiness: Arc::clone(&readiness), schemas, version: VERSION };
            runtime.spawn(bound.serve(shown, std::future::pending()));
            address
        });
        Ok(Self { server, addresses, admin, readiness, runtime, _access_log: writer })
    }

    /// Where clients connect, in the order of the config, with the ports that were taken for port 0.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where the admin port is, if there is one.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Runs `work` on the control runtime, which also serves the admin port meanwhile.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Takes no more connections, lets requests in flight finish within the config's `drain`, and
    /// writes out the access log. The admin port says `draining` until then. Gives up early when
    /// `hurry` is done, and then says `false`.
    pub(crate) fn stop(self, hurry: impl Future<Output = ()>) -> bool {
        let Self { server, readiness, runtime, _access_log: access_log, .. } = self;
        readiness.set(Phase::Draining);
        let drained = runtime.block_on(async {
            // The workers are joined, which blocks: elsewhere than where the admin port is served.
            let stopping = tokio::task::spawn_blocking(move || server.shutdown());
            tokio::select! {
                _ = stopping => true,
                () = hurry => false,
            }
        });
        drop(access_log);
        runtime.shutdown_background();
        drained
    }
}

fn start_access_log(
    log: &AccessLog,
    workers: usize,
    source: &Arc<Source>,
) -> Result<(access_log::AccessLog, access_log::Writer), Failure> {
    let output: Box<dyn Write + Send> = match &log.to {
        AccessLogTarget::Stdout => Box::new(io::stdout()),
        AccessLogTarget::Stderr => Box::new(io::stderr()),
        AccessLogTarget::File(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
                let message = format!("cannot open the access log `{}`: {error}", path.display());
                Failure::runtime(Diagnostic::error(message).at(source, log.place.into()))
            })?;
            Box::new(file)
        }
    };
    access_log::AccessLog::start(log.format, output, workers, QUEUE_LIMIT_BYTES).map_err(|error| {
        Failure::runtime(Diagnostic::error(format!("cannot start the writer of the access log: {error}")))
    })
}

/// A port that cannot be had: why, as far as it can be told, and where the config asks for it.
fn cannot_listen(address: SocketAddr, error: &io::Error, place: Place, source: &Arc<Source>) -> Failure {
    let (why, help) = match error.kind() {
        ErrorKind::AddrInUse => (
            "the port is in use".to_owned(),
            Some(format!("another process listens there; `ss -ltnp 'sport = :{}'` shows which", address.port())),
        ),
        ErrorKind::AddrNotAvailable => (
            "this machine does not have the address".to_owned(),
            Some("0.0.0.0 or [::] stand for all that it has".to_owned()),
        ),
        ErrorKind::PermissionDenied => (
            "permission denied".to_owned(),
            Some("ports below 1024 need the capability CAP_NET_BIND_SERVICE".to_owned()),
        ),
        _ => (error.to_string(), None),
    };
    let diagnostic = Diagnostic::error(format!("cannot listen on {address}: {why}")).at(source, place.into());
    Failure::runtime(match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    })
}
