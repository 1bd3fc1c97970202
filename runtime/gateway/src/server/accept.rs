//! Taking connections from a listening socket, and closing it without losing one.

use super::admission::Admission;
use super::bind::Listening;
use super::connection;
use super::ports::Door;
use super::worker::Shared;
use crate::peer::Peer;
use crate::phase::Phase;
use socket2::{SockFilter, SockRef};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long to wait when the process has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long connections that are being opened have to become open when their listener closes: a
/// round trip to a client, with room.
const SETTLE: Duration = Duration::from_millis(100);

/// A listener, and the connections that came of it.
struct Accepting {
    listener: TcpListener,
    connections: JoinSet<()>,
    /// As the config names it.
    bind: SocketAddr,
    gate: Arc<Admission>,
    shared: Rc<Shared>,
}

/// Accepts until told to stop, or that this listener is closed; returns the connections that are open then.
pub(super) async fn accept(door: Door, shared: Rc<Shared>) -> JoinSet<()> {
    let Door { bind, listening: Listening { socket, inherited }, gate, .. } = door;
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a listening socket cannot be used");
            return JoinSet::new();
        }
    };
    let mut phase = shared.phase.clone();
    let mut accepting = Accepting { listener, connections: JoinSet::new(), bind, gate, shared };
    tokio::select! {
        biased;
        () = accepting.run() => {}
        _ = phase.wait_for(|&phase| phase >= Phase::Draining) => {}
    }
    // An inherited socket's queue is its heirs' to empty.
    if !inherited {
        accepting.empty().await;
    }
    accepting.connections
}

impl Accepting {
    /// Accepts for ever.
    async fn run(&mut self) {
        loop {
            tokio::select! {
                biased;
                accepted = self.listener.accept() => self.take(accepted).await,
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    async fn take(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        // While one comes after the other, nobody waits for those that have ended, and each keeps its memory until
        // somebody has.
        while self.connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, address)) => {
                // One that is refused is closed at once, and counted.
                if let Ok(permit) = self.gate.admit(&self.shared.gateway, address.ip()) {
                    let peer = Peer::new(address)
                        .with_limits(&self.gate.limits())
                        .with_trust(&self.gate.trust())
                        .by_listener(self.bind);
                    let shared = Rc::clone(&self.shared);
                    self.connections.spawn_local(connection::serve(stream, peer, permit, shared));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    /// Lets nobody new in, and takes those who are at the door: clients that have a connection, as far
    /// as they know, and may have sent a request on it.
    async fn empty(&mut self) {
        if let Err(error) = refuse_new(&self.listener) {
            tracing::debug!(%error, "connections may be opened until the listener is closed");
        }
        // A connection whose handshake is on its way must not find the door closed.
        let _ = tokio::time::timeout(SETTLE, self.run()).await;
        // What the kernel has, not what the runtime has heard of.
        while let Some(accepted) = self.accept_now() {
            self.take(accepted).await;
        }
    }

    /// A connection that waits, if there is one.
    fn accept_now(&self) -> Option<io::Result<(TcpStream, SocketAddr)>> {
        let accepted = loop {
            match SockRef::from(&self.listener).accept() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                accepted => break accepted,
            }
        };
        Some(accepted.and_then(|(socket, address)| {
            socket.set_nonblocking(true)?;
            let address = address.as_socket().ok_or(ErrorKind::Unsupported)?;
            Ok((TcpStream::from_std(socket.into())?, address))
        }))
    }
}

/// Drops segments that would open a connection, and lets all others pass. The client tries again
/// after a second, and is then refused, or served by whoever has the port.
fn refuse_new(listener: &TcpListener) -> io::Result<()> {
    /// Byte 13 of a TCP header, and SYN in it (RFC 9293, section 3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    // Classic BPF: load a byte; if the bit is set, drop; else keep all of it.
    const PROGRAM: [SockFilter; 4] = [
        SockFilter::new(0x30, 0, 0, FLAGS),
        SockFilter::new(0x45, 0, 1, SYN),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    SockRef::from(listener).attach_filter(&PROGRAM)
}

#[cfg(test)]
mod tests;
