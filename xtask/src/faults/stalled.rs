//! Clients that hardly read, beside clients that do, on one upstream connection.

use std::time::Duration;

use anyhow::Result;

use super::report::Report;
use super::rig::{Gateway, Rig, Traffic, ms, quantile};

const NAME: &str = "stalled";
/// Until the stalled streams have filled whatever lies between.
const SETTLE: Duration = Duration::from_secs(2);

/// Rounds of normal traffic alone and beside 64 stalled readers, in turn; the medians are compared.
pub(super) fn run(rig: &Rig, rounds: usize, report: &mut Report) -> Result<()> {
    println!("\n{NAME}: 64 readers of a byte a second beside 500 requests a second");
    let upstream = rig.upstream()?;
    let gateway = rig.gateway(&upstream.address, "workers: 1")?;
    // Opens connections, warms caches.
    p99(rig, &gateway)?;
    let (mut alone, mut beside, mut connections) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..rounds {
        alone.push(p99(rig, &gateway)?);
        let readers = rig.quiet("slow-readers", gateway.address(), &["--streams", "64"])?;
        std::thread::sleep(SETTLE);
        beside.push(p99(rig, &gateway)?);
        connections = connections.max(gateway.metric("tidegate_upstream_connections")?);
        drop(readers);
    }
    report.goal(NAME, "upstream connections", "1", connections, connections <= 1.0);
    let (alone, beside) = (quantile(alone, 0.5), quantile(beside, 0.5));
    report.note(NAME, "p99 of the others alone, median of rounds", ms(alone));
    report.note(NAME, "p99 of the others beside them, median of rounds", ms(beside));
    let ratio = beside as f64 / alone.max(1) as f64;
    report.goal(NAME, "p99 beside them by p99 alone", "≤ 1.20", format!("{ratio:.2}"), ratio <= 1.2);
    Ok(())
}

fn p99(rig: &Rig, gateway: &Gateway) -> Result<u64> {
    let plan = ["--protocol", "h1", "--connections", "16", "--rate", "500", "--seconds", "4"];
    let traffic = Traffic::of(rig.traffic(gateway.address(), &plan)?)?;
    anyhow::ensure!(traffic.unanswered.count + traffic.wrong.count == 0, "requests failed: {traffic:?}");
    Ok(quantile(traffic.samples.iter().map(|sample| sample.took).collect(), 0.99))
}
