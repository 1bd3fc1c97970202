//! Cases and clients, and what came of each pair.

use std::fmt;

use anyhow::{Result, bail};

/// What came of one case with one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Passed,
    /// The client has no such case.
    None,
    /// It failed, and what the client said.
    Failed(String),
}

/// One row for each case.
#[derive(Debug)]
pub(super) struct Matrix {
    clients: Vec<&'static str>,
    rows: Vec<(&'static str, Vec<Cell>)>,
}

impl Matrix {
    pub(super) fn new(clients: impl Iterator<Item = &'static str>) -> Self {
        Self { clients: clients.collect(), rows: Vec::new() }
    }

    pub(super) fn add(&mut self, case: &'static str, cells: Vec<Cell>) {
        self.rows.push((case, cells));
    }

    /// How many passed; an error that names those that did not.
    pub(super) fn verdict(&self) -> Result<String> {
        let mut failures = Vec::new();
        let mut passed = 0;
        for (case, cells) in &self.rows {
            for (client, cell) in self.clients.iter().zip(cells) {
                match cell {
                    Cell::Passed => passed += 1,
                    Cell::None => {}
                    Cell::Failed(why) => failures.push(format!("{case} with {client}: {why}")),
                }
            }
        }
        if !failures.is_empty() {
            bail!("{} failed, {passed} passed\n{}", failures.len(), failures.join("\n"));
        }
        Ok(format!("{passed} cases passed: {} by {} clients", self.rows.len(), self.clients.len()))
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| case | {} |", self.clients.join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(self.clients.len()))?;
        for (case, cells) in &self.rows {
            let cells = cells.iter().map(|cell| match cell {
                Cell::Passed => "passed",
                Cell::None => "–",
                Cell::Failed(_) => "FAILED",
            });
            writeln!(f, "| {case} | {} |", cells.collect::<Vec<_>>().join(" | "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Matrix};

    fn matrix(cells: [Cell; 2]) -> Matrix {
        let mut matrix = Matrix::new(["one", "other"].into_iter());
        matrix.add("a_case", cells.into());
        matrix
    }

    #[test]
    fn what_failed_is_named_with_what_the_client_said() {
        let matrix = matrix([Cell::Passed, Cell::Failed("no".into())]);
        let error = matrix.verdict().expect_err("one failed").to_string();
        assert_eq!(error, "1 failed, 1 passed\na_case with other: no");
        assert_eq!(matrix.to_string(), "| case | one | other |\n|---|---|---|\n| a_case | passed | FAILED |\n");
    }

    #[test]
    fn a_case_that_a_client_does_not_have_is_no_failure() {
        let matrix = matrix([Cell::Passed, Cell::None]);
        assert_eq!(matrix.verdict().expect("none failed"), "1 cases passed: 1 by 2 clients");
        assert!(matrix.to_string().ends_with("| a_case | passed | – |\n"));
    }
}
