//! Gateways that share limits: started, paused, killed and started again where they were, each with clocks of its own.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::clocks::Clock;
use super::rules;
use crate::faults::rig::{Rig, now_us};
use crate::proc;
use crate::subject::Subject;

/// A gateway, its config and its clock.
#[derive(Debug)]
pub(super) struct Node<'a> {
    rig: &'a Rig,
    config: PathBuf,
    pub(super) clock: Clock,
    environment: Vec<(String, String)>,
    address: String,
    /// While it runs.
    subject: Option<Subject>,
}

/// The host of a limit that lets one request pass each second of the gateway's own clock.
const TURNS: &str = "turns.local";

impl<'a> Node<'a> {
    /// Starts one; `number` tells its files from others'.
    pub(super) fn start(
        rig: &'a Rig,
        number: usize,
        config: &str,
        (clock, environment): (Clock, Vec<(String, String)>),
    ) -> Result<Self> {
        let path = rig.folder.join(format!("limits-{number}.yaml"));
        let subject = Subject::on_free_port("Tidegate", |address| {
            fs::write(&path, text(address, config))?;
            Ok(command(rig, &path, &environment))
        })?;
        let address = subject.address.clone();
        Ok(Self { rig, config: path, clock, environment, address, subject: Some(subject) })
    }

    /// Kills it, as a crash does.
    pub(super) fn kill(&mut self) {
        self.subject = None;
    }

    /// Starts it again where it was.
    pub(super) fn again(&mut self) -> Result<()> {
        let mut command = command(self.rig, &self.config, &self.environment);
        self.subject = Some(Subject::on("Tidegate", &self.address, &mut command)?);
        Ok(())
    }

    /// Stops the process where it is.
    pub(super) fn pause(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// Lets it go on.
    pub(super) fn resume(&self) -> Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, name: &str) -> Result<()> {
        let id = self.subject.as_ref().context("it runs")?.id();
        proc::run(Command::new("kill").args([name, &id.to_string()]))
    }

    /// Puts another config, which it reads by itself.
    pub(super) fn configure(&self, config: &str) -> Result<()> {
        let beside = self.config.with_extension("new");
        fs::write(&beside, text(&self.address, config))?;
        fs::rename(beside, &self.config)?;
        Ok(())
    }

    /// Clients that ask for all limits by turns, at so many requests a second, until they are told to end.
    pub(super) fn traffic(&self, rate: u64) -> Result<Child> {
        let rate = rate.to_string();
        let hosts: Vec<String> = rules::ALL.iter().map(|rule| format!("{}.local", rule.name)).collect();
        let mut plan = vec!["--protocol", "h1", "--connections", "48", "--rate", &rate];
        plan.extend(["--seconds", "120", "--until-told"]);
        for host in &hosts {
            plan.extend(["--host", host]);
        }
        self.rig.traffic(&self.address, &plan)
    }

    /// Hours that its wall clock is ahead of ours, by the id that it gives to a request.
    pub(super) fn hours(&self) -> Result<i64> {
        let there = made_at(&self.ask("nobody.local")?).context("an answer without a request id")?;
        let ahead = there - i64::try_from(now_us() / 1000)?;
        Ok((ahead + 1_800_000).div_euclid(3_600_000))
    }

    /// Seconds of its monotonic time in one of ours, by two turns of a limit that shapes, a second apart.
    pub(super) fn speed(&self) -> Result<f64> {
        self.ask(TURNS)?;
        let first = Instant::now();
        self.ask(TURNS)?;
        Ok(1.0 / first.elapsed().as_secs_f64())
    }

    /// What it answers to a request to this host.
    pub(super) fn ask(&self, host: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream
            .write_all(format!("GET /v1/items/1 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

fn text(address: &str, config: &str) -> String {
    format!("listeners: [{{ bind: '{address}' }}]\nworkers: 1\ntelemetry: {{ access_log: off }}\n{config}")
}

fn command(rig: &Rig, config: &PathBuf, environment: &[(String, String)]) -> Command {
    let mut command = rig.program();
    command.current_dir(&rig.folder).args(["--log", "error", "run", "-c"]).arg(config);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// When an answer's request id was made, in milliseconds since the Unix epoch: RFC 9562, section 5.7. Its `date` would not
/// do, which stands still while the clock goes back.
fn made_at(answer: &str) -> Option<i64> {
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: "))?;
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    i64::from_str_radix(&digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::made_at;

    #[test]
    fn the_time_is_found_in_a_request_id() {
        let answer = "HTTP/1.1 404 Not Found\r\nx-request-id: 01a20b80-4154-7da4-ad65-6c94537415f0\r\n\r\n{}";
        assert_eq!(made_at(answer), Some(1_795_489_284_436));
        assert_eq!(made_at("HTTP/1.1 404 Not Found\r\n\r\n"), None);
    }
}
