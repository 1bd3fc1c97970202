//! File descriptors: as many as the system gives, and some kept for other things than clients.

use crate::gateway::Gateway;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of the process as far as it may, and lowers the connections that are taken to what
/// that leaves.
pub(super) fn fit(gateway: &Gateway) {
    let config = gateway.snapshot().config.connections;
    let Some(files) = raise() else { return };
    let room = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(config.fd_reserve).max(1);
    if room < config.max {
        tracing::warn!(
            files,
            reserve = config.fd_reserve,
            connections = room,
            "the limit of open files is low: fewer connections are taken than `connections.max` allows"
        );
    }
    gateway.connections().set_max(room.min(config.max));
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
