//! A list of steps that all run, and the table at the end that says what ran and what did not.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::proc;

/// How a step ended, if it did not fail.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It ran and passed; a note for the table.
    Passed(String),
    /// It could not run here, and why.
    LeftOut(String),
}

#[derive(Debug)]
struct Row {
    name: String,
    took: Duration,
    result: Result<Outcome>,
}

/// The steps so far. A failed step does not keep the next from running.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
}

impl Steps {
    /// Runs one step and keeps its result.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<Outcome>) {
        println!("\n── {name}");
        let begin = Instant::now();
        let result = step();
        self.add(name, begin.elapsed(), result);
    }

    /// Keeps the result of a step that ran elsewhere, and how long it took.
    pub(crate) fn add(&mut self, name: &str, took: Duration, result: Result<Outcome>) {
        match &result {
            Ok(Outcome::Passed(_)) => {}
            Ok(Outcome::LeftOut(why)) => println!("LEFT OUT: {name}: {why}"),
            Err(error) => println!("FAILED: {name}: {error:#}"),
        }
        self.rows.push(Row { name: name.to_owned(), took, result });
    }

    /// A step that is one command.
    pub(crate) fn command(&mut self, name: &str, command: &mut Command) {
        self.run(name, || {
            proc::run(command)?;
            Ok(Outcome::Passed(String::new()))
        });
    }

    /// Prints the table; an error if a step failed or, under `CI=true`, was left out.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n{}", self.table());
        self.verdict(in_ci())
    }

    fn verdict(&self, ci: bool) -> Result<()> {
        let failed = self.count(|result| result.is_err());
        let left_out = self.count(|result| matches!(result, Ok(Outcome::LeftOut(_))));
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.rows.len());
        }
        if left_out > 0 && ci {
            bail!("{left_out} steps were left out, which CI=true does not allow");
        }
        Ok(())
    }

    fn count(&self, which: impl Fn(&Result<Outcome>) -> bool) -> usize {
        self.rows.iter().filter(|row| which(&row.result)).count()
    }

    fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let mut table = String::new();
        for row in &self.rows {
            let (verdict, note) = match &row.result {
                Ok(Outcome::Passed(note)) => ("passed  ", note.clone()),
                Ok(Outcome::LeftOut(why)) => ("LEFT OUT", why.clone()),
                Err(error) => ("FAILED  ", format!("{error:#}").replace('\n', " ")),
            };
            let seconds = row.took.as_secs_f64();
            let line = format!("{:width$}  {verdict} {seconds:7.1} s  {note}", row.name);
            table.push_str(line.trim_end());
            table.push('\n');
        }
        table
    }
}

/// True under `CI=true`, where nothing may be left out.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(results: Vec<Result<Outcome>>) -> Steps {
        let mut steps = Steps::default();
        for result in results {
            steps.run("a step", || result);
        }
        steps
    }

    #[test]
    fn a_failed_step_fails_the_whole_and_the_next_one_still_runs() {
        let steps = steps(vec![Err(anyhow::anyhow!("no")), Ok(Outcome::Passed("12 tests".into()))]);
        assert_eq!(steps.verdict(false).expect_err("failed").to_string(), "1 of 2 steps failed");
        assert!(steps.table().contains("FAILED"), "{}", steps.table());
        assert!(steps.table().contains("12 tests"), "{}", steps.table());
    }

    #[test]
    fn what_is_left_out_is_a_failure_only_in_ci() {
        let steps = steps(vec![Ok(Outcome::LeftOut("no network".into()))]);
        assert!(steps.verdict(false).is_ok());
        assert_eq!(
            steps.verdict(true).expect_err("left out").to_string(),
            "1 steps were left out, which CI=true does not allow"
        );
    }
}
