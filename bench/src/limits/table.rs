//! The figures, as a table.

use super::{Load, Measured};

/// Prints a line of figures.
#[expect(clippy::cast_precision_loss, reason = "figures")]
pub fn print(load: &Load, measured: &Measured) {
    let seconds = measured.time.as_secs_f64();
    let all = measured.decisions as f64;
    // Of keys that are asked for less than that, less is admitted.
    let allowed = (load.quota.burst as f64 + load.quota.rate as f64 * seconds) * load.keys.count() as f64;
    let ms = |share: f64| measured.times.quantile(share).as_secs_f64() * 1000.0;
    let offered = load.offered.map_or("as fast as answered".to_owned(), |rate| format!("{rate}/s"));
    println!(
        "{:<8} {:<9} {:>5} callers, {offered:<19} {:>9.0}/s  p50 {:>7.3} ms  p99 {:>7.3} ms  {:>6.3} operations each  \
         refused {:>2.0} %  admitted/allowed {:.3}",
        format!("{:?}", load.keys).to_lowercase(),
        format!("{:?}", load.way).to_lowercase(),
        load.callers,
        all / seconds,
        ms(0.5),
        ms(0.99),
        measured.operations as f64 / all,
        100.0 * (all - measured.admitted as f64) / all,
        measured.admitted as f64 / allowed,
    );
}
