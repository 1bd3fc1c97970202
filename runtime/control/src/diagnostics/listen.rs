//! Ports that cannot be had.

use super::{Diagnostic, Source};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use tidegate_gateway::config::Place;

/// A port that cannot be had: why, as far as it can be told, and where the config asks for it.
#[must_use]
pub fn cannot_listen(address: SocketAddr, error: &io::Error, place: Place, source: &Arc<Source>) -> Diagnostic {
    let (why, help) = match error.kind() {
        ErrorKind::AddrInUse => (
            "the port is in use".to_owned(),
            Some(format!("another process listens there; `ss -ltnp 'sport = :{}'` shows which", address.port())),
        ),
        ErrorKind::AddrNotAvailable => (
            "this machine does not have the address".to_owned(),
            Some("0.0.0.0 or [::] stand for all that it has".to_owned()),
        ),
        ErrorKind::PermissionDenied => (
            "permission denied".to_owned(),
            Some("ports below 1024 need the capability CAP_NET_BIND_SERVICE".to_owned()),
        ),
        _ => (error.to_string(), None),
    };
    let diagnostic = Diagnostic::error(format!("cannot listen on {address}: {why}")).at(source, place.into());
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}
