//! The admin port: `/metrics`, `/livez`, `/readyz`, and `/api/v1/…`, which shows and changes what is in force.
//!
//! Nothing changes but by `POST`. On a loopback address it takes requests whose `Host` is an IP address or
//! `localhost`, so that no web page can reach it under a name of its own; elsewhere it asks for the token,
//! except for the two health endpoints. A request that a web page of another origin makes is refused: its
//! browser says so in `Origin` or `Sec-Fetch-Site`.

mod answer;
mod api;
mod breakers;
mod canaries;
mod concurrency;
mod guard;
mod limits;
mod reply;
mod shown;

use crate::config;
use crate::follow::SchemaStates;
use crate::generations::Handle;
use answer::answer;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tidegate_telemetry::metrics::Metrics;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Connections served at once; more wait in the accept queue.
const MAX_CONNECTIONS: usize = 64;
/// A client that does not send a request within this time is cut off.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// What a request head may have.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// How long to wait when the system has no more sockets.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// How far the process is, for `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not yet serving.
    Starting,
    /// Serving.
    Serving,
    /// Finishing what is in flight, and then ending.
    Draining,
}

/// The phase of the process; shared by whoever changes it and the admin port.
#[derive(Debug, Default)]
pub struct Readiness(AtomicU8);

/// An admin port that is bound but not yet served.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    token: Option<String>,
}

/// What the admin port shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
    /// For `/readyz`.
    pub readiness: Arc<Readiness>,
    /// For `/readyz?verbose`.
    pub schemas: Arc<SchemaStates>,
    /// For `/api/v1/config…`; `None` where the config cannot change.
    pub handle: Option<Handle>,
    /// For `/api/v1/log-level`; `None` where it cannot change.
    pub log: Option<Arc<dyn LogLevel>>,
    /// For `/`.
    pub version: &'static str,
}

/// What the program logs, to be read and changed while it runs.
pub trait LogLevel: std::fmt::Debug + Send + Sync {
    /// A level, or levels by module: `info,h2=debug`.
    fn get(&self) -> String;

    /// Changes it.
    ///
    /// # Errors
    /// What was expected, in words.
    fn set(&self, levels: &str) -> Result<(), String>;
}

/// What a request is answered from.
struct State {
    shown: Shown,
    token: Option<String>,
    /// Bound to a loopback address.
    local: bool,
}

// === impl Readiness ===

impl Readiness {
    /// Tells how far the process is.
    pub fn set(&self, phase: Phase) {
        let value = match phase {
            Phase::Starting => 0,
            Phase::Serving => 1,
            Phase::Draining => 2,
        };
        self.0.store(value, Ordering::Release);
    }

    /// How far the process is; `Starting` at first.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            _ => Phase::Draining,
        }
    }
}

// === impl Bound ===

impl Bound {
    /// Binds the port. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Those of the system: the port is in use, the address is not of this machine, and the like.
    pub async fn bind(admin: &config::Admin) -> io::Result<Self> {
        let listener = TcpListener::bind(admin.bind).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, token: admin.token.clone() })
    }

    /// Where it listens: with the port that was taken for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done; connections that are open then are cut.
    pub async fn serve(self, shown: Shown, shutdown: impl Future<Output = ()>) {
        let state = Arc::new(State { shown, token: self.token, local: self.address.ip().is_loopback() });
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, Arc::clone(&state)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the admin port cannot accept a connection");
                        tokio::time::sleep(ACCEPT_BACKOFF).await;
                    }
                },
            }
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    let service = hyper::service::service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(answer(&state, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the admin port ended early");
    }
}
