//! The listening sockets of a server that runs: new ones open, old ones close, the others stay as they are.

use super::admission::Admission;
use super::bind::{BindError, Listeners, Listening, bind_beside};
use super::descriptors;
use crate::config::{Config, Listener, limits};
use crate::gateway::Gateway;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a worker is told of its sockets.
pub(super) enum Change {
    /// One more to accept from.
    Open(Door),
    /// No more connections from this one; those that came of it end with what they have.
    Close(u64),
}

/// A socket of one worker, and the gate that it has in common with the same socket of the others.
pub(super) struct Door {
    pub(super) id: u64,
    pub(super) bind: SocketAddr,
    pub(super) listening: Listening,
    pub(super) gate: Arc<Admission>,
}

/// The listeners of a [`Server`](super::Server) while it runs.
#[derive(Debug)]
pub struct Ports {
    gateway: Arc<Gateway>,
    workers: Vec<mpsc::UnboundedSender<Change>>,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    /// In the order of the config.
    listeners: Vec<Known>,
    connections: limits::Connections,
    next: u64,
}

/// A listener that is open.
#[derive(Clone, Debug)]
struct Known {
    id: u64,
    /// As the config says.
    bind: SocketAddr,
    /// With the port that was taken for port 0.
    address: SocketAddr,
    gate: Arc<Admission>,
}

/// The listeners of a config that is not in force yet. What is new among them is bound, but nobody accepts
/// from it. Dropping it gives the ports back.
#[derive(Debug)]
pub struct Prepared {
    listeners: Vec<Plan>,
}

#[derive(Debug)]
enum Plan {
    Keep(Known, Listener),
    Bind { listener: Listener, address: SocketAddr, sockets: Vec<Listening> },
}

// === impl Ports ===

impl Ports {
    /// Opens `listeners`, of the config in force, one channel for each worker.
    pub(super) fn open(
        gateway: &Arc<Gateway>,
        listeners: Listeners,
    ) -> (Arc<Self>, Vec<mpsc::UnboundedReceiver<Change>>) {
        let config = Arc::clone(&gateway.snapshot().config);
        let addresses = listeners.addresses().to_vec();
        let mut sockets: Vec<_> = listeners.into_workers().into_iter().map(Vec::into_iter).collect();
        let (workers, changes) = sockets.iter().map(|_| mpsc::unbounded_channel()).unzip();
        let open = Open { listeners: Vec::new(), connections: config.connections, next: 0 };
        let ports = Arc::new(Self { gateway: Arc::clone(gateway), workers, open: Mutex::new(open) });
        let plans = config.listeners.iter().zip(addresses).map(|(listener, address)| Plan::Bind {
            listener: listener.clone(),
            address,
            sockets: sockets.iter_mut().filter_map(Iterator::next).collect(),
        });
        ports.carry_out(plans.collect());
        descriptors::fit(gateway);
        (ports, changes)
    }

    /// The addresses in the order of the config, with the ports that were chosen for port 0.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.open.lock().listeners.iter().map(|known| known.address).collect()
    }

    /// Binds the listeners of `config` that are not open yet.
    ///
    /// One that binds the same address as one that is open is the same. A new one may have the port of an
    /// open one at another address, as when `127.0.0.1:80` becomes `0.0.0.0:80`.
    ///
    /// # Errors
    /// [`BindError`] for the first address that cannot be had.
    pub fn prepare(&self, config: &Config) -> Result<Prepared, BindError> {
        let mut left = self.open.lock().listeners.clone();
        let ours: Vec<u16> = left.iter().map(|known| known.address.port()).collect();
        let mut listeners = Vec::new();
        for listener in &config.listeners {
            if let Some(at) = left.iter().position(|known| known.bind == listener.bind) {
                listeners.push(Plan::Keep(left.remove(at), listener.clone()));
                continue;
            }
            let (address, sockets) = bind_beside(listener, self.workers.len(), &ours)?;
            listeners.push(Plan::Bind { listener: listener.clone(), address, sockets });
        }
        Ok(Prepared { listeners })
    }

    /// Accepts from what is new, no more from what is gone, and puts the limits of the config in force, which
    /// [`Gateway::apply`] has been told before. Returns at once; nothing can go wrong any more.
    pub fn commit(&self, prepared: Prepared) {
        self.carry_out(prepared.listeners);
        let connections = self.gateway.snapshot().config.connections;
        let before = std::mem::replace(&mut self.open.lock().connections, connections);
        if before != connections {
            descriptors::fit(&self.gateway);
        }
    }

    fn carry_out(&self, plans: Vec<Plan>) {
        let mut open = self.open.lock();
        let mut gone = std::mem::take(&mut open.listeners);
        for plan in plans {
            let known = match plan {
                Plan::Keep(known, listener) => {
                    gone.retain(|other| other.id != known.id);
                    known.gate.set(&listener.limits, &listener.trust);
                    known
                }
                Plan::Bind { listener, address, sockets } => {
                    let metrics = self.gateway.telemetry().metrics.listener(&address.to_string());
                    let gate = Admission::new(Arc::clone(&listener.limits), Arc::clone(&listener.trust), metrics);
                    open.next += 1;
                    let known = Known { id: open.next, bind: listener.bind, address, gate };
                    for (worker, listening) in self.workers.iter().zip(sockets) {
                        let (id, bind, gate) = (known.id, known.bind, Arc::clone(&known.gate));
                        // A worker that has ended needs no sockets.
                        let _ = worker.send(Change::Open(Door { id, bind, listening, gate }));
                    }
                    known
                }
            };
            open.listeners.push(known);
        }
        for known in gone {
            for worker in &self.workers {
                let _ = worker.send(Change::Close(known.id));
            }
        }
    }
}
