//! Endpoints that are found, and come and go under load: as they do when a service is scaled, rolled out and moved, and
//! while the server that knows them fails.
//!
//! A planned removal takes an endpoint out of the directory first. Its process is killed when its calls are over, or it
//! is told to stop at the same moment, as Kubernetes does.

mod directory;
mod dns;

use std::collections::BTreeMap;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::endpoint::{self, Endpoint};
use super::report::{Report, Tally};
use super::rig::{Gateway, Rig, Sample, Traffic, ms, now_us, quantile};
use crate::proc::Workspace;
use crate::servers;
use directory::{Directory, Kind};

const KINDS: [Kind; 3] = [Kind::Addresses, Kind::Services, Kind::Etcd];
/// Endpoints at the beginning.
const FIRST: usize = 3;
/// Endpoints that come in each round, and the one whose share is taken; with each failure of the directory comes another one.
const EACH_ROUND: usize = 5 + 1;
/// What a share is taken of.
const SHARE_OF: Duration = Duration::from_secs(2);
/// How long the directory is away.
const AWAY: Duration = Duration::from_secs(4);
/// After this the run is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests a second of each kind of clients.
const RATES: [(&str, &[&str]); 4] = [
    ("400", &["--protocol", "h2", "--connections", "4", "--ids", "get"]),
    ("200", &["--protocol", "h1", "--connections", "32", "--ids", "post", "--post", "--streams", "4", "--short"]),
    ("300", &["--protocol", "h2", "--connections", "4", "--ids", "native", "--native", "--streams", "4", "--short"]),
    ("100", &["--protocol", "h2", "--connections", "2", "--ids", "write", "--native", "--post"]),
];

/// So many rounds of changes for each place where endpoints are found.
pub(super) fn run(workspace: &Workspace, rig: &Rig, rounds: usize, report: &mut Report) -> Result<()> {
    servers::etcd(workspace)?;
    for kind in KINDS {
        println!("\n{}: {rounds} rounds of changes under 1 000 requests a second", kind.name());
        let names = (0..FIRST + rounds * EACH_ROUND + kind.failures().len()).map(|number| format!("e{number}"));
        let mut scene = Scene::open(kind, rig, names.collect())?;
        for _ in 0..rounds {
            scene.round()?;
        }
        scene.directory_fails(report)?;
        scene.takes_shares(rounds)?;
        scene.tell(report)?;
    }
    Ok(())
}

/// Everything that runs.
struct Scene<'r> {
    kind: Kind,
    rig: &'r Rig,
    directory: Directory,
    gateway: Gateway,
    /// Clients that have streams, and those that have none.
    streaming: Vec<Child>,
    clients: Vec<Child>,
    /// What clients found that have ended.
    found: Vec<Traffic>,
    /// Of all endpoints that there will be, in the order of coming.
    names: Vec<String>,
    /// How many of them came.
    came: usize,
    listed: Vec<Endpoint>,
    /// When changes were made, by the clock of samples.
    added: Vec<(String, u64)>,
    removed: Vec<(String, u64)>,
    /// From when to when a share is taken, of whom, and among how many.
    shares: Vec<(String, u64, u64, usize)>,
    removals: BTreeMap<&'static str, usize>,
}

impl<'r> Scene<'r> {
    fn open(kind: Kind, rig: &'r Rig, names: Vec<String>) -> Result<Self> {
        let mut directory = Directory::start(kind)?;
        let mut listed = Vec::new();
        for name in &names[..FIRST] {
            listed.push(Endpoint::start(rig, name, &directory.next_listen()?)?);
            directory.list(addresses(&listed))?;
        }
        let gateway = rig.gateway_with(&format!(
            "upstreams: {{ items: {{ endpoints: {}, schema: {{ proto: [{}] }} }} }}\n\
             routes: [{{ service: tidegate.bench.v1.Items, upstream: items }}]\n",
            directory.config(),
            rig.proto().display()
        ))?;
        let ends: Vec<String> = names.iter().map(|name| endpoint::end(name)).collect();
        let (mut streaming, mut clients) = (Vec::new(), Vec::new());
        for (rate, arguments) in RATES {
            let mut all = vec!["--seconds", "600", "--until-told", "--rate", rate];
            all.extend(arguments);
            all.extend(ends.iter().flat_map(|end| ["--ends", end.as_str()]));
            let child = rig.traffic(gateway.address(), &all)?;
            if arguments.contains(&"--streams") { streaming.push(child) } else { clients.push(child) }
        }
        sleep(SHARE_OF);
        let (added, removed, shares, removals) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        Ok(Self {
            kind,
            rig,
            directory,
            gateway,
            streaming,
            clients,
            found: Vec::new(),
            names,
            came: FIRST,
            listed,
            added,
            removed,
            shares,
            removals,
        })
    }

