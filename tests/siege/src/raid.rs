//! Attackers in a process of their own, which the kernel runs when nobody else wants to.
//!
//! Attackers in the wild have machines of their own. On one machine they would take the processors from the
//! gateway, its upstream and the clients in good faith, and the latency that is measured would be that of the
//! kernel's scheduler. So they run as `SCHED_IDLE` (sched(7)): what they take is what is left over, and what others
//! notice is what the gateway does about them.

use crate::attack::{Attack, Target};
use crate::measure::Plan;
use std::io::{self, ErrorKind};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// After an attack, before the next of the same attacker.
const PAUSE: Duration = Duration::from_millis(50);

/// What a raid came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Attacks that were made.
    pub attacks: usize,
    /// Bytes that they sent.
    pub sent: u64,
    /// How the last one ended.
    pub ended: String,
}

/// Attacks from a process of its own, and waits for its end.
pub(crate) fn launch(plan: &Plan, attack: &Attack) -> io::Result<Report> {
    let mut command = Command::new("chrt");
    command.args(["--idle", "0"]).arg(std::env::current_exe()?);
    command.args(["raid", &plan.target.address.to_string(), &plan.window.as_millis().to_string()]);
    command.args([&plan.attackers.to_string(), attack.name]);
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|error| match error.kind() {
            ErrorKind::NotFound => io::Error::other("`chrt` is not there: it is part of util-linux"),
            _ => error,
        })?;
    Report::read(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| io::Error::other(format!("the attackers ended with {}", output.status)))
}

/// Attacks again and again, on several connections.
///
/// # Errors
/// A connection cannot be opened.
pub fn run(target: &Target, attack: &Attack, window: Duration, attackers: usize) -> io::Result<Report> {
    let end = Instant::now() + window;
    let one = || {
        let mut outcomes = Vec::new();
        while outcomes.is_empty() || Instant::now() < end {
            outcomes.push((attack.run)(target)?);
            std::thread::park_timeout(PAUSE);
        }
        Ok::<_, io::Error>(outcomes)
    };
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..attackers).map(|_| scope.spawn(one)).collect();
        for thread in threads {
            all.extend(thread.join().map_err(|_| io::Error::other("an attacker panicked"))??);
        }
        Ok::<_, io::Error>(())
    })?;
    let last = all.last().ok_or(ErrorKind::TimedOut)?;
    let statuses: String = last.statuses.iter().map(|status| format!(" {status}")).collect();
    let ended = format!("{:?}{statuses}", last.end);
    Ok(Report { attacks: all.len(), sent: all.iter().map(|outcome| outcome.sent).sum(), ended })
}

impl Report {
    /// As a line for the process that asked.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} {}", self.attacks, self.sent, self.ended)
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.trim().splitn(3, ' ');
        let (attacks, sent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { attacks, sent, ended: words.next()?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn a_report_crosses_as_a_line() {
        let report = Report { attacks: 3, sent: 1 << 40, ended: "Closed 200 504".into() };
        assert_eq!(Report::read(&report.line()), Some(report));
        assert_eq!(Report::read(""), None);
    }
}
