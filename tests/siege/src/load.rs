//! Clients in good faith: requests at a steady rate, whatever the answers do.
//!
//! The load is open-loop: a request counts from the moment at which it was due, so that a pause of the gateway
//! is seen by every request that fell into it and not by the one that met it.

use crate::attack::Target;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Connections, each with a request every [`PACE`]: 800 requests a second, far below what the gateway can take,
/// so that their latency is not that of a queue of their own.
const CLIENTS: u32 = 8;
const PACE: Duration = Duration::from_millis(10);

/// Sorted latencies, of answers that were all right.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// The latency that a share of one in a hundred exceeds.
    pub(crate) fn p99(&self) -> Duration {
        let index = self.0.len().saturating_sub(1) * 99 / 100;
        self.0.get(index).copied().unwrap_or_default()
    }
}

/// Asks while `meanwhile` runs, and for `window` at least.
///
/// # Errors
/// A request was not answered with 200, or `meanwhile` failed.
pub(crate) fn run<T>(
    target: &Target,
    window: Duration,
    meanwhile: impl FnOnce() -> io::Result<T>,
) -> io::Result<(Latencies, T)> {
    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        // They do not all ask at the same moment.
        let client = |index: u32| ask(target.address, &target.get, begin + PACE * index / CLIENTS, &stop);
        let threads: Vec<_> = (0..CLIENTS).map(|index| scope.spawn(move || client(index))).collect();
        let done = meanwhile();
        wait_until(begin + window);
        stop.store(true, Ordering::Relaxed);
        let mut latencies = Vec::new();
        for thread in threads {
            latencies.extend(thread.join().map_err(|_| io::Error::other("a client panicked"))??);
        }
        latencies.sort_unstable();
        Ok((Latencies(latencies), done?))
    })
}

fn wait_until(due: Instant) {
    while Instant::now() < due {
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
}

fn ask(address: SocketAddr, path: &str, first: Instant, stop: &AtomicBool) -> io::Result<Vec<Duration>> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: siege.test\r\n\r\n");
    let mut stream = connect(address)?;
    let mut latencies = Vec::new();
    let mut due = first;
    while !stop.load(Ordering::Relaxed) {
        wait_until(due);
        stream.get_mut().write_all(request.as_bytes())?;
        let last = answer(&mut stream)?;
        latencies.push(due.elapsed());
        if last {
            stream = connect(address)?;
        }
        due += PACE;
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

#[cfg(test)]
mod tests {
    use super::Latencies;
    use std::time::Duration;

    #[test]
    fn one_in_a_hundred_is_above_the_99th_percentile() {
        let latencies = Latencies((1..=200).map(Duration::from_millis).collect());
        assert_eq!((latencies.p99(), Latencies(Vec::new()).p99()), (Duration::from_millis(198), Duration::ZERO));
    }
}
