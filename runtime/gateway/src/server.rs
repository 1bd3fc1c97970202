//! Listeners and workers: sockets in, [`crate::pipeline`] behind each request.

mod accept;
mod admission;
mod bind;
mod connection;
mod date;
mod descriptors;
mod h1;
mod h2;
mod heartbeat;
mod lingering;
mod pace;
mod patience;
mod ports;
mod refusal;
mod streams;
#[cfg(test)]
mod testing;
mod worker;

use crate::gateway::Gateway;
use crate::phase::Phase;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub(crate) use admission::Total;
pub use bind::{BindError, Listeners};
pub use heartbeat::Heartbeat;
pub use ports::{Ports, Prepared};

/// Running workers. Dropping it does not stop them: call [`Server::shutdown`].
#[derive(Debug)]
pub struct Server {
    gateway: Arc<Gateway>,
    ports: Arc<Ports>,
    workers: Vec<std::thread::JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Starts one thread per worker, each with its own runtime, listeners and upstream connections.
    ///
    /// # Errors
    /// The operating system refuses a thread or a runtime.
    pub fn start(gateway: &Arc<Gateway>, listeners: Listeners) -> std::io::Result<Self> {
        Self::start_with_heartbeat(gateway, listeners, None).map(|(server, _)| server)
    }

    /// As [`Server::start`]; each worker also shows at this interval that it runs.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with_heartbeat(
        gateway: &Arc<Gateway>,
        listeners: Listeners,
        interval: Option<Duration>,
    ) -> std::io::Result<(Self, Heartbeat)> {
        let (ports, changes) = Ports::open(gateway, listeners);
        let (stop, _) = watch::channel(false);
        let mut heartbeat = Heartbeat::new();
        let mut workers = Vec::new();
        for (index, changes) in changes.into_iter().enumerate() {
            let worker = worker::Worker {
                gateway: Arc::clone(gateway),
                changes,
                stop: stop.subscribe(),
                pulse: heartbeat.worker(),
                heartbeat: interval,
            };
            let name = format!("tidegate-{index}");
            workers.push(std::thread::Builder::new().name(name).spawn(move || worker.run())?);
        }
        Ok((Self { gateway: Arc::clone(gateway), ports, workers, stop }, heartbeat))
    }

    /// Where it listens, to be changed while it runs.
    #[must_use]
    pub fn ports(&self) -> &Arc<Ports> {
        &self.ports
    }

    /// Stops accepting and waits for the workers, whose connections end like this:
    ///
    /// - what waits to be accepted is accepted first;
    /// - h1: with the next answer, which says `connection: close`; an idle connection serves one more
    ///   request;
    /// - h2: GOAWAY, and every stream that the client opened before it read that is served;
    /// - when the config's `drain` is over: requests in flight are answered 503, streams end with a
    ///   status, idle connections are closed.
    pub fn shutdown(self) {
        self.gateway.advance(Phase::Draining);
        self.stop.send_replace(true);
        for worker in self.workers {
            if worker.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}
