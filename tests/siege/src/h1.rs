//! An HTTP/1.1 connection that sends any bytes and reads the answers apart.

use crate::wire::{Came, Sent, Wire};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A connection of which nothing is known.
#[derive(Debug)]
pub struct H1 {
    wire: Wire,
    /// All that came.
    came: Vec<u8>,
    closed: bool,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The statuses of the answers, in their order.
    pub statuses: Vec<u16>,
    /// The gateway closed the connection.
    pub closed: bool,
}

impl H1 {
    /// Connects.
    ///
    /// # Errors
    /// The connection cannot be opened.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { wire: Wire::open(address)?, came: Vec::new(), closed: false })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Sent {
        self.wire.send(bytes)
    }

    /// Says that nothing more will be sent.
    pub fn finish(&self) {
        self.wire.finish();
    }

    /// Takes what has come, without waiting. True once the connection is closed.
    pub fn look(&mut self) -> bool {
        while !self.closed {
            match self.wire.receive(&mut self.came, Instant::now()) {
                Came::Bytes => {}
                Came::Nothing => break,
                Came::End => self.closed = true,
            }
        }
        self.closed
    }

    /// Reads until there are `count` answers, the connection ends, or `patience` is over.
    pub fn wait(&mut self, patience: Duration, count: usize) -> Answers {
        let end = Instant::now() + patience;
        while !self.closed && self.statuses().len() < count && Instant::now() < end {
            self.closed |= self.wire.receive(&mut self.came, end) == Came::End;
        }
        Answers { statuses: self.statuses(), closed: self.closed }
    }

    /// All that came, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.came).into_owned()
    }

    /// Bytes that were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.wire.sent
    }

    fn statuses(&self) -> Vec<u16> {
        let mut statuses = Vec::new();
        let mut rest = &self.came[..];
        while let Some((status, length)) = answer(rest) {
            statuses.push(status);
            rest = &rest[length..];
        }
        statuses
    }
}

/// The first complete answer: status and length. An answer without a length ends with the connection.
fn answer(bytes: &[u8]) -> Option<(u16, usize)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?.to_ascii_lowercase();
    let status = text.strip_prefix("http/1.1 ").or_else(|| text.strip_prefix("http/1.0 "))?.get(..3)?.parse().ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let whole = head + length.unwrap_or(0);
    (bytes.len() >= whole).then_some((status, whole))
}
