//! File descriptors: as many as the system gives, and some kept for other things than clients.

use crate::config::Limits;
use crate::config::limits::Connections;
use crate::gateway::Gateway;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is told of it: as a warning if the config asks for more, or if not even one listener can have all
/// of its own.
const FEWER: &str = "the limit of open files lets fewer connections in than `connections.max`";

/// Raises the limit of the process as far as it may, and lowers the connections that are taken to what
/// that leaves.
pub(super) fn fit(gateway: &Gateway) {
    let config = gateway.snapshot().config.connections;
    let files = raise().map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    let room = files.saturating_sub(config.fd_reserve).max(1);
    if room < config.max {
        let said = config.max != Connections::default().max;
        let low = room < Limits::default().connections;
        if said || low {
            tracing::warn!(files, reserve = config.fd_reserve, connections = room, "{FEWER}");
        } else {
            tracing::info!(files, reserve = config.fd_reserve, connections = room, "{FEWER}");
        }
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
