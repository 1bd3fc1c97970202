//! A worker: one thread, one runtime, its own listeners and its own upstream connections.

use super::accept::accept;
use super::admission::Admission;
use super::bind::Listening;
use super::heartbeat::Pulse;
use super::streams::Streams;
use crate::gateway::Gateway;
use crate::phase::Phase;
use crate::upstreams::Pools;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long what is ended at the end of the drain time has to be written out.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    pub(super) gateway: Arc<Gateway>,
    pub(super) sockets: Vec<(Listening, Arc<Admission>)>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) pulse: Pulse,
    pub(super) heartbeat: Option<Duration>,
}

/// What the connections of one worker share.
pub(super) struct Shared {
    pub(super) gateway: Arc<Gateway>,
    pub(super) pools: Pools,
    /// Tells of [`Phase::Draining`] and [`Phase::Over`]; before, of [`Phase::Serving`].
    pub(super) phase: watch::Receiver<Phase>,
    /// The streams of h2 connections, each of which is a task of its own.
    pub(super) streams: Streams,
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
        let Self { gateway, sockets, mut stop, pulse, heartbeat } = self;
        let (phase, seen) = watch::channel(Phase::Serving);
        let pools = Pools::new(&gateway.snapshot(), gateway.telemetry());
        let shared = Rc::new(Shared { gateway, pools, phase: seen, streams: Streams::default() });
        let mut listeners = JoinSet::new();
        for (socket, gate) in sockets {
            listeners.spawn_local(accept(socket, gate, Rc::clone(&shared)));
        }
        let serving = async {
            // An error is a server that was dropped without a word: that is no reason to stop.
            if stop.wait_for(|&stop| stop).await.is_err() {
                std::future::pending::<()>().await;
            }
            drain(&shared, &phase, listeners).await;
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
        }
    }
}

/// Closes the listeners, and waits for the connections: for `drain`, and then for their last words.
async fn drain(shared: &Shared, phase: &watch::Sender<Phase>, mut listeners: JoinSet<JoinSet<()>>) {
    shared.gateway.advance(Phase::Draining);
    phase.send_replace(Phase::Draining);
    let mut connections = JoinSet::new();
    let mut all = std::pin::pin!(async {
        while let Some(done) = listeners.join_next().await {
            if let Ok(set) = done {
                connections.spawn_local(finish(set));
            }
        }
        while connections.join_next().await.is_some() {}
    });
    let time = shared.gateway.snapshot().config.drain;
    if tokio::time::timeout(time, all.as_mut()).await.is_ok() {
        return;
    }
    shared.gateway.advance(Phase::Over);
    // What has arrived by now is read before idle connections are closed.
    tokio::task::yield_now().await;
    phase.send_replace(Phase::Over);
    shared.streams.wake();
    if tokio::time::timeout(FAREWELL, all).await.is_err() {
        tracing::warn!("connections were cut: their clients did not take the end of what they had asked for");
    }
}

async fn finish(mut connections: JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}
