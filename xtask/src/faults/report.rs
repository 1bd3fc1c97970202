//! What was to be found, and what was.

use std::fmt;

/// The rows of the table.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Row>);

#[derive(Debug)]
struct Row {
    run: &'static str,
    what: &'static str,
    goal: String,
    found: String,
    met: bool,
}

impl Report {
    /// A figure with its goal.
    pub(super) fn goal(
        &mut self,
        run: &'static str,
        what: &'static str,
        goal: &str,
        found: impl fmt::Display,
        met: bool,
    ) {
        println!("  {}: {found} (goal: {goal}){}", what, if met { "" } else { "  MISSED" });
        self.0.push(Row { run, what, goal: goal.to_owned(), found: found.to_string(), met });
    }

    /// A count that must be zero; what the first of them were is shown at once.
    pub(super) fn none(&mut self, run: &'static str, what: &'static str, tally: &Tally) {
        for one in &tally.first {
            println!("    {what}: {one}");
        }
        self.goal(run, what, "0", tally.count, tally.count == 0);
    }

    /// A figure for the record.
    pub(super) fn note(&mut self, run: &'static str, what: &'static str, found: impl fmt::Display) {
        println!("  {what}: {found}");
        self.0.push(Row { run, what, goal: String::new(), found: found.to_string(), met: true });
    }

    /// How many goals were missed.
    pub(super) fn missed(&self) -> usize {
        self.0.iter().filter(|row| !row.met).count()
    }
}

/// How many, and what the first of them were.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) first: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.first.extend(other.first.iter().cloned());
        self.first.truncate(20);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| run | what | goal | found | |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        for row in &self.0 {
            let mark = match (row.goal.is_empty(), row.met) {
                (true, _) => "",
                (false, true) => "met",
                (false, false) => "MISSED",
            };
            writeln!(f, "| {} | {} | {} | {} | {mark} |", row.run, row.what, row.goal, row.found)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, Tally};

    #[test]
    fn a_goal_that_is_missed_is_marked_and_counted() {
        let mut report = Report::default();
        report.goal("one", "a", "≤ 3", 4, false);
        report.none("one", "b", &Tally::default());
        report.note("two", "c", "5 s");
        let table = "| run | what | goal | found | |\n|---|---|---|---|---|\n\
                     | one | a | ≤ 3 | 4 | MISSED |\n| one | b | 0 | 0 | met |\n| two | c |  | 5 s |  |\n";
        assert_eq!((report.to_string().as_str(), report.missed()), (table, 1));
    }
}