    /// One more, one less, one for another, and others for all.
    fn round(&mut self) -> Result<()> {
        let new = self.start()?;
        self.change(vec![new], 0)?;
        sleep(SHARE_OF);

        let old = self.change(Vec::new(), 1)?;
        self.end_when_idle(old, "one less")?;

        let new = self.start()?;
        let begin = Instant::now();
        let mut old = self.publish(vec![new], 1)?;
        for endpoint in &mut old {
            endpoint.stops()?;
        }
        for endpoint in &mut old {
            until("the end of an endpoint", || endpoint.has_ended())?;
        }
        sleep(self.kind.goal().saturating_sub(begin.elapsed()));
        *self.removals.entry("rolled out, told to stop at once").or_default() += old.len();

        let new = vec![self.start()?, self.start()?, self.start()?];
        let old = self.change(new, self.listed.len())?;
        self.end_when_idle(old, "all for others")
    }

    /// The directory fails in each way that it can, and after each of them one endpoint is exchanged.
    fn directory_fails(&mut self, report: &mut Report) -> Result<()> {
        for failure in self.kind.failures() {
            self.directory.fails(*failure)?;
            sleep(AWAY);
            self.directory.recovers(*failure);
            let new = self.start()?;
            let begin = Instant::now();
            let old = self.publish(vec![new], 1)?;
            let address = self.listed.last().context("some are listed")?.address.clone();
            until("the first call", || Ok(self.figure("tidegate_endpoint_requests_total", &address)? > 0.0))?;
            report.note(self.kind.name(), failure.name(), format!("{:.1?}", begin.elapsed()));
            // Its time is what the failure made of it.
            self.added.pop();
            self.removed.pop();
            self.end_when_idle(old, "after a failure of the directory")?;
        }
        Ok(())
    }

    /// What part of the calls one gets that comes. Without streams: what is evened out is what is in flight, and beside streams,
    /// which last a second, the share of calls of any endpoint is anything from half to one and a half in two seconds.
    fn takes_shares(&mut self, times: usize) -> Result<()> {
        for client in self.streaming.drain(..) {
            self.found.push(Traffic::of(client)?);
        }
        for _ in 0..times {
            let new = self.start()?;
            self.change(vec![new], 0)?;
            let (name, from) = (self.names[self.came - 1].clone(), now_us());
            sleep(SHARE_OF);
            self.shares.push((name, from, now_us(), self.listed.len()));
            let old = self.change(Vec::new(), 1)?;
            self.end_when_idle(old, "one less, without streams")?;
        }
        Ok(())
    }

    /// The next endpoint, which nobody knows yet.
    fn start(&mut self) -> Result<Endpoint> {
        let listen = self.directory.next_listen()?;
        self.came += 1;
        Endpoint::start(self.rig, &self.names[self.came - 1], &listen)
    }

    /// Lists these, and takes out as many that have been there longest, all at once.
    fn publish(&mut self, new: Vec<Endpoint>, gone: usize) -> Result<Vec<Endpoint>> {
        let old: Vec<Endpoint> = self.listed.drain(..gone).collect();
        let names: Vec<String> = new.iter().map(|endpoint| endpoint.name.clone()).collect();
        self.listed.extend(new);
        self.directory.list(addresses(&self.listed))?;
        let now = now_us();
        self.added.extend(names.into_iter().map(|name| (name, now)));
        self.removed.extend(old.iter().map(|endpoint| (endpoint.name.clone(), now)));
        Ok(old)
    }

    /// The same, and waits until it has to be in force.
    fn change(&mut self, new: Vec<Endpoint>, gone: usize) -> Result<Vec<Endpoint>> {
        let old = self.publish(new, gone)?;
        sleep(self.kind.goal());
        Ok(old)
    }

