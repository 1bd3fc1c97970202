//! The figures, as a table.

use super::load::{Load, Measured};
use crate::exit::{self, Exit};
use std::fmt::Write as _;

/// What stands above the figures.
pub(crate) const HEAD: &str = "\
KEYS     WAY        CALLERS  OFFERED/S  DECISIONS/S  × NAIVE   P50 MS   P99 MS  STORE OPS EACH  REFUSED  ADMITTED ÷ ALLOWED
";

/// Decisions a second, the median of all rounds.
#[expect(clippy::cast_precision_loss, reason = "figures")]
pub(crate) fn rate<'m>(rounds: impl IntoIterator<Item = &'m Measured>) -> f64 {
    median(rounds.into_iter().map(|one| one.decisions as f64 / one.time.as_secs_f64()))
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Prints a line for each load.
///
/// # Errors
/// Nobody reads them.
#[expect(clippy::cast_precision_loss, reason = "figures")]
pub(crate) fn print(found: &[(Load, Vec<Measured>)], naive: Option<f64>) -> Result<(), String> {
    let mut out = String::new();
    for (load, rounds) in found {
        let of = |figure: fn(&Measured) -> f64| median(rounds.iter().map(figure));
        let rate = rate(rounds);
        let keys = format!("{:?}", load.keys).to_lowercase();
        let offered = load.offered.map_or("-".to_owned(), |rate| format!("{rate:.0}"));
        let times = naive.map_or("-".to_owned(), |naive| format!("{:.1}", rate / naive.max(1.0)));
        let _ = writeln!(
            out,
            "{keys:<8} {:<9} {:>8} {offered:>10} {rate:>12.0} {times:>8} {:>8.3} {:>8.3} {:>15.4} {:>6.0} % {:>19.3}",
            load.way.word(),
            load.callers,
            of(|one| one.times.quantile(0.5).as_secs_f64() * 1000.0),
            of(|one| one.times.quantile(0.99).as_secs_f64() * 1000.0),
            of(|one| one.operations as f64 / one.decisions.max(1) as f64),
            of(Measured::refused) * 100.0,
            of(|one| one.share),
        );
    }
    if exit::print(&out) == Exit::Success { Ok(()) } else { Err("nobody reads the figures".to_owned()) }
}
