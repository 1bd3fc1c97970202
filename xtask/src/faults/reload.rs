//! The config changes under load: every answer is wholly of one generation.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::report::{Report, Tally};
use super::rig::{Gateway, Rig, Traffic, ms, quantile};
use crate::subject::Subject;

/// Every so many changes a config that is wrong comes first.
const BROKEN_EVERY: u32 = 5;
/// What a change may take until it is in force.
const GOAL: Duration = Duration::from_secs(1);
/// After this the run is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What answers end with under the first config and under the second. Four settings differ in them: the
/// upstream, which header becomes metadata, how numbers are written, and (unseen) a listener's limits.
const ENDS: [&str; 2] = [r#","title":"a+probe","priceCents":"1"}"#, r#","title":"b","priceCents":1}"#];

/// So many changes for each protocol, while requests come.
pub(super) fn run(rig: &Rig, reloads: u32, report: &mut Report) -> Result<()> {
    for (name, protocol, connections) in [("reload, h1", "h1", "64"), ("reload, h2", "h2", "4")] {
        println!("\n{name}: {reloads} changes of the config under 2 000 requests a second");
        let upstreams = [upstream(rig, "a")?, upstream(rig, "b")?];
        let configs = [0, 1].map(|which| config(rig, &upstreams, which));
        let gateway = rig.gateway_with(&configs[0])?;
        let seconds = (f64::from(reloads) * 0.3 + 4.0).to_string();
        let ends = ["--ends", ENDS[0], "--ends", ENDS[1]];
        let plan = ["--protocol", protocol, "--connections", connections, "--rate", "2000", "--seconds", &seconds];
        let traffic = rig.traffic(gateway.address(), &[&plan[..], &ends[..]].concat())?;
        std::thread::sleep(Duration::from_secs(1));
        let begin = Instant::now();
        let mut took = Vec::new();
        for number in 1..=reloads {
            if number % BROKEN_EVERY == 0 {
                broken(rig, &gateway, &configs[0], number / BROKEN_EVERY)?;
            }
            let begin = Instant::now();
            gateway.configure(rig, &configs[number as usize % 2])?;
            wait(&gateway, "tidegate_config_generation", f64::from(number + 1))?;
            took.push(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        let all = begin.elapsed();
        let traffic = Traffic::of(traffic)?;
        tell(name, &traffic, took, report);
        let during = format!("{reloads} changes, {} of them behind a broken one, in {all:.1?}", reloads / BROKEN_EVERY);
        report.note(name, "changes", during);
    }
    Ok(())
}

fn upstream(rig: &Rig, name: &str) -> Result<Subject> {
    Subject::reporting("upstream", rig.part("upstream").args(["--name", name, "--delay", "1"]))
}

fn config(rig: &Rig, upstreams: &[Subject; 2], which: usize) -> String {
    let proto = rig.proto().display();
    let [a, b] = upstreams.each_ref().map(|upstream| &upstream.address);
    let (name, allow, numbers) = [("a", "x-*", false), ("b", "authorization", true)][which];
    format!(
        "upstreams:\n\
         \x20 a: {{ endpoints: [{a}], schema: {{ proto: [{proto}] }} }}\n\
         \x20 b: {{ endpoints: [{b}], schema: {{ like: a }} }}\n\
         metadata: {{ allow: [\"{allow}\"] }}\n\
         routes:\n\
         \x20 - service: tidegate.bench.v1.Items\n\
         \x20   upstream: {name}\n\
         \x20   transcoding: {{ int64_numbers: {numbers} }}\n"
    )
}

/// A config that is wrong: the gateway says so, and nothing else happens.
fn broken(rig: &Rig, gateway: &Gateway, good: &str, refused: u32) -> Result<()> {
    gateway.configure(rig, &good.replace("upstream: a", "upstream: c"))?;
    wait(gateway, "tidegate_config_loads_total{result=\"rejected\"}", f64::from(refused))
}

fn wait(gateway: &Gateway, metric: &str, value: f64) -> Result<()> {
    let begin = Instant::now();
    while gateway.metric(metric)? < value {
        if begin.elapsed() > PATIENCE {
            bail!("{metric} did not become {value} within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn tell(name: &'static str, traffic: &Traffic, took: Vec<u64>, report: &mut Report) {
    let samples = &traffic.samples;
    let ok = samples.iter().filter(|sample| sample.status == 200).count();
    report.note(name, "requests answered", samples.len());
    report.goal(name, "of them 200", "all", ok, ok == samples.len() && ok > 0);
    report.none(name, "requests without an answer", &traffic.unanswered);
    report.none(name, "answers that are not of one generation", &traffic.wrong);
    let lost = Tally { count: traffic.turned_away, first: Vec::new() };
    report.none(name, "requests that were turned away", &lost);
    let seen = traffic.ends.iter().all(|seen| *seen > 0);
    let shown = traffic.ends.iter().map(u64::to_string).collect::<Vec<_>>().join(" and ");
    report.goal(name, "answers of one config and of the other", "some of each", shown, seen);
    let longest = quantile(took.clone(), 1.0);
    report.note(name, "from the change of the file until it is in force, median", ms(quantile(took, 0.5)));
    let met = u128::from(longest) <= GOAL.as_micros();
    report.goal(name, "the longest", "≤ 1 s", ms(longest), met);
    let latency = samples.iter().map(|sample| sample.took).collect();
    report.note(name, "requests, 99.9 %", ms(quantile(latency, 0.999)));
}
