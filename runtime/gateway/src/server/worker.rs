//! A worker: one thread, one runtime, its own listeners and its own upstream connections.

use super::admission::Admission;
use super::connection;
use crate::gateway::Gateway;
use crate::peer::Peer;
use crate::upstreams::Pools;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long to wait when the process has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Worker {
    gateway: Arc<Gateway>,
    sockets: Vec<(TcpListener, Arc<Admission>)>,
    stop: watch::Receiver<bool>,
}

/// What the connections of one worker share.
pub(super) struct Shared {
    pub(super) gateway: Arc<Gateway>,
    pub(super) pools: Pools,
    pub(super) stop: watch::Receiver<bool>,
}

impl Worker {
    pub(super) fn new(
        gateway: Arc<Gateway>,
        sockets: Vec<(TcpListener, Arc<Admission>)>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { gateway, sockets, stop }
    }

    /// Serves until told to stop, then until the last connection ends or `drain` is over.
    pub(super) fn run(self) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        match builder.enable_all().build_local(tokio::runtime::LocalOptions::default()) {
            Ok(runtime) => runtime.block_on(self.serve()),
            Err(error) => tracing::error!(%error, "a worker has no runtime"),
        }
    }

    async fn serve(self) {
        let pools = Pools::new(&self.gateway.snapshot(), self.gateway.telemetry());
        let shared = Rc::new(Shared { gateway: self.gateway, pools, stop: self.stop.clone() });
        let mut listeners = JoinSet::new();
        for (socket, gate) in self.sockets {
            listeners.spawn_local(accept(socket, gate, Rc::clone(&shared)));
        }
        let mut connections = JoinSet::new();
        while let Some(done) = listeners.join_next().await {
            if let Ok(set) = done {
                connections.spawn_local(finish(set));
            }
        }
        let drain = shared.gateway.snapshot().config.drain;
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(drain, all).await.is_err() {
            tracing::warn!("requests were still in flight at the end of the drain time");
        }
    }
}

/// Accepts until told to stop; returns the connections that are open then.
async fn accept(socket: TcpListener, gate: Arc<Admission>, shared: Rc<Shared>) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a listening socket cannot be used");
            return connections;
        }
    };
    let mut stop = shared.stop.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|&stop| stop) => return connections,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, address)) => {
                // One that is refused is closed at once, and counted.
                if let Ok(permit) = gate.admit(&shared.gateway, address.ip()) {
                    let peer = Peer::new(address).with_limits(gate.limits());
                    connections.spawn_local(connection::serve(stream, peer, permit, Rc::clone(&shared)));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn finish(mut connections: JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}
