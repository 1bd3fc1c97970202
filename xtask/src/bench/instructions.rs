//! Counts a program's instructions: by the processor where `perf` can, by valgrind otherwise. They do not depend on what
//! else the machine does.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counter {
    Perf,
    Valgrind,
}

impl Counter {
    /// The one that works here.
    pub(super) fn find() -> Result<Self> {
        if Self::Perf.count(&Command::new("true")).is_ok() {
            return Ok(Self::Perf);
        }
        let valgrind = Self::Valgrind.count(&Command::new("true"));
        valgrind.context("neither perf nor valgrind can count instructions here")?;
        Ok(Self::Valgrind)
    }

    /// Instructions of a program in user mode, and what it printed.
    pub(super) fn count(self, program: &Command) -> Result<(f64, String)> {
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
