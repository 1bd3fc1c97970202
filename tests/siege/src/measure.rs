//! What others notice of an attack: the latency of clients in good faith, without it and beside it.

use crate::attack::{Attack, Target};
use crate::load;
use crate::process;
use crate::raid;
use std::fmt;
use std::io;
use std::time::Duration;

/// How an attack is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is attacked.
    pub target: Target,
    /// The gateway's process.
    pub pid: u32,
    /// Each of the two measurements takes so long, at least.
    pub window: Duration,
    /// Times that both are made, in turn: what else the machine does falls on either.
    pub rounds: usize,
    /// Attackers at one time, one connection each, which come back when they are done.
    pub attackers: usize,
}

/// Bytes that may be held for each byte that attackers sent.
pub const AMPLIFICATION: u64 = 10;
/// What may be held for each connection besides, whatever is sent: of a hundred streams a window of 128 KiB
/// upstream, and as much again on its way to the client.
pub const PER_CONNECTION: u64 = 2 * 100 * 128 * 1024;
/// And for the process: code that runs for the first time, memory that is not given back yet.
pub const PER_PROCESS: u64 = 16 * 1024 * 1024;
/// How many times its value without the attack the 99th percentile may be.
pub const SLOWER: f64 = 2.0;
/// A percentile below this counts as this: on a loopback that does nothing else it is a fraction of a
/// millisecond, and a multiple of that is the kernel's scheduler and no client's trouble.
pub const RESOLUTION: Duration = Duration::from_millis(1);

/// What was found of one attack.
#[derive(Debug)]
pub struct Row {
    /// The attack's name.
    pub name: &'static str,
    /// What others noticed.
    pub rounds: Vec<Round>,
    /// Attacks that were made.
    pub attacks: usize,
    /// Bytes that they sent.
    pub sent: u64,
    /// By how much the memory of the process had grown at most.
    pub held: u64,
    /// How much may have been held then.
    pub allowed: u64,
    /// How the last one ended.
    pub ended: String,
}

/// The 99th percentiles of the latency of clients in good faith.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// With nobody else there.
    pub without: Duration,
    /// Beside the attack.
    pub beside: Duration,
}

impl Round {
    fn ratio(self) -> f64 {
        self.beside.max(RESOLUTION).as_secs_f64() / self.without.max(RESOLUTION).as_secs_f64()
    }
}

impl Row {
    /// What is beyond its goal.
    #[must_use]
    pub fn beyond(&self) -> Vec<&'static str> {
        let slower = self.median().ratio() > SLOWER;
        let larger = self.held > self.allowed;
        [(slower, "slower"), (larger, "larger")].into_iter().filter_map(|(is, name)| is.then_some(name)).collect()
    }

    /// The round in the middle, by its ratio.
    fn median(&self) -> Round {
        let mut rounds = self.rounds.clone();
        rounds.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
        rounds.get(rounds.len() / 2).copied().unwrap_or(Round { without: Duration::ZERO, beside: Duration::ZERO })
    }
}

/// The head of the table whose rows [`Row`] prints.
pub const HEAD: &str = "\
| attack | ends with | attacks | sent MiB | held MiB | allowed MiB | p99 ms | beside it | ratio | |
|---|---|--:|--:|--:|--:|--:|--:|--:|---|";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
        let ms = |latency: Duration| latency.as_secs_f64() * 1e3;
        let median = self.median();
        write!(f, "| {} | {} | {} ", self.name, self.ended, self.attacks)?;
        write!(f, "| {:.1} | {:.1} | {:.0} ", mib(self.sent), mib(self.held), mib(self.allowed))?;
        write!(f, "| {:.2} | {:.2} | {:.2} ", ms(median.without), ms(median.beside), median.ratio())?;
        let beyond = self.beyond();
        write!(f, "| {} |", if beyond.is_empty() { "ok".to_owned() } else { beyond.join(", ").to_uppercase() })
    }
}

/// Measures without the attack and beside it, in turn.
///
/// # Errors
/// A request in good faith was not answered with 200, or the gateway is gone.
pub fn measure(plan: &Plan, attack: &Attack) -> io::Result<Row> {
    let mut row =
        Row { name: attack.name, rounds: Vec::new(), attacks: 0, sent: 0, held: 0, allowed: 0, ended: String::new() };
    for _ in 0..plan.rounds {
        let (without, ()) = load::run(&plan.target, plan.window, || Ok(()))?;
        process::forget_peak(plan.pid)?;
        let before = process::resident(plan.pid)?;
        let (beside, report) = load::run(&plan.target, plan.window, || raid::launch(plan, attack))?;
        let held = process::peak(plan.pid)?.saturating_sub(before);
        row.rounds.push(Round { without: without.p99(), beside: beside.p99() });
        row.attacks += report.attacks;
        row.sent += report.sent;
        row.ended = report.ended;
        if held >= row.held {
            let others = plan.attackers as u64 * PER_CONNECTION + PER_PROCESS;
            (row.held, row.allowed) = (held, report.sent * AMPLIFICATION + others);
        }
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::{Round, Row};
    use std::time::Duration;

    #[test]
    fn the_round_in_the_middle_counts() {
        let round =
            |without, beside| Round { without: Duration::from_micros(without), beside: Duration::from_micros(beside) };
        let row = |rounds: &[Round]| Row {
            name: "x",
            rounds: rounds.to_vec(),
            attacks: 1,
            sent: 0,
            held: 0,
            allowed: 0,
            ended: String::new(),
        };
        let (noise, fine, slow) = (round(2_000, 90_000), round(200, 1_900), round(2_000, 5_000));
        assert_eq!(row(&[noise, fine, fine]).beyond(), Vec::<&str>::new());
        assert_eq!(row(&[slow, fine, slow]).beyond(), ["slower"]);
    }
}
