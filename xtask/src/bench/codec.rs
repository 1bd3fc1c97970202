//! `cargo xtask bench codec`: instructions for each byte of JSON, ours and others'.
//!
//! Instructions are counted rather than time, since they do not depend on what else the machine
//! does: by the processor where `perf` can, by valgrind otherwise. The same program runs a few and
//! many times; the difference holds no start-up.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

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
        let count = |work: &str| counter.per_byte(&program, shape, work);
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

/// Who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counter {
    Perf,
    Valgrind,
}

impl Counter {
    fn find() -> Result<Self> {
        if Self::Perf.count(&Command::new("true")).is_ok() {
            return Ok(Self::Perf);
        }
        let valgrind = Self::Valgrind.count(&Command::new("true"));
        valgrind.context("neither perf nor valgrind can count instructions here")?;
        Ok(Self::Valgrind)
    }

    /// Instructions of a program in user mode, and what it printed.
    fn count(self, program: &Command) -> Result<(f64, String)> {
        let mut command = match self {
            Self::Perf => {
                let mut command = Command::new("perf");
                command.args(["stat", "-x", ",", "-e", "instructions:u"]);
                command
            }
            Self::Valgrind => {
                let mut command = Command::new("valgrind");
                command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
                command
            }
        };
        command.arg(program.get_program()).args(program.get_args());
        let output = command.stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            bail!("{command:?}: {said}");
        }
        let count = match self {
            Self::Perf => perf_count(&said),
            Self::Valgrind => valgrind_count(&said),
        };
        let printed = String::from_utf8(output.stdout)?;
        Ok((count.with_context(|| format!("no count in {said}"))?, printed))
    }

    /// Instructions for each byte of JSON, and the number of bytes.
    fn per_byte(self, program: &Path, shape: &str, work: &str) -> Result<(f64, usize)> {
        let run = |times: u32| {
            let mut command = Command::new(program);
            command.args(["--shape", shape, "--work", work, "--times", &times.to_string()]);
            self.count(&command)
        };
        // The first runs grow the buffers; the rest is all alike.
        let (few, many) = if shape == "small" { (10, 510) } else { (3, 23) };
        let ((before, _), (after, printed)) = (run(few)?, run(many)?);
        let bytes: usize = printed.trim().parse()?;
        Ok(((after - before) / f64::from(many - few) / bytes as f64, bytes))
    }
}

/// `12345,,instructions:u,…`; `<not supported>` is no count.
fn perf_count(said: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.contains("instructions"))?;
    line.split(',').next()?.parse().ok()
}

/// `==7== I   refs:      1,234,567`
pub(super) fn valgrind_count(said: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.contains(" refs:") && line.contains("== I"))?;
    line.rsplit_once(':')?.1.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_the_tools_print_them() {
        assert_eq!(perf_count("1234567,,instructions:u,400,100.00,,\n"), Some(1_234_567.0));
        assert_eq!(perf_count("<not supported>,,instructions:u,0,100.00,,\n"), None);
        assert_eq!(valgrind_count("==7== \n==7== I   refs:      1,234,567\n"), Some(1_234_567.0));
        assert_eq!(valgrind_count("==7== nothing\n"), None);
    }
}
