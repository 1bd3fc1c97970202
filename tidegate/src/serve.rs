//! A gateway that serves: workers on their threads, and the control runtime with the admin port.

use crate::cli::VERSION;
use crate::exit::Exit;
use crate::finders;
use crate::follow;
use crate::load::{Failure, Ready};
use crate::outlets::{Open, Outlets};
use crate::rate_limit_service::ForOthers;
use crate::run::Signals;
use crate::start::{Feed, Started};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tidegate_control::admin::{self, Bound, LogLevel, Readiness, Shown};
use tidegate_control::canary::Plans;
use tidegate_control::generations::{self, Following, Handle, Keeper, Outlets as _};
use tidegate_control::{Diagnostic, Source, diagnostics, endpoints, machine};
use tidegate_gateway::config::Place;
use tidegate_gateway::server::{Heartbeat, Listeners, Server};
use tidegate_gateway::{Gateway, Phase};
use tidegate_telemetry::clock;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// What whoever started the process gave it, or asks of it.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// Sockets that listen already.
    pub(crate) sockets: Vec<TcpListener>,
    /// How often the workers have to show that they run.
    pub(crate) heartbeat: Option<Duration>,
    /// What the program logs.
    pub(crate) log: Option<Arc<dyn LogLevel>>,
}

/// The runtime of all that is not the data plane: the admin port, the config and its source.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| failed("cannot start the control runtime", &error))
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::runtime(Diagnostic::error(format!("{what}: {error}")))
}

/// A gateway that serves. Call [`Serving::stop`] to end it well.
#[derive(Debug)]
pub(crate) struct Serving {
    gateway: Arc<Gateway>,
    server: Server,
    heartbeat: Option<Heartbeat>,
    handle: Handle,
    plans: Arc<Plans>,
    addresses: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
    readiness: Arc<Readiness>,
    runtime: Runtime,
    /// Write and send what requests tell.
    threads: Arc<Open>,
    /// Answers others about limits.
    for_others: Arc<ForOthers>,
}

impl Serving {
    /// Binds the ports and starts the workers. Ports are bound before anything is served, so that a
    /// gateway that cannot have all of them serves nothing.
    pub(crate) fn start(
        runtime: Runtime,
        started: Started,
        given: Given,
        signals: &mut Signals,
    ) -> Result<Self, Failure> {
        let Started { ready, feed } = started;
        let source = Arc::clone(ready.source());
        let Ready { snapshot, metrics, candidate, document, loader, workers } = ready;
        let admin = candidate.loaded.admin.clone();
        let listeners = Listeners::bind_or_inherit(&snapshot.config, given.sockets)
            .map_err(|error| cannot_listen(error.address, &error.source, error.place, &source))?;
        let addresses = listeners.addresses().to_vec();
        for address in listeners.unused() {
            tracing::warn!(%address, "an inherited socket is not used: no listener has exactly this address and port");
        }
        let bound = admin
            .map(|admin| {
                runtime
                    .block_on(Bound::bind(&admin))
                    .map_err(|error| cannot_listen(admin.bind, &error, admin.place, &source))
            })
            .transpose()?;
        let mut outlets = Outlets::new(runtime.handle().clone(), Arc::clone(&metrics), workers);
        let (threads, for_others) = (outlets.threads(), outlets.for_others());
        let sinks = outlets.open(&candidate.loaded).map_err(|report| Failure { report, exit: Exit::Failure })?;
        metrics.config().accepted(snapshot.generation, clock::wall());
        let gateway = Arc::new(Gateway::with(snapshot, Arc::clone(&metrics), sinks));
        let Feed { source, state, origin, from_source, board, place } = feed;
        let finders = Arc::new(finders::Known { config: place });
        // As long as the slowest upstream takes to tell its schema.
        let asking = follow::asking(Arc::<finders::Known>::clone(&finders));
        let following = Following::start(&gateway, &candidate.sources, asking, state.clone());
        let following = runtime.block_on(signals.unless_told(following))?;
        let schemas = Arc::clone(following.states());
        let plans = Arc::new(Plans::new(&gateway, board, state.clone()));
        runtime.block_on(signals.unless_told(plans.begin()))?;
        let (server, heartbeat) = Server::start_with_heartbeat(&gateway, listeners, given.heartbeat)
            .map_err(|error| failed("cannot start the workers", &error))?;
        runtime.spawn(machine::watch(Arc::clone(&gateway)));
        runtime.spawn(endpoints::tend(Arc::clone(&gateway), finders));
        let (keeper, handle) = runtime.block_on(Keeper::new(generations::Given {
            gateway: Arc::clone(&gateway),
            ports: Arc::clone(server.ports()),
            loader,
            outlets: Box::new(outlets),
            following,
            plans: Arc::clone(&plans),
            source,
            state,
            candidate,
            document,
            origin,
            from_source,
        }));
        runtime.spawn(keeper.run());
        runtime.spawn(Arc::clone(&plans).run());
        let readiness = Arc::new(Readiness::default());
        readiness.set(admin::Phase::Serving);
        let admin = bound.map(|bound| {
            let address = bound.address();
            let shown = Shown {
                metrics,
                readiness: Arc::clone(&readiness),
                schemas,
                handle: Some(handle.clone()),
                log: given.log,
                version: VERSION,
            };
            runtime.spawn(bound.serve(shown, std::future::pending()));
            address
        });
        let heartbeat = given.heartbeat.is_some().then_some(heartbeat);
        Ok(Self {
            gateway,
            server,
            heartbeat,
            handle,
            plans,
            addresses,
            admin,
            readiness,
            runtime,
            threads,
            for_others,
        })
    }

