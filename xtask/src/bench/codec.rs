//! `cargo xtask bench codec`: instructions for each byte of JSON, ours and others'.
//!
//! Instructions are counted rather than time, since they do not depend on what else the machine
//! does: by the processor where `perf` can, by valgrind otherwise. The same program runs a few and
//! many times; the difference holds no start-up.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::instructions::Counter;
use crate::proc::Workspace;

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fail unless the goals are met.
    #[arg(long)]
    gate: bool,
}

const SHAPES: [&str; 5] = ["small", "nested", "large-array", "string-heavy", "map-heavy"];
/// Shapes whose JSON → wire is held against merely checking the JSON.
const CHECKED: [&str; 3] = ["nested", "large-array", "string-heavy"];
/// prost-reflect's instructions must be so many times ours.
const TIMES_FEWER: f64 = 5.0;
/// Ours may be so many times those of checking.
const TIMES_CHECKING: f64 = 2.0;

/// Counts, prints, judges.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let program = workspace.build("tidegate-bench", "codec-bench", "release")?;
    let counter = Counter::find()?;
    println!("instructions for each byte of JSON, counted by {counter:?}\n");
    let mut table = String::from(
        "| message | bytes | way | ours | prost-reflect + serde_json | ratio | IgnoredAny | ours / IgnoredAny |\n\
         |---|--:|---|--:|--:|--:|--:|--:|\n",
    );
    let mut missed = Vec::new();
    for shape in SHAPES {
        let count = |work: &str| per_byte(counter, &program, shape, work);
        let (ignored, bytes) = count("ignore")?;
        for way in ["to-wire", "to-json"] {
            let (ours, _) = count(&format!("ours-{way}"))?;
            let (reflect, _) = count(&format!("reflect-{way}"))?;
            let ratio = reflect / ours;
            write!(table, "| {shape} | {bytes} | {way} | {ours:.2} | {reflect:.2} | {ratio:.1} |")?;
            if way == "to-wire" {
                writeln!(table, " {ignored:.2} | {:.2} |", ours / ignored)?;
            } else {
                writeln!(table, " | |")?;
            }
            if ratio < TIMES_FEWER {
                missed.push(format!("{shape} {way}: {ratio:.1} times fewer, not {TIMES_FEWER}"));
            }
            if way == "to-wire" && CHECKED.contains(&shape) && ours > TIMES_CHECKING * ignored {
                let times = ours / ignored;
                missed.push(format!("{shape} {way}: {times:.2} times IgnoredAny, not {TIMES_CHECKING}"));
            }
        }
    }
    println!("{table}");
    for miss in &missed {
        println!("missed: {miss}");
    }
    if args.gate && !missed.is_empty() {
        bail!("{} goals missed", missed.len());
    }
    Ok(())
}

/// Instructions for each byte of JSON, and the number of bytes.
fn per_byte(counter: Counter, program: &Path, shape: &str, work: &str) -> Result<(f64, usize)> {
    let run = |times: u32| {
        let mut command = Command::new(program);
        command.args(["--shape", shape, "--work", work, "--times", &times.to_string()]);
        counter.count(&command)
    };
    // The first runs grow the buffers; the rest is all alike.
    let (few, many) = if shape == "small" { (10, 510) } else { (3, 23) };
    let ((before, _), (after, printed)) = (run(few)?, run(many)?);
    let bytes: usize = printed.trim().parse()?;
    Ok(((after - before) / f64::from(many - few) / bytes as f64, bytes))
}
