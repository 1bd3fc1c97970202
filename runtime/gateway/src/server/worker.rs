//! A worker: one thread, one runtime, its own listeners and its own upstream connections.

use super::accept::accept;
use super::heartbeat::Pulse;
use super::patience::AtWork;
use super::ports::Change;
use super::streams::Streams;
use crate::gateway::Gateway;
use crate::phase::Phase;
use crate::upstreams::Pools;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

/// How long what is ended at the end of the drain time has to be written out.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    pub(super) gateway: Arc<Gateway>,
    pub(super) changes: mpsc::UnboundedReceiver<Change>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) pulse: Pulse,
    pub(super) heartbeat: Option<Duration>,
}

/// How often it is looked whether requests still have a config that is no longer in force.
const SWEEP: Duration = Duration::from_secs(1);

/// What the connections of one listener share, of one worker.
pub(super) struct Shared {
    pub(super) gateway: Arc<Gateway>,
    /// Those of the worker.
    pub(super) pools: Rc<Pools>,
    /// Tells of [`Phase::Draining`] and [`Phase::Over`]; before, of [`Phase::Serving`].
    pub(super) phase: watch::Receiver<Phase>,
    /// The streams of h2 connections, each of which is a task of its own; those of the worker.
    pub(super) streams: Streams,
    /// The h1 connections that are not put aside; those of the worker.
    pub(super) at_work: AtWork,
}

impl Shared {
    /// Connections are to end with what they have.
    pub(super) fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining || self.gateway.phase() >= Phase::Draining
    }
}

impl Worker {
    /// Serves until told to stop, then until the last connection ends or `drain` is over.
    pub(super) fn run(self) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        match builder.enable_all().build_local(tokio::runtime::LocalOptions::default()) {
            Ok(runtime) => runtime.block_on(self.serve()),
            Err(error) => tracing::error!(%error, "a worker has no runtime"),
        }
    }

    async fn serve(self) {
        let Self { gateway, changes, mut stop, pulse, heartbeat } = self;
        let pools = Rc::new(Pools::new(&gateway.snapshot(), gateway.telemetry()));
        let mut doors = Doors::new(&gateway, &pools);
        let serving = async {
            let told = async {
                // An error is a server that was dropped without a word: that is no reason to stop.
                if stop.wait_for(|&stop| stop).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            doors.run(changes, told).await;
            doors.drain().await;
        };
        let beating = async {
            match heartbeat {
                Some(every) => pulse.beat(every).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = serving => {}
            () = beating => {}
            () = follow(&gateway, &pools) => {}
        }
    }
}

/// Makes the pools of every new config, and lets go of those that nobody needs any more. Does not end.
async fn follow(gateway: &Gateway, pools: &Pools) {
    let mut changes = gateway.changes();
    loop {
        let sweeping = pools.sweep();
        tokio::select! {
            changed = changes.changed() => match changed {
                Ok(()) => pools.take_on(&gateway.snapshot()),
                Err(_) => std::future::pending().await,
            },
            () = tokio::time::sleep(SWEEP), if sweeping => {}
        }
    }
}

/// The listeners of one worker, and the connections that came of them.
struct Doors {
    gateway: Arc<Gateway>,
    pools: Rc<Pools>,
    streams: Streams,
    at_work: AtWork,
    /// Each has a phase of its own, so that it can be closed alone. Gone when its last connection is.
    open: Vec<(u64, watch::Sender<Phase>)>,
    /// They give their connections when they are closed.
    listeners: JoinSet<JoinSet<()>>,
    /// The connections of those that are closed.
    connections: JoinSet<()>,
}

impl Doors {
    fn new(gateway: &Arc<Gateway>, pools: &Rc<Pools>) -> Self {
        Self {
            gateway: Arc::clone(gateway),
            pools: Rc::clone(pools),
            streams: Streams::default(),
            at_work: AtWork::default(),
            open: Vec::new(),
            listeners: JoinSet::new(),
            connections: JoinSet::new(),
        }
    }

    /// Opens and closes listeners as told, until `stop` is done and nothing is left to be told.
    async fn run(&mut self, mut changes: mpsc::UnboundedReceiver<Change>, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                biased;
                Some(change) = changes.recv() => self.change(change),
                Some(closed) = self.listeners.join_next() => self.take(closed),
                Some(_) = self.connections.join_next() => {}
                () = &mut stop => return,
            }
        }
    }

    fn change(&mut self, change: Change) {
        self.open.retain(|(_, phase)| phase.receiver_count() > 0);
        match change {
            Change::Open(door) => {
                let (phase, seen) = watch::channel(Phase::Serving);
                let shared = Rc::new(Shared {
                    gateway: Arc::clone(&self.gateway),
                    pools: Rc::clone(&self.pools),
                    phase: seen,
                    streams: self.streams.clone(),
                    at_work: self.at_work.clone(),
                });
                self.open.push((door.id, phase));
                self.listeners.spawn_local(accept(door, shared));
            }
            Change::Close(id) => {
                self.open.iter().filter(|(known, _)| *known == id).for_each(|(_, phase)| {
                    phase.send_replace(Phase::Draining);
                });
            }
        }
    }

    /// A listener is closed: these are its connections.
    fn take(&mut self, closed: Result<JoinSet<()>, JoinError>) {
        if let Ok(connections) = closed {
            self.connections.spawn_local(finish(connections));
        }
    }

    fn tell(&self, phase: Phase) {
        for (_, told) in &self.open {
            told.send_replace(phase);
        }
    }

    /// Closes the listeners, and waits for the connections: for `drain`, and then for their last words.
    async fn drain(&mut self) {
        self.gateway.advance(Phase::Draining);
        self.tell(Phase::Draining);
        let time = self.gateway.snapshot().config.drain;
        if tokio::time::timeout(time, self.finish()).await.is_ok() {
            return;
        }
        self.gateway.advance(Phase::Over);
        // What has arrived by now is read before idle connections are closed.
        tokio::task::yield_now().await;
        self.tell(Phase::Over);
        self.streams.wake();
        if tokio::time::timeout(FAREWELL, self.finish()).await.is_err() {
            tracing::warn!("connections were cut: their clients did not take the end of what they had asked for");
        }
    }

    /// Waits until all listeners are closed and all connections have ended.
    ///
    /// # Cancel safety
    /// Can be called again.
    async fn finish(&mut self) {
        while let Some(closed) = self.listeners.join_next().await {
            self.take(closed);
        }
        while self.connections.join_next().await.is_some() {}
    }
}

async fn finish(mut connections: JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}
