//! A service that is asked for three times what it can do.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use super::report::Report;
use super::rig::{Gateway, Rig, Sample, Traffic, ms, now_us, quantile};
use crate::subject::Subject;

const NAME: &str = "overload";
/// How long the service takes for a call.
const CALL_MS: u32 = 20;
/// At 0.8 of what it can do, then at three times that, then at 0.8 again.
const CALM_SECONDS: u32 = 8;
const OVER_SECONDS: u32 = 15;
const AFTER_SECONDS: u32 = 8;
/// Until the limit has followed the load.
const SETTLE: Duration = Duration::from_secs(1);
/// After the overload everything is to be as before within this time.
const RECOVERS: Duration = Duration::from_secs(2);

/// `at_once` calls are what the service works on.
pub(super) fn run(rig: &Rig, at_once: u32, report: &mut Report) -> Result<()> {
    let capacity = at_once * 1000 / CALL_MS;
    println!("\n{NAME}: {capacity} calls a second are what the service can do, and {} come", 3 * capacity);
    let (places, takes) = (at_once.to_string(), CALL_MS.to_string());
    let mut command = rig.part("upstream");
    let upstream = Subject::reporting("upstream", command.args(["--delay", &takes, "--at-once", &places]))?;
    let proto = rig.proto().display().to_string();
    let gateway = rig.gateway_with(&format!(
        "workers: 1\nupstreams: {{ items: {{ endpoints: [{}], schema: {{ proto: [{proto}] }}, concurrency: {{ adaptive: true }} }} }}\n\
         routes:\n\
         - {{ service: tidegate.bench.v1.Items, upstream: items }}\n\
         - {{ service: tidegate.bench.v1.Items, host: vip.local, upstream: items, priority: critical }}\n",
        upstream.address
    ))?;
    let start = |host, rate, seconds| traffic(rig, &gateway, host, rate, seconds);
    // The first seconds of it find the limit.
    let calm = Traffic::of(start("bench.local", capacity * 8 / 10, CALM_SECONDS)?)?;
    let began = now_us();
    let many = start("bench.local", 3 * capacity * 19 / 20, OVER_SECONDS)?;
    let few = start("vip.local", 3 * capacity / 20, OVER_SECONDS)?;
    sleep(Duration::from_secs(u64::from(OVER_SECONDS)) - Duration::from_millis(500));
    let limit = gateway.metric("tidegate_concurrency_limit")?;
    let (many, few) = (Traffic::of(many)?, Traffic::of(few)?);
    let over = now_us();
    let after = Traffic::of(start("bench.local", capacity * 8 / 10, AFTER_SECONDS)?)?;
    for traffic in [&calm, &many, &few, &after] {
        report.none(NAME, "requests without an answer", &traffic.unanswered);
        report.none(NAME, "answers that are neither 200 nor 503 with a Status", &traffic.wrong);
    }
    let from = began + micros(SETTLE);
    let until = began + u64::from(OVER_SECONDS) * 1_000_000;
    let good = |traffic: &Traffic, from: u64, until: u64| -> Vec<u64> {
        let within = |sample: &&Sample| sample.status == 200 && sample.at >= from && sample.at + sample.took < until;
        traffic.samples.iter().filter(within).map(|sample| sample.took).collect()
    };
    let half = calm.samples.iter().map(|sample| sample.at).max().context("calls were made")? - 4_000_000;
    let before = quantile(good(&calm, half, u64::MAX), 0.99);
    let served: Vec<u64> = [good(&many, from, until), good(&few, from, until)].concat();
    let seconds = (until - from) as f64 / 1e6;
    let part = served.len() as f64 / seconds / f64::from(capacity);
    report.note(NAME, "limit that was found", limit);
    report.goal(NAME, "answered with 200, of what it can do", "≥ 90 %", format!("{:.1} %", part * 100.0), part >= 0.9);
    let p99 = quantile(served, 0.99);
    report.note(NAME, "p99 at 0.8 of what it can do", ms(before));
    report.goal(NAME, "p99 of those that were served", "≤ 2 ×", ms(p99), p99 <= 2 * before);
    let critical = few.samples.iter().filter(|sample| sample.at >= from);
    let (all, well) =
        critical.fold((0_u32, 0_u32), |(all, well), sample| (all + 1, well + u32::from(sample.status == 200)));
    let rate = f64::from(well) / f64::from(all.max(1));
    report.goal(NAME, "critical calls that were served", "≥ 99.9 %", format!("{:.2} %", rate * 100.0), rate >= 0.999);
    let recovered = quantile(good(&after, over + micros(RECOVERS), u64::MAX), 0.99);
    report.goal(NAME, "p99 from 2 s after it", "≤ 1.5 ×", ms(recovered), recovered * 2 <= before * 3);
    let refused = after.samples.iter().filter(|sample| sample.status != 200 && sample.at >= over + micros(RECOVERS));
    let refused = refused.count();
    let share = refused as f64 / after.samples.len().max(1) as f64;
    report.goal(NAME, "refused from 2 s after it", "≤ 0.1 %", format!("{:.2} %", share * 100.0), share <= 0.001);
    Ok(())
}

fn traffic(rig: &Rig, gateway: &Gateway, host: &str, rate: u32, seconds: u32) -> Result<std::process::Child> {
    let (rate, seconds) = (rate.to_string(), seconds.to_string());
    let plan = ["--protocol", "h2", "--host", host, "--connections", "4", "--rate", &rate, "--seconds", &seconds];
    rig.traffic(gateway.address(), &plan)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
