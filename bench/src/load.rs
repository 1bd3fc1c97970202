//! A closed-loop HTTP/1.1 client: each of N connections sends the next request when the answer to
//! the last one is complete. Every answer's status and length is checked.

pub(crate) mod connection;
mod histogram;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::process;
use crate::scenario::Scenario;
use connection::Connection;
pub use histogram::Histogram;

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the gateway listens.
    pub address: String,
    /// What is asked.
    pub scenario: Scenario,
    /// Connections, each with one request at a time.
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

/// How long a connection may take to end after the window.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Count,
    Stop,
}

/// One request; the answer's body.
///
/// # Errors
/// No answer, or one whose status is not 200.
pub async fn answer(address: &str, scenario: Scenario) -> Result<Vec<u8>> {
    let mut connection = Connection::open(address).await?;
    let mut body = Vec::new();
    connection.exchange(&scenario.request(), |piece| body.extend_from_slice(piece)).await?;
    Ok(body)
}

/// Runs the plan. The first answer is compared with what the scenario expects, all others with the
/// first one's length.
///
/// # Errors
/// An answer is wrong, a connection fails, or the gateway's process is gone.
pub async fn run(plan: &Plan) -> Result<Measured> {
    let first = answer(&plan.address, plan.scenario).await?;
    let found: Value = serde_json::from_slice(&first).context("the answer is not JSON")?;
    if found != plan.scenario.json_reply() {
        bail!("the answer is not the expected one: {found}");
    }
    let tasks = LocalSet::new();
    tasks.run_until(drive(plan, first.len())).await
}

async fn drive(plan: &Plan, body: usize) -> Result<Measured> {
    let phase = Rc::new(Cell::new(Phase::WarmUp));
    let request: Rc<[u8]> = plan.scenario.request().into();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..plan.connections {
        let connection = Connection::open(&plan.address).await?;
        let client = client(connection, Rc::clone(&request), body, Rc::clone(&phase));
        clients.spawn_local(client);
    }
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

async fn client(
    mut connection: Connection,
    request: Rc<[u8]>,
    body: usize,
    phase: Rc<Cell<Phase>>,
) -> Result<Histogram> {
    let mut latency = Histogram::default();
    while phase.get() != Phase::Stop {
        let begin = Instant::now();
        let length = connection.exchange(&request, |_| {}).await?;
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
