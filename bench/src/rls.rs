//! Calls of a rate limit service: many at a time over a few connections, and what they cost.

mod echo;

pub use echo::echo;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::ValueEnum;
use h2::client::SendRequest;
use http::Request;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::process;

/// Which keys are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Keys {
    /// One.
    Hot,
    /// Ten thousand, one after the other.
    Uniform,
}

/// What to ask, and how.
#[derive(Debug, Clone)]
pub struct Load {
    /// `host:port` of the service.
    pub address: String,
    /// Which keys.
    pub keys: Keys,
    /// Calls at a time, over all connections.
    pub in_flight: usize,
    /// Connections.
    pub connections: usize,
    /// How long.
    pub time: Duration,
    /// Processes whose time is counted.
    pub pids: Vec<u32>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Calls that were answered.
    pub decisions: u64,
    /// Of those, calls over the limit.
    pub over: u64,
    /// How long it took.
    pub time: Duration,
    /// Time of each process.
    pub cpu: Vec<Duration>,
    /// Latencies in microseconds, in order.
    pub latencies: Vec<u32>,
}

#[derive(Debug, Default)]
struct Counted {
    decisions: u64,
    over: u64,
    latencies: Vec<u32>,
    next: u64,
    failed: Option<String>,
}

impl Measured {
    /// The latency that this part of the calls stayed below, in microseconds.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> u32 {
        let at = self.latencies.len().saturating_sub(1) * percent / 100;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// Runs a load on a runtime of one thread.
///
/// # Errors
/// The service does not answer, or answers wrong.
pub async fn measure(load: &Load) -> Result<Measured> {
    let counted = Rc::new(RefCell::new(Counted::default()));
    let local = LocalSet::new();
    let begin = Instant::now();
    let until = begin + load.time;
    let before = load.pids.iter().map(|pid| process::cpu(*pid)).collect::<Result<Vec<_>>>()?;
    local
        .run_until(async {
            let mut callers = Vec::new();
            for _ in 0..load.connections {
                let socket = TcpStream::connect(&load.address).await.context("the service does not listen")?;
                socket.set_nodelay(true)?;
                // Answers of many calls come at once, each in a frame of its own.
                let mut builder = h2::client::Builder::new();
                builder.data_frame_budget(1 << 30).initial_connection_window_size(1 << 24);
                let (client, connection) = builder.handshake(socket).await?;
                tokio::task::spawn_local(connection);
                for _ in 0..load.in_flight / load.connections {
                    let caller = call(client.clone(), load.keys, until, Rc::clone(&counted));
                    callers.push(tokio::task::spawn_local(caller));
                }
            }
            for caller in callers {
                caller.await??;
            }
            anyhow::Ok(())
        })
        .await?;
    let time = begin.elapsed();
    let after = load.pids.iter().map(|pid| process::cpu(*pid)).collect::<Result<Vec<_>>>()?;
    let mut counted = counted.take();
    if let Some(failed) = counted.failed {
        bail!("the service failed: {failed}");
    }
    counted.latencies.sort_unstable();
    Ok(Measured {
        decisions: counted.decisions,
        over: counted.over,
        time,
        cpu: after.iter().zip(&before).map(|(after, before)| after.saturating_sub(*before)).collect(),
        latencies: counted.latencies,
    })
}

async fn call(client: SendRequest<Bytes>, keys: Keys, until: Instant, counted: Rc<RefCell<Counted>>) -> Result<()> {
    while Instant::now() < until {
        let number = {
            let mut counted = counted.borrow_mut();
            counted.next += 1;
            counted.next
        };
        let key = match keys {
            Keys::Hot => 0,
            Keys::Uniform => number.wrapping_mul(7919) % 10_000,
        };
        let begin = Instant::now();
        let mut client = client.clone().ready().await?;
        let request = Request::post("http://rls/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit");
        let request = request.header("content-type", "application/grpc").header("te", "trailers").body(())?;
        let (response, mut body) = client.send_request(request, false)?;
        body.send_data(message(key), true)?;
        let mut response = response.await?.into_body();
        let mut reply = Vec::new();
        while let Some(data) = response.data().await {
            let data = data?;
            response.flow_control().release_capacity(data.len())?;
            reply.extend_from_slice(&data);
        }
        let trailers = response.trailers().await?;
        let micros = u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX);
        let mut counted = counted.borrow_mut();
        // `overall_code`, the first field: 1 is OK, 2 over the limit.
        match reply.get(5..7) {
            Some([8, code @ 1..=2]) => {
                counted.over += u64::from(*code == 2);
                counted.decisions += 1;
                counted.latencies.push(micros);
            }
            _ => counted.failed = Some(format!("{trailers:?} {reply:?}")),
        }
    }
    Ok(())
}

/// A `RateLimitRequest` of one descriptor in its frame.
fn message(key: u64) -> Bytes {
    let value = format!("value-{key:05}");
    let field = |number: u8, bytes: &[u8]| {
        let mut field = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap_or(u8::MAX)];
        field.extend_from_slice(bytes);
        field
    };
    let entry = [field(1, b"key"), field(2, value.as_bytes())].concat();
    let request = [field(1, b"bench"), field(2, &field(1, &entry))].concat();
    let mut frame = vec![0, 0, 0, 0, u8::try_from(request.len()).unwrap_or(u8::MAX)];
    frame.extend_from_slice(&request);
    frame.into()
}
