//! `cargo xtask bench decide`: decisions about limits of one process, beside the `governor` crate's.
//!
//! Time is the least of several turns in which both are measured one after the other. Instructions are counted over few
//! and many decisions; the difference holds no start-up. Where two threads ask for one thing they are those of a thread
//! that is not disturbed, as far as valgrind counts them: it lets one run at a time.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::instructions::Counter;
use crate::proc::{self, Workspace};

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fail if a decision of ours takes more instructions than one of the `governor` crate. Times are told and not judged:
    /// they depend on what else the machine does.
    #[arg(long)]
    gate: bool,
    /// Turns in which times are measured.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u8).range(1..=99))]
    turns: u8,
}

/// What a row is called there and here, and its threads.
const ROWS: [(&str, &str, u32); 8] = [
    ("one", "a limit without keys", 1),
    ("one-refused", "the same, refused", 1),
    ("one-by-two", "the same, two threads", 2),
    ("key", "one key", 1),
    ("key-by-two", "one key, two threads", 2),
    ("numbers", "10⁶ numbers as keys", 1),
    ("texts", "10⁶ texts as keys", 1),
    ("texts-by-two", "10⁶ texts as keys, two threads", 2),
];
const BOTH: [&str; 2] = ["ours", "governor"];
/// Decisions of a turn, on each thread.
const TIMED: u32 = 2_000_000;
/// Decisions whose instructions are counted. The rest is the same in both.
const COUNTED: [u32; 2] = [50_000, 250_000];

/// Measures, prints, judges.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let program = workspace.build("tidegate-bench", "decide-bench", "release")?;
    let counter = Counter::find()?;
    println!("a decision: the least time of {} turns, and instructions, counted by {counter:?}\n", args.turns);
    let mut table = String::from(
        "| asked for | ns | governor | ratio | instructions | governor | ratio |\n|---|--:|--:|--:|--:|--:|--:|\n",
    );
    let mut missed = Vec::new();
    for (row, name, threads) in ROWS {
        let mut nanos = [f64::INFINITY; 2];
        for _ in 0..args.turns {
            for (least, whose) in nanos.iter_mut().zip(BOTH) {
                *least = least.min(number(&mut decide(&program, row, whose, TIMED))?);
            }
        }
        let mut instructions = [0.0; 2];
        for (count, whose) in instructions.iter_mut().zip(BOTH) {
            *count = per_decision(counter, &program, row, whose)? / f64::from(threads);
        }
        let ([ns, their_ns], [count, their_count]) = (nanos, instructions);
        let ratio = count / their_count;
        write!(table, "| {name} | {ns:.1} | {their_ns:.1} | {:.2} ", ns / their_ns)?;
        writeln!(table, "| {count:.0} | {their_count:.0} | {ratio:.2} |")?;
        if ratio > 1.0 {
            missed.push(format!("{name}: {ratio:.2} times governor's instructions"));
        }
    }
    println!("{table}");
    for (keys, texts) in [("numbers", false), ("texts of 12 bytes", true)] {
        let mut bytes = [0.0; 2];
        for (bytes, whose) in bytes.iter_mut().zip(BOTH) {
            let mut command = Command::new(&program);
            command.args(["bytes", "--whose", whose]).args(texts.then_some("--texts"));
            *bytes = number(&mut command)?;
        }
        println!("bytes for each of 10⁶ {keys}: {:.0}, governor {:.0}", bytes[0], bytes[1]);
    }
    for miss in &missed {
        println!("missed: {miss}");
    }
    if args.gate && !missed.is_empty() {
        bail!("{} goals missed", missed.len());
    }
    Ok(())
}

fn decide(program: &Path, row: &str, whose: &str, times: u32) -> Command {
    let mut command = Command::new(program);
    command.args(["decide", "--row", row, "--whose", whose, "--times", &times.to_string()]);
    command
}

/// What it prints.
fn number(command: &mut Command) -> Result<f64> {
    let printed = String::from_utf8(proc::output(command)?)?;
    printed.trim().parse().with_context(|| format!("{command:?} printed {printed:?}"))
}

fn per_decision(counter: Counter, program: &Path, row: &str, whose: &str) -> Result<f64> {
    let mut counts = [0.0; 2];
    for (count, times) in counts.iter_mut().zip(COUNTED) {
        (*count, _) = counter.count(&decide(program, row, whose, times))?;
    }
    Ok((counts[1] - counts[0]) / f64::from(COUNTED[1] - COUNTED[0]))
}
