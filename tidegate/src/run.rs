//! `tidegate run`.

use crate::cli;
use crate::exit::Exit;
use crate::load::Failure;
use crate::serve::{self, Given, Serving};
use crate::start;
use crate::supervisor::{self, Supervisor};
use std::future::Future;
use std::io;
use std::sync::Arc;
use tidegate_control::Diagnostic;
use tidegate_control::admin::LogLevel;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Serves until SIGTERM or SIGINT. A second signal ends the drain at once. SIGHUP reads the config again.
pub(crate) fn run(arguments: &cli::Run, log: Arc<dyn LogLevel>) -> Exit {
    let sockets = supervisor::inherited_sockets();
    let supervisor = Arc::new(Supervisor::of_process());
    let given = Given { sockets, heartbeat: supervisor.heartbeat(), log: Some(log) };
    let started = serve::runtime().and_then(|runtime| {
        let mut signals = Signals::on(&runtime)?;
        let started = start::first(arguments, &runtime, &mut signals)?;
        let serving = Serving::start(runtime, started, given, &mut signals)?;
        serving.reload_on_hangup().map_err(|error| cannot_wait(&error))?;
        Ok((serving, signals))
    });
    let (mut serving, mut signals) = match started {
        Ok(started) => started,
        Err(failure) => return failure.tell(),
    };
    for address in serving.addresses() {
        tracing::info!(%address, "listening on http://{address}");
    }
    if let Some(address) = serving.admin() {
        tracing::info!(%address, "admin port on http://{address}");
    }
    supervisor.ready();
    let watching = Arc::clone(&supervisor);
    serving.watch(|heartbeat| async move { watching.watch(heartbeat).await });
    let name = serving.run(signals.next());
    supervisor.stopping(serving.leave());
    tracing::info!(signal = name, "stopping: not ready any more");
    let draining = || tracing::info!("draining: no new connections, requests in flight may finish");
    let drained = serving.stop(draining, async {
        signals.next().await;
    });
    if drained {
        tracing::info!("stopped");
        Exit::Success
    } else {
        tracing::warn!("stopped at once, on a second signal");
        Exit::Failure
    }
}

/// The signals that end the program.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on they are waited for, and do nothing else.
    pub(crate) fn on(runtime: &Runtime) -> Result<Self, Failure> {
        let _runtime = runtime.enter();
        let both = signal(SignalKind::terminate())
            .and_then(|terminate| Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? }));
        both.map_err(|error| cannot_wait(&error))
    }

    /// What `work` comes to, unless one of them comes before: as long as nothing is served, nothing is to be
    /// finished.
    pub(crate) async fn unless_told<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            done = work => Ok(done),
            name = self.next() => {
                tracing::info!(signal = name, "stopped before anything was served");
                Err(Failure::stopped())
            }
        }
    }

    /// Waits for one of them and gives its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn cannot_wait(error: &io::Error) -> Failure {
    Failure::runtime(Diagnostic::error(format!("cannot wait for signals: {error}")))
}
