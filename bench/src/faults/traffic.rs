//! Requests at a fixed rate, however the gateway does ("open loop").

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

use super::{Ledger, h1, h2, native};

/// A request that is not answered within this time hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between attempts to connect to a gateway that is not there.
const RECONNECT: Duration = Duration::from_millis(100);

/// How many messages a stream has, one each 50 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// It ends within any drain worth the name.
    Short = 20,
    /// It outlasts any drain.
    Long = 100_000,
}

impl Length {
    /// What REST clients ask for.
    pub(super) fn target(self) -> String {
        format!("/v1/items:watch?pageSize={}&pageToken=slow", self as u32)
    }
}

/// What clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// HTTP/1.1, keep-alive.
    H1,
    /// HTTP/2, prior knowledge.
    H2,
}

/// One run.
#[derive(Debug)]
pub struct Plan {
    /// Where the gateway listens.
    pub address: String,
    /// The hosts that they ask, by turns; at least one. Streams are of the first.
    pub hosts: Vec<String>,
    /// What the clients speak.
    pub protocol: Protocol,
    /// Connections for unary calls.
    pub connections: usize,
    /// Unary calls a second.
    pub rate: u32,
    /// Streams at a time: as many that end by themselves as that do not.
    pub streams: usize,
    /// All of them end by themselves.
    pub short: bool,
    /// gRPC in place of REST. HTTP/2 has to be what the clients speak.
    pub native: bool,
    /// How long to send.
    pub time: Duration,
    /// Set when the end has come before that.
    pub told: Cell<bool>,
    /// The end has also come when nobody listens any more; else connections are tried again.
    pub until_refused: bool,
    /// What every id begins with.
    pub ids: String,
    /// Calls that must not be made twice: POST instead of GET.
    pub post: bool,
    /// How an answer may end; if there are none, as it likes.
    pub ends: Vec<String>,
}

/// A request, for either protocol.
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) body: Bytes,
    /// It is a native call.
    pub(super) native: bool,
}

impl Ask {
    /// For a stream.
    pub(super) fn get(target: &str) -> Self {
        Self { method: "GET", target: target.to_owned(), body: Bytes::new(), native: false }
    }
}

/// The work, or an error if it hangs.
pub(super) async fn within<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(anyhow!("no answer within {PATIENCE:?}")))
}

impl Plan {
    /// The host of the request with this number.
    pub(super) fn host(&self, number: u64) -> &str {
        let turn = usize::try_from(number % self.hosts.len().max(1) as u64).unwrap_or(0);
        self.hosts.get(turn).map_or("", String::as_str)
    }

    /// The request for a stream.
    pub(super) fn stream(&self, length: Length) -> Ask {
        if self.native { native::stream(length) } else { Ask::get(&length.target()) }
    }

    /// The request with this number.
    pub(super) fn ask(&self, number: u64) -> Ask {
        let id = format!("{}-{number}", self.ids);
        if self.native {
            return native::ask(id, self.post);
        }
        if self.post {
            let body = format!(r#"{{"id":"{id}"}}"#).into();
            return Ask { method: "POST", target: "/v1/items".to_owned(), body, native: false };
        }
        Ask::get(&format!("/v1/items/{id}"))
    }

    /// A connection to the gateway; `None` when nobody listens and nobody will.
    pub(super) async fn connect(&self) -> Option<TcpStream> {
        loop {
            match TcpStream::connect(&self.address).await {
                Ok(stream) if stream.set_nodelay(true).is_ok() => return Some(stream),
                Err(_) if self.until_refused => return None,
                _ => tokio::time::sleep(RECONNECT).await,
            }
        }
    }
}

/// Sends until the end; then waits for what is in flight. Must run in a [`LocalSet`].
///
/// # Errors
/// A client panicked.
pub async fn run(plan: Rc<Plan>) -> Result<Rc<Ledger>> {
    LocalSet::new().run_until(drive(plan)).await
}

async fn drive(plan: Rc<Plan>) -> Result<Rc<Ledger>> {
    let ledger = Rc::new(Ledger::expecting(&plan.ends));
    let mut clients = JoinSet::new();
    for _ in 0..plan.connections {
        let (plan, ledger) = (Rc::clone(&plan), Rc::clone(&ledger));
        clients.spawn_local(async move {
            match plan.protocol {
                Protocol::H1 => h1::requests(plan, ledger).await,
                Protocol::H2 => h2::requests(plan, ledger).await,
            }
        });
    }
    let mut streams = JoinSet::new();
    for index in 0..plan.streams {
        let (plan, ledger) = (Rc::clone(&plan), Rc::clone(&ledger));
        let length = if plan.short || index % 2 == 0 { Length::Short } else { Length::Long };
        streams.spawn_local(async move {
            match plan.protocol {
                Protocol::H1 => h1::streams(plan, ledger, length.target()).await,
                Protocol::H2 => h2::streams(plan, ledger, length).await,
            }
        });
    }
    let sending = send(&plan, &ledger);
    let ended = async {
        while let Some(ended) = clients.join_next().await {
            ended?;
        }
        while let Some(ended) = streams.join_next().await {
            ended?;
        }
        Ok(())
    };
    // The clients end when nothing more comes, or when nobody listens any more.
    tokio::pin!(ended);
    tokio::select! {
        ended = &mut ended => ended,
        () = sending => ended.await,
    }
    .map(|()| ledger)
}

/// Lets requests come at the rate, until the time is over.
async fn send(plan: &Plan, ledger: &Ledger) {
    const TICK: Duration = Duration::from_millis(1);
    let mut ticks = tokio::time::interval(TICK);
    let begin = tokio::time::Instant::now();
    let mut number = 0;
    while begin.elapsed() < plan.time && !plan.told.get() {
        ticks.tick().await;
        let due = begin.elapsed().as_micros() * u128::from(plan.rate) / 1_000_000;
        while u128::from(number) < due {
            ledger.push(number);
            number += 1;
        }
    }
    ledger.close();
}
