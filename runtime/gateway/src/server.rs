//! Listeners and workers: sockets in, [`crate::pipeline`] behind each request.

mod admission;
mod bind;
mod connection;
mod date;
mod descriptors;
mod h1;
mod h2;
mod patience;
#[cfg(test)]
mod testing;
mod worker;

use crate::gateway::Gateway;
use admission::Admission;
use std::sync::Arc;
use tokio::sync::watch;

pub(crate) use admission::Total;
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
        descriptors::fit(gateway);
        let gates: Vec<Arc<Admission>> = gates(gateway, listeners.addresses());
        let (stop, _) = watch::channel(false);
        let mut workers = Vec::new();
        for (index, sockets) in listeners.into_workers().into_iter().enumerate() {
            let sockets = sockets.into_iter().zip(gates.iter().cloned()).collect();
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

/// One gate for each listener, in the order of the config.
fn gates(gateway: &Gateway, addresses: &[std::net::SocketAddr]) -> Vec<Arc<Admission>> {
    let config = &gateway.snapshot().config;
    let gate = |(listener, address): (&crate::config::Listener, &std::net::SocketAddr)| {
        let metrics = gateway.telemetry().metrics.listener(&address.to_string());
        Admission::new(Arc::clone(&listener.limits), metrics)
    };
    config.listeners.iter().zip(addresses).map(gate).collect()
}
