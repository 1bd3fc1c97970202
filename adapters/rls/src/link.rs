//! The connection to a service: made when it is needed, by a task of its own, so that a caller who does not wait so long
//! does not end it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use h2::client::{self, SendRequest};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::Config;
use crate::failure::Failure;
use crate::tls;

/// Unread bytes of all replies.
const WINDOW: u32 = 4 << 20;
/// What HTTP/2 may hold of short replies, for each call.
const REPLY: usize = 1024;

/// The connection of a service.
pub(crate) struct Link {
    config: Config,
    tls: Option<Result<TlsConnector, Failure>>,
    state: watch::Sender<State>,
    /// The last failure, until an answer comes.
    failure: Mutex<Option<Failure>>,
    made: AtomicU64,
}

enum State {
    /// Nobody needed one, or the last one is gone.
    None,
    /// Somebody makes one.
    Connecting,
    Stands(Standing),
}

/// A connection that stands, as far as is known.
#[derive(Clone)]
pub(crate) struct Standing {
    number: u64,
    pub(crate) send: SendRequest<Bytes>,
    task: AbortHandle,
}

impl Link {
    pub(crate) fn new(config: Config) -> Self {
        let tls = config.address.tls.then(|| tls::connector(&config.tls));
        let (failure, made) = (Mutex::default(), AtomicU64::new(0));
        Self { config, tls, state: watch::Sender::new(State::None), failure, made }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// `host:port`
    pub(crate) fn authority(&self) -> String {
        self.config.address.authority()
    }

    /// Connections that were made.
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Relaxed)
    }

    /// Whether there is a connection.
    pub(crate) fn stands(&self) -> bool {
        matches!(*self.state.borrow(), State::Stands(_))
    }

    /// The last failure, if no answer came since.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.lock().clone()
    }

    /// What became of a call.
    pub(crate) fn note(&self, failure: Option<Failure>) {
        *self.failure.lock() = failure;
    }

    /// A connection that takes a call: the one that stands, or a new one. May be given up at any time.
    pub(crate) async fn ready(self: &Arc<Self>) -> Result<Standing, Failure> {
        let standing = self.stand().await?;
        match standing.send.clone().ready().await {
            Ok(send) => Ok(Standing { send, ..standing }),
            // It ends, and nothing was sent on it.
            Err(_) => {
                self.leave(&standing);
                let standing = self.stand().await?;
                let send = standing.send.clone().ready().await.map_err(|error| self.unreachable(&error.to_string()))?;
                Ok(Standing { send, ..standing })
            }
        }
    }

    /// Gives a connection up, if it is still the one in use.
    pub(crate) fn leave(&self, standing: &Standing) {
        standing.task.abort();
        self.ended(standing.number);
    }

    async fn stand(self: &Arc<Self>) -> Result<Standing, Failure> {
        let mut state = self.state.subscribe();
        let starts = self.state.send_if_modified(|state| {
            let starts = matches!(state, State::None);
            if starts {
                *state = State::Connecting;
            }
            starts
        });
        if starts {
            tokio::spawn(connect(Arc::clone(self)));
        }
        // It fails only if the sender is gone, which this is.
        match state.wait_for(|state| !matches!(state, State::Connecting)).await.as_deref() {
            Ok(State::Stands(standing)) => Ok(standing.clone()),
            _ => Err(self.failure().unwrap_or_else(|| self.unreachable("it was closed"))),
        }
    }

    fn ended(&self, number: u64) {
        self.state.send_if_modified(|state| {
            let is_it = matches!(state, State::Stands(standing) if standing.number == number);
            if is_it {
                *state = State::None;
            }
            is_it
        });
    }

    fn unreachable(&self, reason: &str) -> Failure {
        Failure::Unreachable { address: self.authority(), reason: reason.to_owned() }
    }

    async fn dial(self: &Arc<Self>) -> Result<Standing, Failure> {
        let wrong = |error: &dyn std::fmt::Display| self.unreachable(&error.to_string());
        let address = &self.config.address;
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(|error| wrong(&error))?;
        stream.set_nodelay(true).map_err(|error| wrong(&error))?;
        match &self.tls {
            None => self.greet(stream).await,
            Some(Err(failure)) => Err(failure.clone()),
            Some(Ok(tls)) => {
                let name = ServerName::try_from(address.host.clone()).map_err(|error| wrong(&error))?;
                let stream = tls.connect(name, stream).await.map_err(|error| wrong(&error))?;
                self.greet(stream).await
            }
        }
    }

    async fn greet<T>(self: &Arc<Self>, stream: T) -> Result<Standing, Failure>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = client::Builder::new();
        // All calls can be answered at one time, each by a short message: that is no flood.
        builder
            .enable_push(false)
            .initial_connection_window_size(WINDOW)
            .data_frame_budget(self.config.calls.saturating_mul(REPLY))
            .max_local_error_reset_streams(None);
        let greeted = builder.handshake(stream).await;
        let (send, connection) = greeted.map_err(|error| self.unreachable(&error.to_string()))?;
        let number = self.made.fetch_add(1, Relaxed) + 1;
        let link = Arc::downgrade(self);
        let task = tokio::spawn(async move {
            // What it ends with, callers are told by their streams.
            let _ = connection.await;
            if let Some(link) = Weak::upgrade(&link) {
                link.ended(number);
            }
        });
        Ok(Standing { number, send, task: task.abort_handle() })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let State::Stands(standing) = &*self.state.borrow() {
            standing.task.abort();
        }
    }
}

/// Makes a connection, whoever still waits for it.
async fn connect(link: Arc<Link>) {
    let within = link.config.connect;
    let made = timeout(within, link.dial()).await;
    let made = made.unwrap_or_else(|_| Err(link.unreachable(&format!("no answer within {}ms", within.as_millis()))));
    let state = match made {
        Ok(standing) => State::Stands(standing),
        Err(failure) => {
            link.note(Some(failure));
            State::None
        }
    };
    link.state.send_replace(state);
}
