//! A TCP connection that counts what it sends, and that never waits for long.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How a write went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// All of it is on its way.
    All,
    /// The peer reads nothing: buffers are full.
    Stalled,
    /// The peer has closed the connection.
    Gone,
}

/// How a read went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    Bytes,
    Nothing,
    End,
}

/// How long a write may make no progress before the connection counts as stalled.
const STALL: Duration = Duration::from_millis(500);
/// The shortest time that a socket takes as a timeout for certain.
const SHORTEST: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    /// Bytes that were sent.
    pub(crate) sent: u64,
}

impl Wire {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(STALL))?;
        Ok(Self { stream, sent: 0 })
    }

    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> Sent {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Sent::Gone,
                Ok(count) => {
                    self.sent += count as u64;
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Sent::Stalled;
                }
                Err(_) => return Sent::Gone,
            }
        }
        Sent::All
    }

    /// Appends what comes until `until`; at least what is there already.
    pub(crate) fn receive(&mut self, into: &mut Vec<u8>, until: Instant) -> Came {
        let mut buffer = [0; 16 * 1024];
        let patience = until.saturating_duration_since(Instant::now());
        let waits = !patience.is_zero();
        // Neither call fails on a socket that is open.
        let set = if waits {
            self.stream.set_nonblocking(false).and(self.stream.set_read_timeout(Some(patience.max(SHORTEST))))
        } else {
            self.stream.set_nonblocking(true)
        };
        let read = set.and_then(|()| self.stream.read(&mut buffer));
        let back = self.stream.set_nonblocking(false);
        match read.and_then(|count| back.map(|()| count)) {
            Ok(0) => Came::End,
            Ok(count) => {
                into.extend_from_slice(&buffer[..count]);
                Came::Bytes
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Came::Nothing,
                _ => Came::End,
            },
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) {
        // Fails only if the connection is gone already.
        drop(self.stream.shutdown(std::net::Shutdown::Write));
    }
}
