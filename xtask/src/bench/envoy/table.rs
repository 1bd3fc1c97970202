//! Figures, their medians, and the table of them.

use std::fmt;

use crate::bench::figures::Figures;

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
