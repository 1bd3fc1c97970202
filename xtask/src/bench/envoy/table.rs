//! Figures, their medians, and the table of them.

use std::fmt;

use anyhow::{Context, Result};
use serde_json::Value;

/// One measurement of one subject.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// User and system time of the process, for each request.
    pub cpu_us: f64,
    /// Answers a second.
    pub rate: f64,
    /// Median latency.
    pub p50_us: f64,
    /// Latency that 1 % exceed.
    pub p99_us: f64,
    /// Resident memory.
    pub resident_mib: f64,
    /// Share of one core that the process used.
    pub core: f64,
}

impl Figures {
    /// Reads the line that the load generator prints.
    pub(super) fn read(line: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(line)?;
        let number = |name: &str| value[name].as_f64().with_context(|| format!("no {name}"));
        let (requests, window_us) = (number("requests")?, number("window_us")?);
        let cpu_us = number("cpu_us")?;
        Ok(Self {
            cpu_us: cpu_us / requests.max(1.0),
            rate: requests / (window_us / 1e6),
            p50_us: number("p50_us")?,
            p99_us: number("p99_us")?,
            resident_mib: number("resident_kib")? / 1024.0,
            core: cpu_us / window_us,
        })
    }

    /// The median of each figure by itself.
    fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure).collect());
        Self {
            cpu_us: of(|figures| figures.cpu_us),
            rate: of(|figures| figures.rate),
            p50_us: of(|figures| figures.p50_us),
            p99_us: of(|figures| figures.p99_us),
            resident_mib: of(|figures| figures.resident_mib),
            core: of(|figures| figures.core),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:8.1} µs CPU {:9.0} req/s  p50 {:7.0} µs  p99 {:7.0} µs  {:6.1} MiB  {:3.0} % of a core",
            self.cpu_us,
            self.rate,
            self.p50_us,
            self.p99_us,
            self.resident_mib,
            self.core * 100.0
        )
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (length, middle) if length % 2 == 1 => values[middle],
        (_, middle) => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// All rounds, by scenario and subject in the order of their first appearance.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<(&'static str, Vec<(&'static str, Vec<Figures>)>)>,
}

impl Table {
    /// Adds one measurement.
    pub(super) fn add(&mut self, scenario: &'static str, subject: &'static str, figures: Figures) {
        let subjects = entry(&mut self.rows, scenario);
        entry(subjects, subject).push(figures);
    }
}

fn entry<'a, V: Default>(list: &'a mut Vec<(&'static str, V)>, key: &'static str) -> &'a mut V {
    let at = list.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
        list.push((key, V::default()));
        list.len() - 1
    });
    &mut list[at].1
}

impl fmt::Display for Table {
    /// A table in Markdown; ratios are to the first subject.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| scenario | subject | CPU µs/request | ratio | range | requests/s | ratio | p50 µs | p99 µs | RSS MiB | core |"
        )?;
        writeln!(f, "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for (scenario, subjects) in &self.rows {
            let base = subjects.first().map(|(_, rounds)| Figures::median(rounds));
            for (subject, rounds) in subjects {
                let figures = Figures::median(rounds);
                let base = base.unwrap_or(figures);
                let cpu = || rounds.iter().map(|figures| figures.cpu_us);
                writeln!(
                    f,
                    "| {scenario} | {subject} | {:.1} | {:.3} | {:.1}–{:.1} | {:.0} | {:.2} | {:.0} | {:.0} | {:.1} | {:.0} % |",
                    figures.cpu_us,
                    figures.cpu_us / base.cpu_us,
                    cpu().fold(f64::INFINITY, f64::min),
                    cpu().fold(0.0, f64::max),
                    figures.rate,
                    figures.rate / base.rate,
                    figures.p50_us,
                    figures.p99_us,
                    figures.resident_mib,
                    figures.core * 100.0,
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(requests: u64, cpu_us: u64) -> Vec<u8> {
        format!(
            r#"{{"requests":{requests},"window_us":2000000,"cpu_us":{cpu_us},
               "resident_kib":2048,"p50_us":100,"p99_us":900,"body":7}}"#
        )
        .into_bytes()
    }

    #[test]
    fn figures_are_per_request_and_per_second() {
        assert_eq!(
            Figures::read(&line(10_000, 1_000_000)).expect("well-formed"),
            Figures { cpu_us: 100.0, rate: 5000.0, p50_us: 100.0, p99_us: 900.0, resident_mib: 2.0, core: 0.5 }
        );
        assert!(Figures::read(b"{}").is_err());
    }

    #[test]
    fn ratios_are_of_medians_to_the_first_subject() {
        let mut table = Table::default();
        for (requests, cpu) in [(1000, 100_000), (1000, 900_000), (1000, 200_000)] {
            table.add("GET", "peer", Figures::read(&line(requests, cpu)).expect("line"));
            table.add("GET", "ours", Figures::read(&line(requests, cpu / 4)).expect("line"));
        }
        let text = table.to_string();
        let rows: Vec<&str> = text.lines().skip(2).collect();
        assert!(rows[0].starts_with("| GET | peer | 200.0 | 1.000 | 100.0–900.0 |"), "{text}");
        assert!(rows[1].starts_with("| GET | ours | 50.0 | 0.250 | 25.0–225.0 |"), "{text}");
    }
}
