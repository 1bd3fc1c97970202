//! A connection of HTTP/1.1: hyper's two halves of it, in one hand.

use std::{
    future::Future as _,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tidegate_telemetry::clock;
use tokio::net::TcpStream;

use super::{io::Io, sending::Sending};
use crate::{Config, ConnectError};

/// Header fields of a reply; hyper's own default, on which its parser needs no memory of its own.
const HEADERS_MAX: usize = 100;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// A connection that is not in the middle of a request, or is in the hand of the one that it carries.
pub(crate) struct Wire {
    pub(super) sender: SendRequest<Sending>,
    pub(super) driver: Driver,
    written: Arc<AtomicU64>,
    /// It carried a request before: its peer may be about to close it.
    used: bool,
    /// The driver has ended, and is not to be asked again.
    over: bool,
    /// Since when it waits for a request.
    idle_since: Instant,
    /// How long it may wait: what the peer says, where that is less than the config's.
    keep_for: Option<Duration>,
}

pub(super) type Driver = Connection<TokioIo<Io>, Sending>;

/// Makes an HTTP/1.1 connection of a socket. Nothing is sent.
pub(crate) async fn establish(socket: TcpStream, config: &Config) -> Result<Box<Wire>, ConnectError> {
    let written = Arc::<AtomicU64>::default();
    let io = TokioIo::new(Io::new(socket, Arc::clone(&written)));
    let bytes = config.header_list_max_bytes as usize;
    let mut builder = Builder::new();
    builder.max_headers(HEADERS_MAX).max_header_size(bytes).max_buf_size(bytes.max(BUFFER_BYTES));
    let (sender, driver) =
        builder.handshake(io).await.map_err(|error| ConnectError::Tcp(std::io::Error::other(error)))?;
    let wire = Wire {
        sender,
        driver,
        written,
        used: false,
        over: false,
        idle_since: clock::now(),
        keep_for: config.idle_timeout,
    };
    Ok(Box::new(wire))
}

/// What hyper may keep of a request that the peer does not take, and of a reply that nobody reads.
const BUFFER_BYTES: usize = 64 * 1024;

impl Wire {
    /// Bytes that the kernel took so far.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(crate) fn was_used(&self) -> bool {
        self.used
    }

    /// Whether it may carry a request now: it was not idle for too long, and its peer has not closed it.
    pub(crate) fn is_fresh(&mut self) -> bool {
        let waited = clock::now().saturating_duration_since(self.idle_since);
        self.keep_for.is_none_or(|most| waited < most) && self.is_open()
    }

    /// Whether its peer keeps it open, as far as is known here: what it sends before it is asked ends it.
    fn is_open(&mut self) -> bool {
        self.poll(&mut Context::from_waker(Waker::noop())).is_pending() && self.sender.is_ready()
    }

    /// Reads and writes; ready when the connection is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        if self.over {
            return Poll::Ready(Ok(()));
        }
        let polled = Pin::new(&mut self.driver).poll(cx);
        self.over = polled.is_ready();
        polled
    }

    /// How long the peer keeps a connection that has nothing to do. Less than it says, as what it counts
    /// from came before.
    pub(super) fn learn(&mut self, headers: &HeaderMap) {
        let Some(value) = headers.get(&KEEP_ALIVE).and_then(|value| value.to_str().ok()) else { return };
        let seconds = value.split(',').find_map(|part| part.trim().strip_prefix("timeout=")?.parse::<u32>().ok());
        if let Some(seconds) = seconds {
            let said = Duration::from_secs(u64::from(seconds)) * 4 / 5;
            self.keep_for = Some(self.keep_for.map_or(said, |most| most.min(said)));
        }
    }

    /// Its request is over. Whether it may carry another.
    pub(super) fn rest(&mut self) -> bool {
        self.used = true;
        self.idle_since = clock::now();
        self.is_open()
    }

    /// Takes the socket out of it, and what was read and belongs to nobody yet.
    pub(super) fn into_socket(self) -> (TcpStream, Bytes) {
        let parts = self.driver.into_parts();
        (parts.io.into_inner().into_inner(), parts.read_buf)
    }
}
