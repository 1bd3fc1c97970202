//! What others notice of an attack: the latency of clients in good faith, without it and beside it.

use crate::attack::{Attack, Outcome, Target};
use crate::process;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How an attack is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is attacked.
    pub target: Target,
    /// The gateway's process.
    pub pid: u32,
    /// Each of the two measurements takes so long, at least.
    pub window: Duration,
    /// Attackers at one time, one connection each, which come back when they are done.
    pub attackers: usize,
}

/// Connections in good faith, each with a request every [`PACE`]: far below what the gateway can take, so that
/// their latency is not that of a queue of their own.
const CLIENTS: usize = 16;
const PACE: Duration = Duration::from_millis(10);
/// After an attack, before the next. On one machine an attacker would otherwise take the processors that it shares
/// with those whose latency is measured; four with this pause send about what a line of 1 Gbit/s brings.
const PAUSE: Duration = Duration::from_millis(50);

/// Bytes that may be held for each byte that attackers sent.
pub const AMPLIFICATION: u64 = 10;
/// What may be held for each connection besides, whatever is sent: of a hundred streams a window of 128 KiB
/// upstream, and as much again on its way to the client.
pub const PER_CONNECTION: u64 = 2 * 100 * 128 * 1024;
/// And for the process: code that runs for the first time, memory that is not given back yet.
pub const PER_PROCESS: u64 = 16 * 1024 * 1024;
/// How many times its value without the attack the 99th percentile may be.
pub const SLOWER: f64 = 2.0;

/// What was found of one attack.
#[derive(Debug)]
pub struct Row {
    /// The attack's name.
    pub name: &'static str,
    /// Latencies without it and beside it.
    pub without: Latencies,
    /// As above.
    pub beside: Latencies,
    /// Attacks that were made.
    pub attacks: usize,
    /// Bytes that they sent.
    pub sent: u64,
    /// By how much the memory of the process had grown at most.
    pub held: u64,
    /// How much may have been held.
    pub allowed: u64,
    /// How the last one ended.
    pub last: Outcome,
}

/// Sorted latencies, of answers that were all right.
#[derive(Debug, Clone)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// The latency that a share of one in a hundred exceeds.
    #[must_use]
    pub fn p99(&self) -> Duration {
        let index = self.0.len().saturating_sub(1) * 99 / 100;
        self.0.get(index).copied().unwrap_or_default()
    }
}

impl Row {
    /// What is beyond its goal.
    #[must_use]
    pub fn beyond(&self) -> Vec<&'static str> {
        let slower = self.ratio() > SLOWER;
        let larger = self.held > self.allowed;
        [(slower, "slower"), (larger, "larger")].into_iter().filter_map(|(is, name)| is.then_some(name)).collect()
    }

    fn ratio(&self) -> f64 {
        self.beside.p99().as_secs_f64() / self.without.p99().as_secs_f64().max(1e-9)
    }
}

/// The head of the table whose rows [`Row`] prints.
pub const HEAD: &str = "\
| attack | ends with | attacks | sent MiB | held MiB | allowed MiB | p99 ms | beside it | ratio | |
|---|---|--:|--:|--:|--:|--:|--:|--:|---|";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
        let ms = |latencies: &Latencies| latencies.p99().as_secs_f64() * 1e3;
        let statuses: String = self.last.statuses.iter().map(|status| format!(" {status}")).collect();
        write!(f, "| {} | {:?}{statuses} | {} ", self.name, self.last.end, self.attacks)?;
        write!(f, "| {:.1} | {:.1} | {:.0} ", mib(self.sent), mib(self.held), mib(self.allowed))?;
        write!(f, "| {:.2} | {:.2} | {:.2} ", ms(&self.without), ms(&self.beside), self.ratio())?;
        let beyond = self.beyond();
        write!(f, "| {} |", if beyond.is_empty() { "ok".to_owned() } else { beyond.join(", ").to_uppercase() })
    }
}

