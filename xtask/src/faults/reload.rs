//! The config changes under load: every answer is wholly of one generation, wherever the config is kept.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::place::Place;
use super::report::{Report, Tally};
use super::rig::{Gateway, Rig, Traffic, ms, now_us, quantile};
use crate::proc::Workspace;
use crate::servers;
use crate::subject::Subject;

/// Every so many changes a config that is wrong comes first.
const BROKEN_EVERY: u32 = 5;
/// After this the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long etcd is away.
const AWAY: Duration = Duration::from_secs(2);

/// What answers end with under the first config and under the second. Five settings differ in them: the
/// upstream, the header that the gateway injects, which header becomes metadata, how numbers are written, and
/// (unseen) a listener's limits.
const ENDS: [&str; 2] = [r#","title":"a+probe+one","priceCents":"1"}"#, r#","title":"b+two","priceCents":1}"#];

/// A place where the config is kept, and what a change there may take.
struct Run {
    name: &'static str,
    protocol: &'static str,
    connections: &'static str,
    goal: Duration,
    /// Of a change, for the length of the traffic.
    pace: f64,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Etcd,
    Apollo,
}

const SECOND: Duration = Duration::from_secs(1);
const RUNS: [Run; 4] = [
    Run { name: "file, h1", protocol: "h1", connections: "64", goal: SECOND, pace: 0.2, kind: Kind::File },
    Run { name: "file, h2", protocol: "h2", connections: "4", goal: SECOND, pace: 0.2, kind: Kind::File },
    Run { name: "etcd, h2", protocol: "h2", connections: "4", goal: SECOND, pace: 0.4, kind: Kind::Etcd },
    // The server for tests does not hold a long poll, so that the pauses between polls are what is measured.
    Run {
        name: "Apollo, h1",
        protocol: "h1",
        connections: "64",
        goal: Duration::from_secs(2),
        pace: 0.4,
        kind: Kind::Apollo,
    },
];

/// So many changes for each place, while requests come.
pub(super) fn run(workspace: &Workspace, rig: &Rig, reloads: u32, report: &mut Report) -> Result<()> {
    servers::install(workspace)?;
    for run in &RUNS {
        println!("\nreload, {}: {reloads} changes of the config under 2 000 requests a second", run.name);
        let place = match run.kind {
            Kind::File => Place::File(rig.config()),
            Kind::Etcd => Place::etcd()?,
            Kind::Apollo => Place::apollo()?,
        };
        run.make(place, rig, reloads, report)?;
    }
    Ok(())
}

/// What the changes of a run took, in microseconds.
#[derive(Default)]
struct Changes {
    took: Vec<u64>,
    /// The first one after the server that keeps configs was back.
    after_return: Option<u64>,
    /// When the last one was in force, since the Unix epoch.
    last: u64,
}

impl Run {
    fn make(&self, mut place: Place, rig: &Rig, reloads: u32, report: &mut Report) -> Result<()> {
        let upstreams = [upstream(rig, "a")?, upstream(rig, "b")?];
        let configs = [0, 1].map(|which| config(rig, &upstreams, which));
        let gateway = rig.gateway_from(&mut place, &configs[0])?;
        let seconds = (f64::from(reloads) * self.pace + 8.0).to_string();
        let ends = ["--ends", ENDS[0], "--ends", ENDS[1]];
        let plan = ["--protocol", self.protocol, "--connections", self.connections, "--rate", "2000"];
        let arguments = [&plan[..], &["--seconds", &seconds], &ends[..]].concat();
        let traffic = rig.traffic(gateway.address(), &arguments)?;
        std::thread::sleep(SECOND);
        let begin = Instant::now();
        let changes = self.change(&gateway, &mut place, &configs, reloads)?;
        let all = begin.elapsed();
        let traffic = Traffic::of(traffic)?;
        self.tell(&traffic, changes, report);
        let during = format!("{reloads} changes, {} of them behind a broken one, in {all:.1?}", reloads / BROKEN_EVERY);
        report.note(self.name, "changes", during);
        Ok(())
    }

    fn change(&self, gateway: &Gateway, place: &mut Place, configs: &[String; 2], reloads: u32) -> Result<Changes> {
        let mut changes = Changes::default();
        for number in 1..=reloads {
            if number % BROKEN_EVERY == 0 {
                broken(gateway, place, &configs[0], number / BROKEN_EVERY)?;
            }
            let returned = number == reloads / 2 && Self::dies(place);
            let begin = Instant::now();
            gateway.configure(place, &configs[number as usize % 2])?;
            wait(gateway, "tidegate_config_generation", f64::from(number + 1))?;
            let took = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
            if returned {
                changes.after_return = Some(took);
            } else {
                changes.took.push(took);
            }
        }
        changes.last = now_us();
        Ok(changes)
    }

    /// Half way through etcd is killed, and started again. False if there is none.
    fn dies(place: &mut Place) -> bool {
        let Place::Etcd(etcd) = place else { return false };
        etcd.kill();
        println!("  etcd is killed, and away for {AWAY:?}");
        std::thread::sleep(AWAY);
        etcd.run();
        true
    }

    fn tell(&self, traffic: &Traffic, changes: Changes, report: &mut Report) {
        let (name, samples) = (self.name, &traffic.samples);
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
        let until = samples.iter().map(|sample| sample.at).max().unwrap_or(0);
        let lasted = until >= changes.last;
        report.goal(name, "requests came until the last change", "yes", if lasted { "yes" } else { "no" }, lasted);
        let longest = quantile(changes.took.clone(), 1.0);
        report.note(name, "from a change until it is in force, median", ms(quantile(changes.took, 0.5)));
        let met = u128::from(longest) <= self.goal.as_micros();
        report.goal(name, "the longest", &format!("≤ {:?}", self.goal), ms(longest), met);
        if let Some(took) = changes.after_return {
            report.note(name, "of the first change after etcd was back", ms(took));
        }
        let latency = samples.iter().map(|sample| sample.took).collect();
        report.note(name, "requests, 99.9 %", ms(quantile(latency, 0.999)));
    }
}

fn upstream(rig: &Rig, name: &str) -> Result<Subject> {
    Subject::reporting("upstream", rig.part("upstream").args(["--name", name, "--delay", "1"]))
}

fn config(rig: &Rig, upstreams: &[Subject; 2], which: usize) -> String {
    let proto = rig.proto().display();
    let [a, b] = upstreams.each_ref().map(|upstream| &upstream.address);
    let (name, injected, allow, numbers) = [("a", "one", "x-*", false), ("b", "two", "authorization", true)][which];
    format!(
        "upstreams:\n\
         \x20 a: {{ endpoints: [{a}], schema: {{ proto: [{proto}] }} }}\n\
         \x20 b: {{ endpoints: [{b}], schema: {{ like: a }} }}\n\
         metadata: {{ allow: [\"{allow}\"], set: {{ x-injected: {injected} }} }}\n\
         routes:\n\
         \x20 - service: tidegate.bench.v1.Items\n\
         \x20   upstream: {name}\n\
         \x20   transcoding: {{ int64_numbers: {numbers} }}\n"
    )
}

/// A config that is wrong: the gateway says so, and nothing else happens.
fn broken(gateway: &Gateway, place: &mut Place, good: &str, refused: u32) -> Result<()> {
    gateway.configure(place, &good.replace("upstream: a", "upstream: c"))?;
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
