//! `tidegate run`.

use crate::exit::Exit;
use crate::load;
use crate::serve::{Given, Serving};
use crate::supervisor::{self, Supervisor};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Serves a config file until SIGTERM or SIGINT. A second signal ends the drain at once.
pub(crate) fn run(path: &Path) -> Exit {
    let sockets = supervisor::inherited_sockets();
    let supervisor = Arc::new(Supervisor::of_process());
    let given = Given { sockets, heartbeat: supervisor.heartbeat() };
    let mut serving = match load::file(path).and_then(|ready| Serving::start(ready, given)) {
        Ok(serving) => serving,
        Err(failure) => return failure.tell(),
    };
    let mut signals = match serving.run(async { Signals::new() }) {
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
