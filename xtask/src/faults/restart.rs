//! The upstream is killed and comes back, under load.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::Result;

use super::report::{Report, Tally};
use super::rig::{Rig, Sample, Traffic, ms, now_us, quantile};
use crate::subject::Subject;

const NAME: &str = "restart";
/// Traffic before the upstream dies, while it is down, and after it is back.
const BEFORE: Duration = Duration::from_secs(2);
const DOWN: Duration = Duration::from_secs(3);

pub(super) fn run(rig: &Rig, report: &mut Report) -> Result<()> {
    println!("\n{NAME}: the upstream is killed and started again under 2 000 requests a second");
    let journal = rig.folder.join("journal");
    let start = |listen: &str| {
        let mut command = rig.part("upstream");
        command.args(["--listen", listen, "--journal"]).arg(&journal);
        Subject::reporting("upstream", &mut command)
    };
    let upstream = start("127.0.0.1:0")?;
    let address = upstream.address.clone();
    let gateway = rig.gateway(&address, "")?;
    let plan = ["--protocol", "h1", "--connections", "128", "--rate", "2000", "--seconds", "9"];
    let traffic = rig.traffic(gateway.address(), &plan)?;
    std::thread::sleep(BEFORE);
    let killed = now_us();
    drop(upstream);
    let gone = now_us();
    std::thread::sleep(DOWN);
    let upstream = start(&address)?;
    let listening = now_us();
    let traffic = Traffic::of(traffic)?;
    drop(upstream);
    tell(&traffic, (killed, gone, listening), &fs::read_to_string(&journal)?, report);
    Ok(())
}

fn tell(traffic: &Traffic, (killed, gone, listening): (u64, u64, u64), journal: &str, report: &mut Report) {
    let samples = &traffic.samples;
    let of = |status: u16, in_time: &dyn Fn(&Sample) -> bool| -> Vec<u64> {
        let found = samples.iter().filter(|sample| sample.status == status && in_time(sample));
        found.map(|sample| sample.took).collect()
    };
    let in_flight = |sample: &Sample| sample.at < killed && sample.at + sample.took > killed;
    let down = |sample: &Sample| sample.at > gone && sample.at + sample.took < listening;
    report.note(NAME, "requests answered", samples.len());
    report.none(NAME, "requests without an answer", &traffic.unanswered);
    report.none(NAME, "answers that are neither 200 nor 503 with a Status", &traffic.wrong);
    let (ok, failed) = (of(200, &in_flight).len(), of(503, &in_flight).len());
    report.note(NAME, "in flight when it died", format!("{ok} with 200, {failed} with 503"));
    let (ok, failed) = (of(200, &down).len(), of(503, &down));
    report.goal(NAME, "200 while it was down", "0", ok, ok == 0);
    report.note(NAME, "503 while it was down", failed.len());
    report.note(NAME, "until that 503, median", ms(quantile(failed.clone(), 0.5)));
    report.note(NAME, "until that 503, p99", ms(quantile(failed.clone(), 0.99)));
    let longest = quantile(failed, 1.0);
    report.goal(NAME, "until that 503, longest", "≤ 50 ms", ms(longest), longest <= 50_000 && longest > 0);
    let back = samples.iter().filter(|sample| sample.status == 200 && sample.at > gone);
    match back.map(|sample| sample.at + sample.took).min() {
        Some(first) => {
            let first = first.saturating_sub(listening);
            report.goal(NAME, "first success after it listened", "≤ 1 s", ms(first), first <= 1_000_000);
        }
        None => report.goal(NAME, "first success after it listened", "≤ 1 s", "never", false),
    }
    let longest = samples.iter().map(|sample| sample.took).max().unwrap_or(0);
    report.goal(NAME, "longest request of all", "≤ 1 s", ms(longest), longest <= 1_000_000);
    report.none(NAME, "requests that the upstream got twice", &twice(journal));
}

/// The ids that are in the journal more than once.
fn twice(journal: &str) -> Tally {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    for id in journal.lines() {
        *seen.entry(id).or_default() += 1;
    }
    let doubled: Vec<_> = seen.into_iter().filter(|(_, count)| *count > 1).collect();
    let first = doubled.iter().take(20).map(|(id, count)| format!("{id}: {count} times")).collect();
    Tally { count: doubled.len() as u64, first }
}

#[cfg(test)]
mod tests {
    use super::twice;

    #[test]
    fn an_id_that_comes_again_is_named() {
        let found = twice("r-1\nr-2\nr-1\nr-3\n");
        assert_eq!((found.count, found.first), (1, vec!["r-1: 2 times".to_owned()]));
    }
}
