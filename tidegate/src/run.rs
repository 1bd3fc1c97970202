//! `tidegate run`.

use crate::exit::Exit;
use crate::load;
use crate::serve::Serving;
use std::io;
use std::path::Path;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Serves a config file until SIGTERM or SIGINT. A second signal ends the drain at once.
pub(crate) fn run(path: &Path) -> Exit {
    let serving = match load::file(path).and_then(Serving::start) {
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
    let name = serving.run(signals.next());
    tracing::info!(signal = name, "stopping: no new connections, requests in flight may finish");
    let drained = serving.stop(async {
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
