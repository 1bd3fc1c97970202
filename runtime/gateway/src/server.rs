//! Listeners and workers: sockets in, [`crate::pipeline`] behind each request.

mod bind;
mod connection;
mod patience;
mod worker;

use crate::gateway::Gateway;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub use bind::{BindError, Listeners};

/// Running workers. Dropping it does not stop them: call [`Server::shutdown`].
#[derive(Debug)]
pub struct Server {
    workers: Vec<std::thread::JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Starts one thread per worker, each with its own runtime, listeners and upstream connections.
    ///
    /// # Errors
    /// The operating system refuses a thread or a runtime.
    pub fn start(gateway: &Arc<Gateway>, listeners: Listeners) -> std::io::Result<Self> {
        let (stop, _) = watch::channel(false);
        let mut workers = Vec::new();
        for (index, sockets) in listeners.into_workers().into_iter().enumerate() {
            let worker = worker::Worker::new(Arc::clone(gateway), sockets, stop.subscribe());
            let name = format!("tidegate-{index}");
            workers.push(std::thread::Builder::new().name(name).spawn(move || worker.run())?);
        }
        Ok(Self { workers, stop })
    }

    /// Stops accepting, lets requests in flight finish within the config's `drain`, and waits for the workers.
    pub fn shutdown(self) {
        self.stop.send_replace(true);
        for worker in self.workers {
            if worker.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

/// The time that a client has to send the head of a request.
pub(crate) const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection on which nothing moves, and no request is in flight, is closed after this time at the
/// earliest, and after twice this time at the latest.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// Header fields of a request; more are answered 431.
pub(crate) const MAX_HEADERS: usize = 100;
/// Bytes of a request's head on h1, and of its header list on h2.
pub(crate) const MAX_HEADER_BYTES: usize = 16 * 1024;
