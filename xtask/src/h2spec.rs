//! `cargo xtask h2spec`: the conformance suite of HTTP/2 against the program.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::golang;
use crate::proc::Workspace;
use crate::subject::Subject;

/// Options of the subcommand.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Only these sections, as h2spec names them: `generic/4`, `http2/6.5`, `hpack`.
    section: Vec<String>,
    /// Take the program that `cargo test --workspace` built.
    #[arg(skip)]
    program_of_tests: bool,
}

impl Args {
    /// The whole suite against the program that `cargo test --workspace` built.
    pub(crate) fn after_tests() -> Self {
        Self { section: Vec::new(), program_of_tests: true }
    }
}

/// Cases of the whole suite. Fewer would mean that some were not run.
const CASES: usize = 146;
/// Something small that the demo serves, and that reads the body of a `POST` before it answers: cases that end a
/// request badly expect no answer before its end.
const PATH: &str = "/v1/tenants/acme/orders?page_size=1";
/// Cases that may fail.
const EXCEPTIONS: &str = "tests/siege/h2spec_exceptions.txt";

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    cases: usize,
    /// `section | title` of each case that did not pass.
    failed: BTreeSet<String>,
}

/// Runs the suite; an error if a case fails that is no exception, or an exception passes.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<Report> {
    let h2spec = golang::program(workspace, golang::H2SPEC)?;
    let program = if args.program_of_tests {
        workspace.built_with_tests("tidegate")?
    } else {
        workspace.build("tidegate", "tidegate", "test")?
    };
    let mut demo = Command::new(program);
    demo.args(["--log", "off", "demo", "--port", "0"]).stderr(Stdio::null());
    let demo = Subject::reporting("tidegate demo", &mut demo)?;
    let (host, port) = demo.address.rsplit_once(':').context("an address has a port")?;
    let junit = cache::folder(workspace)?.join("h2spec.xml");
    let mut command = Command::new(h2spec);
    command.args(["--strict", "--timeout", "10", "-h", host, "-p", port, "-P", PATH, "-j"]).arg(&junit);
    let output = command.args(&args.section).stdin(Stdio::null()).output().context("cannot start h2spec")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let report = Report::read(&fs::read_to_string(&junit).with_context(|| format!("h2spec said: {said}"))?);
    let exceptions = exceptions(&fs::read_to_string(workspace.root.join(EXCEPTIONS))?);
    if let Err(error) = report.verdict(&exceptions, args.section.is_empty()) {
        println!("{}", said.split("Failures:").nth(1).unwrap_or(&said).trim());
        return Err(error);
    }
    println!("{report}");
    Ok(report)
}

/// The cases in the list.
fn exceptions(text: &str) -> BTreeSet<String> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

impl Report {
    /// Reads the JUnit report, which h2spec writes one element a line.
    fn read(junit: &str) -> Self {
        let mut report = Self { cases: 0, failed: BTreeSet::new() };
        let (mut suite, mut case) = (String::new(), String::new());
        for line in junit.lines().map(str::trim) {
            if line.starts_with("<testsuite ") {
                suite = attribute(line, "name");
            } else if line.starts_with("<testcase ") {
                report.cases += 1;
                case = attribute(line, "classname");
            }
            if ["<error", "<failure", "<skipped"].iter().any(|element| line.contains(element)) {
                report.failed.insert(format!("{suite} | {case}"));
            }
        }
        report
    }

    fn verdict(&self, exceptions: &BTreeSet<String>, whole: bool) -> Result<()> {
        let new: Vec<_> = self.failed.difference(exceptions).cloned().collect();
        if !new.is_empty() {
            bail!("{} of {} cases fail that are no exceptions: {}", new.len(), self.cases, new.join("; "));
        }
        if !whole {
            return Ok(());
        }
        if self.cases != CASES {
            bail!("{} cases were run, not {CASES}", self.cases);
        }
        let passed: Vec<_> = exceptions.difference(&self.failed).cloned().collect();
        if !passed.is_empty() {
            bail!("these pass now: take them out of {EXCEPTIONS}: {}", passed.join("; "));
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.cases - self.failed.len();
        write!(f, "{passed} of {} cases of h2spec pass", self.cases)?;
        match self.failed.len() {
            0 => Ok(()),
            count => write!(f, ", {count} explained in {EXCEPTIONS}"),
        }
    }
}

/// The value of an attribute of an element on one line.
fn attribute(line: &str, name: &str) -> String {
    let value = line.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
    let text = value.unwrap_or_default();
    text.replace("&#34;", "\"").replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNIT: &str = r#"<testsuites>
      <testsuite name="3.5. Preface" package="http2/3.5" id="3.5" tests="2" skipped="0" failures="0" errors="1">
        <testcase package="http2/3.5" classname="Sends &#34;one&#34;" time="0.0004"></testcase>
        <testcase package="http2/3.5" classname="Sends another" time="0.0010">
          <error>Connection closed
    Error</error>
        </testcase>
      </testsuite>
    </testsuites>"#;

    fn set(cases: &[&str]) -> BTreeSet<String> {
        cases.iter().map(|&case| case.to_owned()).collect()
    }

    #[test]
    fn cases_and_failures_are_read_from_the_report() {
        let report = Report::read(JUNIT);
        assert_eq!(report, Report { cases: 2, failed: set(&["3.5. Preface | Sends another"]) });
        assert_eq!(report.to_string(), format!("1 of 2 cases of h2spec pass, 1 explained in {EXCEPTIONS}"));
    }

    #[test]
    fn a_failure_is_an_error_unless_it_is_explained_and_so_is_an_explanation_without_failure() {
        let of = |failed: &[&str], exceptions: &[&str]| {
            Report { cases: CASES, failed: set(failed) }.verdict(&set(exceptions), true).is_ok()
        };
        assert!(of(&[], &[]));
        assert!(of(&["a | b"], &["a | b"]));
        assert!(!of(&["a | b"], &[]));
        assert!(!of(&[], &["a | b"]));
        assert!(Report { cases: 3, failed: set(&[]) }.verdict(&set(&[]), true).is_err());
        assert!(Report { cases: 3, failed: set(&[]) }.verdict(&set(&["a | b"]), false).is_ok());
    }

    #[test]
    fn comments_are_no_exceptions() {
        assert_eq!(exceptions("# why\n3.5. A | B\n\n"), set(&["3.5. A | B"]));
    }
}