    /// Kills those that are listed no more, each when the gateway has no call of it.
    fn end_when_idle(&mut self, old: Vec<Endpoint>, how: &'static str) -> Result<()> {
        for endpoint in old {
            // It is shown for as long as it is listed, or has calls.
            until("the end of its calls", || Ok(self.figure("tidegate_endpoint_state", &endpoint.address)? == 0.0))?;
            *self.removals.entry(how).or_default() += 1;
        }
        Ok(())
    }

    /// A metric of one endpoint.
    fn figure(&self, name: &str, address: &str) -> Result<f64> {
        self.gateway.metric(&format!(r#"{name}{{upstream="items",endpoint="{address}""#))
    }

    /// What clients found of all that.
    fn tell(mut self, report: &mut Report) -> Result<()> {
        let name = self.kind.name();
        let mut samples = Vec::new();
        let [mut unanswered, mut wrong, mut cut] = [const { Tally { count: 0, first: Vec::new() } }; 3];
        let (mut turned_away, mut streams, mut with_status) = (0, 0, 0);
        for client in self.clients.drain(..) {
            self.found.push(Traffic::of(client)?);
        }
        for traffic in &self.found {
            samples.extend_from_slice(&traffic.samples);
            unanswered.add(&traffic.unanswered);
            wrong.add(&traffic.wrong);
            cut.add(&traffic.streams_cut);
            turned_away += traffic.turned_away;
            streams += traffic.streams_complete;
            with_status += traffic.streams_with_status;
        }
        for (how, removed) in &self.removals {
            report.note(name, "endpoints removed", format!("{removed}: {how}"));
        }
        report.note(name, "requests, streams", format!("{}, {streams}", samples.len()));
        let failed = samples.iter().filter(|sample| sample.status != 200).count();
        report.goal(name, "requests that failed", "0", failed, failed == 0 && !samples.is_empty());
        report.none(name, "requests without an answer", &unanswered);
        report.none(name, "answers of nobody", &wrong);
        report.goal(name, "streams that failed", "0", with_status, with_status == 0 && streams > 0);
        report.none(name, "streams that were cut", &cut);
        report.none(name, "requests that were turned away", &Tally { count: turned_away, first: Vec::new() });
        let goal = format!("≤ {:?}", self.kind.goal());
        let end = |name: &str| self.names.iter().position(|known| known == name);
        let of = |name: &str| {
            let end = end(name);
            samples.iter().filter(move |sample| sample.end.is_some() && sample.end == end)
        };
        let first = self.added.iter().map(|(name, at)| {
            of(name).map(|sample| sample.at).min().map_or(u64::MAX, |first| first.saturating_sub(*at))
        });
        tell_longest(report, name, "from coming to the first call, longest", &goal, self.kind.goal(), first.collect());
        let last = self
            .removed
            .iter()
            .map(|(name, at)| of(name).map(|sample| sample.at).max().map_or(u64::MAX, |last| last.saturating_sub(*at)));
        tell_longest(report, name, "from going to the last call, longest", &goal, self.kind.goal(), last.collect());
        let shares = self.shares.iter().map(|(name, from, to, among)| {
            let within = |sample: &&Sample| (*from..*to).contains(&sample.at);
            let all = samples.iter().filter(within).count() as f64;
            of(name).filter(within).count() as f64 * *among as f64 / all.max(1.0)
        });
        let least = shares.fold(f64::INFINITY, f64::min);
        let shown = format!("{:.0} %", 100.0 * least);
        report.goal(name, "calls of one that came, of its share, least", "≥ 80 %", shown, least >= 0.8);
        let took: Vec<u64> = samples.iter().map(|sample| sample.took).collect();
        let shown = [0.5, 0.99, 1.0].map(|share| ms(quantile(took.clone(), share))).join(", ");
        report.note(name, "requests, median, 99 %, longest", shown);
        Ok(())
    }
}

fn tell_longest(
    report: &mut Report,
    name: &'static str,
    what: &'static str,
    goal: &str,
    most: Duration,
    times: Vec<u64>,
) {
    let longest = quantile(times, 1.0);
    report.goal(name, what, goal, ms(longest), u128::from(longest) <= most.as_micros());
}

/// What directories list.
fn addresses(endpoints: &[Endpoint]) -> Vec<(String, String)> {
    endpoints.iter().map(|endpoint| (endpoint.name.clone(), endpoint.address.clone())).collect()
}

/// Waits for something that another process does.
fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    while !is_so()? {
        if begin.elapsed() > PATIENCE {
            bail!("{what} did not come within {PATIENCE:?}");
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}