/// Measures without the attack, then beside it.
///
/// # Errors
/// A request in good faith was not answered with 200, or the gateway is gone.
pub fn measure(plan: &Plan, attack: &Attack) -> io::Result<Row> {
    let without = good_clients(plan, || Ok(()))?.0;
    process::forget_peak(plan.pid)?;
    let before = process::resident(plan.pid)?;
    let (beside, outcomes) = good_clients(plan, || attackers(plan, attack))?;
    let held = process::peak(plan.pid)?.saturating_sub(before);
    let sent = outcomes.iter().map(|outcome| outcome.sent).sum::<u64>();
    let allowed = sent * AMPLIFICATION + plan.attackers as u64 * PER_CONNECTION + PER_PROCESS;
    let attacks = outcomes.len();
    let last = outcomes.into_iter().next_back().ok_or(ErrorKind::TimedOut)?;
    Ok(Row { name: attack.name, without, beside, attacks, sent, held, allowed, last })
}

/// Attacks again and again, on several connections.
fn attackers(plan: &Plan, attack: &Attack) -> io::Result<Vec<Outcome>> {
    let end = Instant::now() + plan.window;
    let one = || {
        let mut outcomes = Vec::new();
        while outcomes.is_empty() || Instant::now() < end {
            outcomes.push((attack.run)(&plan.target)?);
            std::thread::park_timeout(PAUSE);
        }
        Ok::<_, io::Error>(outcomes)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.attackers).map(|_| scope.spawn(one)).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| io::Error::other("an attacker panicked"))??);
        }
        Ok(all)
    })
}

/// Runs clients in good faith while `meanwhile` does, and for the plan's window at least.
fn good_clients<T>(plan: &Plan, meanwhile: impl FnOnce() -> io::Result<T>) -> io::Result<(Latencies, T)> {
    let stop = AtomicBool::new(false);
    let end = Instant::now() + plan.window;
    std::thread::scope(|scope| {
        let client = |index: usize| good_client(plan.target.address, &plan.target.get, index, &stop);
        let threads: Vec<_> = (0..CLIENTS).map(|index| scope.spawn(move || client(index))).collect();
        let done = meanwhile();
        while Instant::now() < end {
            std::thread::park_timeout(end.saturating_duration_since(Instant::now()));
        }
        stop.store(true, Ordering::Relaxed);
        let mut latencies = Vec::new();
        for thread in threads {
            latencies.extend(thread.join().map_err(|_| io::Error::other("a client panicked"))??);
        }
        latencies.sort_unstable();
        Ok((Latencies(latencies), done?))
    })
}

fn good_client(address: SocketAddr, path: &str, index: usize, stop: &AtomicBool) -> io::Result<Vec<Duration>> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: siege.test\r\n\r\n");
    let mut stream = connect(address)?;
    let mut latencies = Vec::new();
    // They do not all ask at the same moment.
    let mut next = Instant::now() + PACE * u32::try_from(index).unwrap_or(0) / u32::try_from(CLIENTS).unwrap_or(1);
    while !stop.load(Ordering::Relaxed) {
        while Instant::now() < next {
            std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
        }
        let begin = Instant::now();
        stream.get_mut().write_all(request.as_bytes())?;
        let last = answer(&mut stream)?;
        latencies.push(begin.elapsed());
        if last {
            stream = connect(address)?;
        }
        next = (next + PACE).max(Instant::now());
    }
    Ok(latencies)
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Reads an answer, which must be 200; true if it is the last of its connection.
fn answer(stream: &mut BufReader<TcpStream>) -> io::Result<bool> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if line != "HTTP/1.1 200 OK\r\n" {
        return Err(io::Error::other(format!("a client in good faith was answered {line:?}")));
    }
    let (mut length, mut last) = (0, false);
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line)?;
        last |= line == "connection: close\r\n";
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    Ok(last)
}
