//! What clients found of each limit, judged, as rows of a table.

use std::fmt::{self, Display, Formatter};

use super::judge::{Promise, Span, excess};
use super::rules::{self, Rule};
use crate::faults::rig::Traffic;

/// What two processes' clocks, and microseconds that are cut off, may be apart. Spans are wider by it.
const APART: u64 = 100;

/// What was found of one limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) rule: Rule,
    pub(super) asked: u64,
    pub(super) admitted: u64,
    pub(super) refused: u64,
    /// Answered with 503, or not at all.
    pub(super) unknown: u64,
    /// Admitted beyond what was promised, and what of that is allowed.
    pub(super) excess: u64,
    pub(super) allowed: u64,
    /// Admitted in the calm part, of what the store could have given then.
    pub(super) used: f64,
}

/// The part before any trouble: from, to.
pub(super) type Calm = (u64, u64);

/// Looks at all limits. `judged` has what is promised of a limit, and how much more is allowed.
pub(super) fn all(traffic: &[Traffic], calm: Calm, judged: impl Fn(&Rule) -> (Promise, u64)) -> Vec<Found> {
    let turns = rules::ALL.len() as u64;
    let of = |(turn, rule): (usize, &Rule)| {
        let ours = |number: u64| number % turns == turn as u64;
        let samples = || traffic.iter().flat_map(|one| &one.samples).filter(|sample| ours(sample.number));
        let count = |status: u16| samples().filter(|sample| sample.status == status).count() as u64;
        let lost = traffic.iter().flat_map(|one| &one.lost).filter(|&&number| ours(number)).count() as u64;
        let admitted = samples().filter(|sample| sample.status == 200);
        let spans: Vec<Span> = admitted
            .map(|sample| Span { sent: sample.at - APART, answered: sample.at + sample.took + APART })
            .collect();
        let (promise, allowed) = judged(rule);
        let asked = samples().count() as u64 + lost;
        let (admitted, refused) = (count(200), count(429));
        Found {
            rule: *rule,
            asked,
            admitted,
            refused,
            unknown: asked - admitted - refused,
            excess: excess(promise, &spans),
            allowed,
            used: used(rule.rate_of_store(), &spans, calm),
        }
    };
    rules::ALL.iter().enumerate().map(of).collect()
}

/// What was admitted in the calm part, of what the store could give at this rate.
///
/// Windows admit much at once and then nothing. So that it does not matter where in that the part begins and ends, what lies
/// less than a second from its ends counts the less, the nearer it is.
fn used(rate: u64, spans: &[Span], (from, to): Calm) -> f64 {
    let edge = ((to - from) / 2).min(1_000_000) as f64;
    let weight = |span: &Span| {
        let inside = span.answered.saturating_sub(from).min(to.saturating_sub(span.answered));
        (inside as f64 / edge).min(1.0)
    };
    let could = rate as f64 * ((to - from) as f64 - edge) / 1e6;
    spans.iter().map(weight).sum::<f64>() / could
}

/// All limits of a run, or all runs, as a table.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<(String, Vec<Found>)>);

impl Table {
    /// A row for each limit.
    pub(super) fn of_limits(found: &[Found]) -> Self {
        Self(found.iter().map(|one| (one.rule.name.to_owned(), vec![*one])).collect())
    }

    /// A row for all limits of a run together: the sums, and the worst of each.
    pub(super) fn add(&mut self, run: &str, found: Vec<Found>) {
        self.0.push((run.to_owned(), found));
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | asked | admitted | refused | unknown | beyond the limit | allowed | used, in calm |")?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for (name, found) in &self.0 {
            let sum = |of: fn(&Found) -> u64| found.iter().map(of).sum::<u64>();
            let (asked, admitted) = (sum(|one| one.asked), sum(|one| one.admitted));
            let (refused, unknown) = (sum(|one| one.refused), sum(|one| one.unknown));
            let worst = found.iter().max_by_key(|one| (one.excess.saturating_sub(one.allowed), one.excess));
            let (excess, allowed) = worst.map_or((0, 0), |one| (one.excess, one.allowed));
            let used = found.iter().map(|one| one.used).fold(f64::INFINITY, f64::min) * 100.0;
            writeln!(
                f,
                "| {name} | {asked} | {admitted} | {refused} | {unknown} | {excess} | {allowed} | {used:.1} % |"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::rig::Sample;

    fn traffic(samples: Vec<Sample>, lost: Vec<u64>) -> Traffic {
        Traffic {
            samples,
            turned_away: 0,
            streams_complete: 0,
            streams_with_status: 0,
            ends: Vec::new(),
            unanswered: Default::default(),
            lost,
            wrong: Default::default(),
            streams_cut: Default::default(),
        }
    }

    #[test]
    fn what_windows_use_does_not_depend_on_where_the_calm_part_begins() {
        // 160 at once, at the beginning of each second.
        let spans: Vec<Span> =
            (0..20 * 160).map(|n| n / 160 * 1_000_000).map(|at| Span { sent: at, answered: at }).collect();
        for begin in [0, 1, 250_000, 500_000, 999_999] {
            let found = used(160, &spans, (2_000_000 + begin, 9_500_000 + begin));
            assert!((found - 1.0).abs() < 1e-3, "{begin}: {found}");
        }
    }

    #[test]
    fn what_all_clients_found_of_a_limit_is_judged_together() {
        let sample = |number, status| Sample { at: 2_000_000, took: 900, status, end: None, number };
        let one = traffic(vec![sample(0, 200), sample(1, 200), sample(12, 429), sample(24, 503)], vec![36, 1]);
        let other = traffic(vec![sample(0, 200), sample(12, 200), sample(13, 200)], Vec::new());
        let promise = Promise::Window { limit: 1, micros: 10_000 };
        let found = all(&[one, other], (1_000_000, 3_000_000), |_| (promise, 1));
        let wanted = Found {
            rule: rules::ALL[0],
            asked: 6,
            admitted: 3,
            refused: 1,
            unknown: 2,
            excess: 2,
            allowed: 1,
            used: 3.0 * 0.999 / 160.0,
        };
        assert!((found[0].used - wanted.used).abs() < 1e-9, "{}", found[0].used);
        assert_eq!(Found { used: wanted.used, ..found[0] }, wanted);
        let table = Table::of_limits(&found[..1]).to_string();
        assert!(table.ends_with("|\n| token_bucket-plain | 6 | 3 | 1 | 2 | 2 | 1 | 1.9 % |\n"), "{table}");
        assert_eq!((found[1].asked, found[1].admitted, found[1].unknown, found[1].excess), (3, 2, 1, 1));
        assert_eq!((found[2].asked, found[2].excess), (0, 0));
    }
}
