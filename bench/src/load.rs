//! A closed-loop client: each of N sends the next request when the answer to the last one is complete.
//! Over HTTP/1.1 each has a connection; of native calls several share one. Every answer's status and
//! length is checked.

mod calls;
pub(crate) mod connection;
mod histogram;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::process;
use crate::scenario::{Scenario, json_of_frame};
use calls::Calls;
use connection::Connection;
pub use histogram::Histogram;

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the gateway listens.
    pub address: String,
    /// What is asked.
    pub scenario: Scenario,
    /// Connections, each with one request at a time; of native calls, calls at a time.
    pub connections: usize,
    /// Not counted, at the start.
    pub warm_up: Duration,
    /// Counted.
    pub window: Duration,
    /// The gateway's process, whose cost is read at both ends of the window.
    pub pid: Option<u32>,
}

/// What one run found in its window.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Answers, all of them right.
    pub requests: u64,
    /// The window as it turned out.
    pub window: Duration,
    /// User and system time of the gateway's process in the window.
    pub cpu: Duration,
    /// Its resident memory at the end.
    pub resident_kib: u64,
    /// Latencies of the window's requests.
    pub latency: Histogram,
    /// Length of one answer's body.
    pub body: usize,
}

impl Measured {
    /// For the process that asked; times in microseconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "requests": self.requests,
            "window_us": micros(self.window),
            "cpu_us": micros(self.cpu),
            "resident_kib": self.resident_kib,
            "p50_us": micros(self.latency.quantile(0.5)),
            "p99_us": micros(self.latency.quantile(0.99)),
            "body": self.body,
        })
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Native calls at a time on one connection.
const CALLS_PER_CONNECTION: usize = 8;

/// How long a connection may take to end after the window.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Count,
    Stop,
}

/// One request; the answer's body, of a native call as JSON. Must run in a [`LocalSet`].
///
/// # Errors
/// No answer, or one whose status is not 200 or OK.
pub async fn answer(address: &str, scenario: Scenario) -> Result<Vec<u8>> {
    if scenario == Scenario::Grpc {
        let frame = Calls::open(address, scenario).await?.call(&scenario.grpc_request()).await?;
        return Ok(json_of_frame(&frame)?.to_string().into_bytes());
    }
    let mut connection = Connection::open(address).await?;
    let mut body = Vec::new();
    connection.exchange(&scenario.request(), |piece| body.extend_from_slice(piece)).await?;
    Ok(body)
}

/// So many requests, one after the other on one connection, each like the first. Must run in a [`LocalSet`].
///
/// # Errors
/// An answer is wrong, or the connection fails.
pub async fn ask(address: &str, scenario: Scenario, requests: u32) -> Result<()> {
    let mut asker = match scenario {
        Scenario::Grpc => Asker::Grpc(Calls::open(address, scenario).await?, scenario.grpc_request()),
        _ => Asker::Http(Connection::open(address).await?, scenario.request().into(), address.to_owned()),
    };
    let first = asker.ask().await?;
    for _ in 1..requests {
        let length = asker.ask().await?;
        ensure!(length == first, "an answer of {length} bytes, the first had {first}");
    }
    Ok(())
}

/// Runs the plan. The first answer is compared with what the scenario expects, all others with the
/// first one's length.
///
/// # Errors
/// An answer is wrong, a connection fails, or the gateway's process is gone.
pub async fn run(plan: &Plan) -> Result<Measured> {
    LocalSet::new().run_until(check_and_drive(plan)).await
}

async fn check_and_drive(plan: &Plan) -> Result<Measured> {
    let first = answer(&plan.address, plan.scenario).await?;
    let found: Value = serde_json::from_slice(&first).context("the answer is not JSON")?;
    if found != plan.scenario.json_reply() {
        bail!("the answer is not the expected one: {found}");
    }
    let body = match plan.scenario {
        Scenario::Grpc => plan.scenario.grpc_reply().iter().map(Bytes::len).sum(),
        _ => first.len(),
    };
    drive(plan, body).await
}

async fn drive(plan: &Plan, body: usize) -> Result<Measured> {
    let phase = Rc::new(Cell::new(Phase::WarmUp));
    let request: Rc<[u8]> = plan.scenario.request().into();
    let mut clients = tokio::task::JoinSet::new();
    let mut calls: Option<Calls> = None;
    for index in 0..plan.connections {
        if plan.scenario != Scenario::Grpc {
            let connection = Connection::open(&plan.address).await?;
            clients.spawn_local(client(
                Asker::Http(connection, Rc::clone(&request), plan.address.clone()),
                body,
                Rc::clone(&phase),
            ));
            continue;
        }
        let shared = match calls.take() {
            Some(calls) if index % CALLS_PER_CONNECTION != 0 => calls,
            _ => Calls::open(&plan.address, plan.scenario).await?,
        };
        calls = Some(shared.clone());
        clients.spawn_local(client(Asker::Grpc(shared, plan.scenario.grpc_request()), body, Rc::clone(&phase)));
    }
    drop(calls);
    let cpu = || plan.pid.map_or(Ok(Duration::ZERO), process::cpu);
    tokio::time::sleep(plan.warm_up).await;
    let (cpu_before, begin) = (cpu()?, Instant::now());
    phase.set(Phase::Count);
    tokio::time::sleep(plan.window).await;
    phase.set(Phase::Stop);
    let (cpu_after, window) = (cpu()?, begin.elapsed());

    let mut latency = Histogram::default();
    while let Some(client) = tokio::time::timeout(PATIENCE, clients.join_next()).await.context("a connection hangs")? {
        latency.merge(&client??);
    }
    Ok(Measured {
        requests: latency.count(),
        window,
        cpu: cpu_after.saturating_sub(cpu_before),
        resident_kib: plan.pid.map_or(Ok(0), process::resident_kib)?,
        latency,
        body,
    })
}

/// One client: what it asks with, and what.
enum Asker {
    Http(Connection, Rc<[u8]>, String),
    Grpc(Calls, Bytes),
}

impl Asker {
    /// The length of the answer.
    async fn ask(&mut self) -> Result<usize> {
        match self {
            Self::Http(connection, request, address) => {
                // A gateway gives a connection so many requests and no more.
                if connection.is_over() {
                    *connection = Connection::open(address).await?;
                }
                connection.exchange(request, |_| {}).await
            }
            Self::Grpc(calls, message) => calls.call(message).await.map(|frame| frame.len()),
        }
    }
}

async fn client(mut asker: Asker, body: usize, phase: Rc<Cell<Phase>>) -> Result<Histogram> {
    let mut latency = Histogram::default();
    while phase.get() != Phase::Stop {
        let begin = Instant::now();
        let length = asker.ask().await?;
        if length != body {
            bail!("an answer of {length} bytes, the first had {body}");
        }
        // By the moment it ended, so that as many are counted as the gateway finished in the window.
        if phase.get() == Phase::Count {
            latency.record(begin.elapsed());
        }
    }
    Ok(latency)
}
