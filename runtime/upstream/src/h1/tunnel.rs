//! A connection that has ceased to speak HTTP.

use std::fmt;

use bytes::Bytes;
use tokio::net::TcpStream;

use crate::endpoint::Slot;

/// What is left of an exchange that the upstream answered with 101: its socket. It keeps its place
/// among the upstream's connections until it is dropped, which closes it.
pub struct Tunnel {
    pub(super) stream: TcpStream,
    pub(super) first: Bytes,
    pub(super) slot: Slot,
}

impl Tunnel {
    /// What the upstream sent behind the head of its answer. Empty when it was taken before.
    pub fn take_first(&mut self) -> Bytes {
        std::mem::take(&mut self.first)
    }

    /// The socket.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The address of the endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.slot.connection.endpoint.name
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}
