//! A process under measurement, and the address that it answers on.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::proc::Running;

/// How long a subject may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running process; ends with this value.
#[derive(Debug)]
pub(crate) struct Subject {
    /// For reports.
    pub name: &'static str,
    /// `host:port`.
    pub address: String,
    process: Running,
}

impl Subject {
    /// A process of ours, which binds a port itself and says in its first line which: the line's first word that
    /// is an address, with or without `http://`.
    pub(crate) fn reporting(name: &'static str, command: &mut Command) -> Result<Self> {
        Self::started(name, command.stdin(Stdio::null()))
    }

    /// The same, for one that takes orders.
    pub(crate) fn taking_orders(name: &'static str, command: &mut Command) -> Result<(Self, ChildStdin)> {
        let mut subject = Self::started(name, command.stdin(Stdio::piped()))?;
        let orders = subject.process.take_stdin().context("stdin was piped")?;
        Ok((subject, orders))
    }

    fn started(name: &'static str, command: &mut Command) -> Result<Self> {
        let mut process = Running::start(name, command.stdout(Stdio::piped()))?;
        let stdout = process.take_stdout().context("stdout was piped")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        process.check_alive()?;
        let address = address_in(&line).with_context(|| format!("{name} printed no address but {line:?}"))?;
        // What else it prints must not block it.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Ok(Self { name, address, process })
    }

    /// A process that is told its port. The port was free a moment ago; if somebody takes it in
    /// between, the process ends and another port is tried.
    pub(crate) fn on_free_port(name: &'static str, mut command: impl FnMut(&str) -> Result<Command>) -> Result<Self> {
        let mut failure = None;
        for _ in 0..3 {
            let address = free_port()?;
            let mut command = command(&address.to_string())?;
            let process = Running::start(name, command.stdin(Stdio::null()).stdout(Stdio::null()))?;
            match listening(process, address) {
                Ok(process) => {
                    return Ok(Self { name, address: address.to_string(), process });
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.context("not tried")?)
    }

    /// A process that listens at this address, where one like it did before.
    pub(crate) fn on(name: &'static str, address: &str, command: &mut Command) -> Result<Self> {
        let process = Running::start(name, command.stdin(Stdio::null()).stdout(Stdio::null()))?;
        Ok(Self { name, address: address.to_owned(), process: listening(process, address.parse()?)? })
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        self.process.ended()
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// An error if the process has ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        self.process.check_alive()
    }
}

fn address_in(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().map(|word| word.trim_start_matches("http://").trim_end_matches(','));
    words.find(|word| word.parse::<SocketAddr>().is_ok()).map(str::to_owned)
}

fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits until the process accepts connections.
fn listening(mut process: Running, address: SocketAddr) -> Result<Running> {
    let begin = Instant::now();
    while TcpStream::connect(address).is_err() {
        process.check_alive()?;
        if begin.elapsed() > PATIENCE {
            bail!("nobody listens on {address} after {PATIENCE:?}");
        }
        // There is no event to wait for: a foreign process opens its socket when it likes.
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::address_in;

    #[test]
    fn an_address_is_found_in_a_line() {
        let found = |line| address_in(line);
        assert_eq!(found("127.0.0.1:80\n"), Some("127.0.0.1:80".to_owned()));
        assert_eq!(found("It listens on http://127.0.0.1:80, before others"), Some("127.0.0.1:80".to_owned()));
        assert_eq!(found("nothing"), None);
    }
}
