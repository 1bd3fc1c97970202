//! `tidegate run`.

use crate::cli;
use crate::exit::Exit;
use crate::serve::{self, Given, Serving};
use crate::start;
use crate::supervisor::{self, Supervisor};
use std::io;
use std::sync::Arc;
use tidegate_control::admin::LogLevel;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Serves until SIGTERM or SIGINT. A second signal ends the drain at once. SIGHUP reads the config again.
pub(crate) fn run(arguments: &cli::Run, log: Arc<dyn LogLevel>) -> Exit {
    let sockets = supervisor::inherited_sockets();
    let supervisor = Arc::new(Supervisor::of_process());
    let given = Given { sockets, heartbeat: supervisor.heartbeat(), log: Some(log) };
    let started = serve::runtime().and_then(|runtime| {
        let started = start::first(arguments, &runtime)?;
        Serving::start(runtime, started, given)
    });
    let mut serving = match started {
        Ok(serving) => serving,
        Err(failure) => return failure.tell(),
    };
    let signals = serving.reload_on_hangup().and_then(|()| serving.run(async { Signals::new() }));
    let mut signals = match signals {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("error: cannot wait for signals: {error}");
            return Exit::Failure;
        }
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
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one of them and gives its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