    /// Where clients connect, in the order of the config, with the ports that were taken for port 0.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where the admin port is, if there is one.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// The circuit breakers of the routes in force.
    #[cfg(feature = "demo")]
    pub(crate) fn breakers(&self) -> Vec<Arc<tidegate_gateway::breakers::Guard>> {
        self.gateway.breakers()
    }

    /// How far the plans of canaries have come.
    #[cfg(feature = "demo")]
    pub(crate) fn canaries(&self) -> Vec<tidegate_gateway::canary::Report> {
        self.gateway.canaries().iter().map(|walk| walk.report()).collect()
    }

    /// Runs `work` on the control runtime, which also serves the admin port meanwhile.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Runs `watch` beside everything else, until the end, if the workers show that they run.
    pub(crate) fn watch<W: Future<Output = ()> + Send + 'static>(&mut self, watch: impl FnOnce(Heartbeat) -> W) {
        if let Some(heartbeat) = self.heartbeat.take() {
            self.runtime.spawn(watch(heartbeat));
        }
    }

    /// Reads the config again at every SIGHUP. What comes of it is logged.
    pub(crate) fn reload_on_hangup(&self) -> io::Result<()> {
        let mut hangup = self.runtime.block_on(async { signal(SignalKind::hangup()) })?;
        let handle = self.handle.clone();
        self.runtime.spawn(async move {
            while hangup.recv().await.is_some() {
                tracing::info!("SIGHUP: reading the config again");
                let _ = handle.reload().await;
            }
        });
        Ok(())
    }

    /// Says on the admin port that it will stop, and gives how long it will take at the most.
    pub(crate) fn leave(&self) -> Duration {
        self.readiness.set(admin::Phase::Draining);
        self.gateway.advance(Phase::Leaving);
        let config = &self.gateway.snapshot().config;
        config.drain_delay + config.drain
    }

    /// Serves on for the config's `drain_delay`. Then takes no more connections, lets requests in
    /// flight finish within `drain`, and writes out the access log. The admin port says `draining`
    /// all the time. `draining` is told when the delay is over. Gives up early when `hurry` is done,
    /// and then says `false`.
    pub(crate) fn stop(self, draining: impl FnOnce(), hurry: impl Future<Output = ()>) -> bool {
        self.leave();
        let Self { gateway, server, runtime, plans, threads, for_others, .. } = self;
        let (delay, drain) = (gateway.snapshot().config.drain_delay, gateway.snapshot().config.drain);
        let drained = runtime.block_on(async {
            let stopping = async {
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                gateway.advance(Phase::Draining);
                draining();
                // The workers are joined, which blocks: elsewhere than where the admin port is served.
                let others = tokio::task::spawn_blocking(move || for_others.stop(drain));
                let shutdown = tokio::task::spawn_blocking(move || server.shutdown()).await;
                others.await.and(shutdown)
            };
            let drained = tokio::select! {
                _ = stopping => true,
                () = hurry => false,
            };
            plans.stop().await;
            drained
        });
        threads.close_all();
        runtime.shutdown_background();
        drained
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error, place: Place, source: &Arc<Source>) -> Failure {
    Failure::runtime(diagnostics::cannot_listen(address, error, place, source))
}
