//! Requests at a fixed rate, however the gateway does ("open loop").

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

use super::{Ledger, h1, h2};

/// A request that is not answered within this time hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between attempts to connect to a gateway that is not there.
const RECONNECT: Duration = Duration::from_millis(100);

/// A stream of 20 messages, one each 50 ms: it ends within any drain worth the name.
const SHORT: &str = "/v1/items:watch?pageSize=20&pageToken=slow";
/// A stream that outlasts any drain.
const LONG: &str = "/v1/items:watch?pageSize=100000&pageToken=slow";

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
    /// The host that they ask.
    pub host: String,
    /// What the clients speak.
    pub protocol: Protocol,
    /// Connections for unary calls.
    pub connections: usize,
    /// Unary calls a second.
    pub rate: u32,
    /// Streams at a time: as many that end by themselves as that do not.
    pub streams: usize,
    /// How long to send.
    pub time: Duration,
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
    pub(super) body: String,
}

impl Ask {
    /// For a stream.
    pub(super) fn get(target: &str) -> Self {
        Self { method: "GET", target: target.to_owned(), body: String::new() }
    }
}

/// The work, or an error if it hangs.
pub(super) async fn within<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(anyhow!("no answer within {PATIENCE:?}")))
}

impl Plan {
    /// The request with this number.
    pub(super) fn ask(&self, number: u64) -> Ask {
        let id = format!("{}-{number}", self.ids);
        if self.post {
            return Ask { method: "POST", target: "/v1/items".to_owned(), body: format!(r#"{{"id":"{id}"}}"#) };
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
pub async fn run(plan: Plan) -> Result<Rc<Ledger>> {
    LocalSet::new().run_until(drive(Rc::new(plan))).await
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
        let target = if index % 2 == 0 { SHORT } else { LONG };
        streams.spawn_local(async move {
            match plan.protocol {
                Protocol::H1 => h1::streams(plan, ledger, target).await,
                Protocol::H2 => h2::streams(plan, ledger, target).await,
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
    while begin.elapsed() < plan.time {
        ticks.tick().await;
        let due = begin.elapsed().as_micros() * u128::from(plan.rate) / 1_000_000;
        while u128::from(number) < due {
            ledger.push(number);
            number += 1;
        }
    }
    ledger.close();
}
