//! An endpoint that can be troubled, of three; and the traffic that tells them apart.

use std::io::Write;
use std::process::{Child, ChildStdin, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::rig::Rig;
use crate::proc;
use crate::subject::Subject;

/// What an endpoint takes for a call while it is well, in milliseconds, and while it is slow.
const WELL_MS: u32 = 5;
const SLOW_MS: u32 = 50;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Killed,
    Paused,
    Slow,
    Failing,
}

/// An endpoint that can be troubled.
pub(super) struct Endpoint {
    pub(super) name: String,
    pub(super) address: String,
    running: Option<(Subject, ChildStdin)>,
}

/// Three of them, all well.
pub(super) fn three(rig: &Rig) -> Result<[Endpoint; 3]> {
    let start = |name| Endpoint::start(rig, name, "127.0.0.1:0");
    Ok([start(NAMES[0])?, start(NAMES[1])?, start(NAMES[2])?])
}

/// How the answers of this one end.
pub(super) fn end(name: &str) -> String {
    format!(r#","title":"{name}+probe","priceCents":"1"}}"#)
}

/// Clients that send so many requests a second; their answers say which endpoint they are of.
pub(super) fn traffic(rig: &Rig, address: &str, rate: u32, time: Duration, ids: &str, post: bool) -> Result<Child> {
    let (rate, seconds) = (rate.to_string(), time.as_secs().to_string());
    let mut arguments = vec!["--protocol", "h2", "--connections", "8", "--rate", &rate, "--seconds", &seconds];
    arguments.extend(["--ids", ids]);
    arguments.extend(post.then_some("--post"));
    let ends = NAMES.map(end);
    for end in &ends {
        arguments.extend(["--ends", end]);
    }
    rig.traffic(address, &arguments)
}

impl Endpoint {
    /// One that is well.
    pub(super) fn start(rig: &Rig, name: &str, listen: &str) -> Result<Self> {
        let mut command = rig.part("upstream");
        command.args(["--listen", listen, "--delay", &WELL_MS.to_string(), "--name", name]);
        let (subject, orders) = Subject::taking_orders("upstream", &mut command)?;
        Ok(Self { name: name.to_owned(), address: subject.address.clone(), running: Some((subject, orders)) })
    }

    pub(super) fn falls_ill(&mut self, what: What) -> Result<()> {
        match what {
            What::Killed => self.running = None,
            What::Paused => self.signal("-STOP")?,
            What::Slow => self.order(&format!("delay {SLOW_MS}"))?,
            What::Failing => self.order("fail 50")?,
        }
        Ok(())
    }

    pub(super) fn recovers(&mut self, rig: &Rig, what: What) -> Result<()> {
        match what {
            What::Killed => *self = Self::start(rig, &self.name, &self.address)?,
            What::Paused => self.signal("-CONT")?,
            What::Slow => self.order(&format!("delay {WELL_MS}"))?,
            What::Failing => self.order("fail 0")?,
        }
        Ok(())
    }

    /// It listens no longer, says so on its connections, and ends with its last call.
    pub(super) fn stops(&mut self) -> Result<()> {
        self.order("stop")
    }

    /// Whether it has ended by itself; an error if that was not well.
    pub(super) fn has_ended(&mut self) -> Result<bool> {
        let (subject, _) = self.running.as_mut().context("it runs")?;
        match subject.ended()? {
            Some(status) if status.success() => Ok(true),
            Some(status) => bail!("the endpoint {} ended with {status}", self.name),
            None => Ok(false),
        }
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let (subject, _) = self.running.as_ref().context("it runs")?;
        proc::run(Command::new("kill").args([signal, &subject.id().to_string()]))
    }

    fn order(&mut self, order: &str) -> Result<()> {
        let (_, orders) = self.running.as_mut().context("it runs")?;
        writeln!(orders, "{order}").context("the endpoint takes no orders")
    }
}
