//! A connection of HTTP/1.1, between two requests or in the hand of one.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tidegate_telemetry::clock;
use tokio::net::TcpStream;

use super::reader::Reader;
use crate::Config;

/// A connection that is not in the middle of a request, or is in the hand of the one that it carries.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(super) stream: TcpStream,
    pub(super) reader: Reader,
    /// Bytes of a reply's head.
    pub(super) head_max_bytes: usize,
    /// It carried a request before: its peer may be about to close it.
    used: bool,
    /// Since when it waits for a request.
    idle_since: Instant,
    /// How long it may wait: what the peer says, where that is less than the config's.
    keep_for: Option<Duration>,
}

impl Wire {
    /// Makes an HTTP/1.1 connection of a socket. Nothing is sent.
    pub(crate) fn new(stream: TcpStream, config: &Config) -> Box<Self> {
        Box::new(Self {
            stream,
            reader: Reader::default(),
            head_max_bytes: config.header_list_max_bytes as usize,
            used: false,
            idle_since: clock::now(),
            keep_for: config.idle_timeout,
        })
    }

    pub(crate) fn was_used(&self) -> bool {
        self.used
    }

    /// Whether it may carry a request now: it was not idle for too long, and its peer has neither closed it
    /// nor said anything, as far as is known here.
    pub(crate) fn is_fresh(&self) -> bool {
        let waited = clock::now().saturating_duration_since(self.idle_since);
        // Costs no system call unless something has come.
        self.keep_for.is_none_or(|most| waited < most)
            && matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The peer keeps it for no longer than this, if it says so.
    pub(super) fn learn(&mut self, keeps_for: Option<Duration>) {
        self.keep_for = keeps_for.into_iter().chain(self.keep_for).min();
    }

    /// Its request is over. Whether it may carry another: nothing came that nobody asked for.
    pub(super) fn rest(&mut self) -> bool {
        self.used = true;
        self.idle_since = clock::now();
        self.reader.rest();
        self.reader.is_empty()
    }

    /// Takes the socket out of it, and what was read and belongs to nobody yet.
    pub(super) fn into_socket(self) -> (TcpStream, Bytes) {
        (self.stream, self.reader.into_buf().freeze())
    }
}
