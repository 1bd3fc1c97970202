//! What the conformance runner said, as numbers.
//!
//! The runner has two suites, each ending in a line like
//! `CONFORMANCE SUITE PASSED: 5649 successes, 0 skipped, 0 expected failures, 0 unexpected failures.`
//! The first holds binary and JSON tests, the second text format, which this codec does not speak.

use std::fmt;

use anyhow::{Result, bail};

/// The counts of one suite, in the order of its closing line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suite {
    /// Tests passed.
    pub successes: u32,
    /// Tests that the testee declined.
    pub skipped: u32,
    /// Failures listed as known.
    pub expected: u32,
    /// All other failures.
    pub unexpected: u32,
}

/// All suites of a run, and the lines that name a failure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Binary and JSON first, text format second.
    pub suites: Vec<Suite>,
    failures: Vec<String>,
}

impl Report {
    /// Reads the runner's standard error.
    pub(crate) fn read(said: &str) -> Self {
        let mut report = Self::default();
        for line in said.lines() {
            if let Some(suite) = closing_line(line) {
                report.suites.push(suite);
            } else if line.starts_with("ERROR, test=") {
                let name = line.trim_start_matches("ERROR, test=");
                report.failures.push(name.chars().take(300).collect());
            }
        }
        report
    }

    /// An error that says what is short of a clean pass.
    pub(crate) fn verdict(&self, exit_ok: bool, whole: bool) -> Result<()> {
        let Some(main) = self.suites.first() else {
            bail!("the runner printed no result; see its log");
        };
        if self.suites.iter().any(|suite| suite.unexpected > 0) {
            bail!("{self}");
        }
        if self.suites.iter().any(|suite| suite.expected > 0) {
            bail!("known failures must stay empty: {self}");
        }
        if main.skipped > 0 {
            bail!("{} tests that are not text format were skipped", main.skipped);
        }
        if whole && main.successes < 5000 {
            bail!("only {} successes: the suite did not run", main.successes);
        }
        if !exit_ok {
            bail!("the runner failed; see its log");
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in self.failures.iter().take(40) {
            writeln!(f, "failed: {failure}")?;
        }
        if self.failures.len() > 40 {
            writeln!(f, "… and {} more", self.failures.len() - 40)?;
        }
        for (index, suite) in self.suites.iter().enumerate() {
            let name = if index == 0 { "binary and JSON" } else { "text format" };
            let separator = if index == 0 { "" } else { "; " };
            write!(
                f,
                "{separator}{name}: {} successes, {} skipped, {} failures",
                suite.successes,
                suite.skipped,
                suite.expected + suite.unexpected
            )?;
        }
        Ok(())
    }
}

fn closing_line(line: &str) -> Option<Suite> {
    let (_, counts) = line.strip_prefix("CONFORMANCE SUITE ")?.split_once(": ")?;
    let mut numbers = counts.trim_end_matches('.').split(", ").map(|part| part.split(' ').next()?.parse().ok());
    Some(Suite {
        successes: numbers.next()??,
        skipped: numbers.next()??,
        expected: numbers.next()??,
        unexpected: numbers.next()??,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = "\
CONFORMANCE TEST BEGIN ====================================\n\n\
CONFORMANCE SUITE PASSED: 5649 successes, 0 skipped, 0 expected failures, 0 unexpected failures.\n\
CONFORMANCE TEST BEGIN ====================================\n\n\
CONFORMANCE SUITE PASSED: 0 successes, 909 skipped, 0 expected failures, 0 unexpected failures.\n";

    #[test]
    fn both_suites_are_read_and_text_format_may_be_skipped() {
        let report = Report::read(PASSED);
        let [main, text] = report.suites[..] else {
            panic!("{report:?}");
        };
        assert_eq!((main.successes, main.skipped), (5649, 0));
        assert_eq!((text.successes, text.skipped), (0, 909));
        assert_eq!(report.verdict(true, true).map_err(|e| e.to_string()), Ok(()));
    }

    #[test]
    fn a_skip_a_failure_a_known_failure_and_silence_each_fail() {
        for (from, to, message) in [
            ("0 skipped", "3 skipped", "3 tests that are not text format"),
            ("0 unexpected", "1 unexpected", "1 failures"),
            ("0 expected", "2 expected", "known failures must stay empty"),
            ("5649 successes", "7 successes", "only 7 successes"),
            ("CONFORMANCE SUITE", "SUITE", "printed no result"),
        ] {
            let said = PASSED.replace(from, to);
            let error = Report::read(&said).verdict(true, true).expect_err(to);
            assert!(error.to_string().contains(message), "{error}");
        }
        assert!(Report::read(PASSED).verdict(false, true).is_err());
    }

    #[test]
    fn failures_are_named() {
        let said = "ERROR, test=Required.X: Should have failed to parse. request=…\n";
        assert_eq!(Report::read(said).failures, ["Required.X: Should have failed to parse. request=…"]);
    }
}
