//! File descriptors: as many as the system gives, and some kept for other things than clients.

use crate::gateway::Gateway;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of the process as far as it may, and lowers the connections that are taken to what
/// that leaves.
pub(super) fn fit(gateway: &Gateway) {
    let config = gateway.snapshot().config.connections;
    let files = raise().map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let room = files.saturating_sub(config.fd_reserve).max(1);
    if room < config.max {
        tracing::warn!(
            files,
            reserve = config.fd_reserve,
            connections = room,
            "the limit of open files is low: fewer connections are taken than `connections.max` allows"
        );
    }
    let max = room.min(config.max);
    gateway.connections().set_max(max);
    gateway.telemetry().metrics.limits().set_connections(max as u64);
}

/// The limit of open files, now that it is as high as it can be; `None` if there is none.
fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
    getrlimit(Resource::Nofile).current
}
