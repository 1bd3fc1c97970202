//! `cargo xtask bench overhead`: what a feature adds to the cost of a call.
//!
//! One gateway without it and one with it for each feature, one worker each, before the same upstream, access log
//! off. They take turns within a round, so that what else the machine does falls on all of them; the ratio is
//! taken within each round, and the median of the rounds is compared with the goal. The collector is a process of
//! its own and is not counted; the thread that sends to it is. `--instructions` counts instead of measuring.

mod instructions;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::figures::{Figures, median};
use crate::cache;
use crate::proc::{self, Workspace};
use crate::subject::Subject;

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rounds; each measures every gateway once.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Seconds that are counted, per measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Keep-alive connections, one request at a time on each.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Count instructions in user mode with valgrind instead: for machines that do other things as well.
    #[arg(long)]
    instructions: bool,
    /// The folder of programs that are built already, `tidegate` and `tidegate-bench`.
    #[arg(long)]
    programs: Option<PathBuf>,
}

/// A gateway with something switched on.
struct Feature {
    name: &'static str,
    /// The most that it may cost, as a ratio; without one the figure is for the record.
    goal: Option<f64>,
    config: fn(&Parts<'_>) -> String,
}

/// What configs have in common.
struct Parts<'a> {
    address: &'a str,
    upstream: &'a str,
    collector: &'a str,
    /// Between two exports of metrics.
    interval: &'a str,
    proto: &'a Path,
}

/// The first is what the others are compared with.
const FEATURES: [Feature; 5] = [
    Feature { name: "none", goal: None, config: |parts| parts.text("", "", "", "") },
    Feature { name: "telemetry, 1 % of traces", goal: Some(1.05), config: |parts| parts.with_otlp("1%") },
    Feature { name: "telemetry, all traces", goal: None, config: |parts| parts.with_otlp("100%") },
    Feature { name: "canary and header map", goal: Some(1.05), config: |parts| parts.with_traffic() },
    // Two gateways that do the same: as far as their ratio is from 1, the others are worth nothing.
    Feature { name: "none, once more", goal: None, config: |parts| parts.text("", "", "", "") },
];

/// Its headers are what the map renames and the canary goes by.
const SCENARIO: &str = "headers";

/// What gateways are started with and before.
struct Programs<'a> {
    ours: PathBuf,
    bench: PathBuf,
    folder: &'a Path,
    proto: PathBuf,
    upstream: Subject,
    collector: Subject,
}

impl Programs<'_> {
    /// The gateway with this feature; `run` makes the command of the program.
    fn start(&self, index: usize, interval: &str, run: impl Fn(&Path) -> Command) -> Result<Subject> {
        let feature = &FEATURES[index];
        Subject::on_free_port(feature.name, |address| {
            let file = self.folder.join(format!("{index}.yaml"));
            let (upstream, collector) = (&self.upstream.address, &self.collector.address);
            let parts = Parts { address, upstream, collector, interval, proto: &self.proto };
            std::fs::write(&file, (feature.config)(&parts))?;
            let mut command = run(&self.ours);
            command.args(["--log", "error", "run", "-c"]).arg(file);
            Ok(command)
        })
    }
}

/// Starts the gateways, measures, prints; an error if a goal was missed.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let program = |package: &str| match &args.programs {
        Some(folder) => Ok(folder.join(package)),
        None => workspace.build(package, package, "release"),
    };
    let (ours, bench) = (program("tidegate")?, program("tidegate-bench")?);
    let folder = cache::fresh(&cache::folder(workspace)?.join("bench-overhead"))?;
    let programs = Programs {
        ours,
        folder: &folder,
        proto: workspace.root.join("bench/proto"),
        // End with this function; the gateways end first.
        upstream: Subject::reporting("upstream", Command::new(&bench).arg("upstream"))?,
        collector: Subject::reporting("collector", Command::new(&bench).arg("collector"))?,
        bench,
    };
    if args.instructions {
        return count(&programs);
    }
    let start = |index| programs.start(index, "6s", |ours| Command::new(ours));
    let mut gateways = (0..FEATURES.len()).map(start).collect::<Result<Vec<_>>>()?;
    let mut rounds: Vec<Vec<Figures>> = Vec::new();
    for round in 1..=args.rounds {
        println!("round {round} of {}", args.rounds);
        // Every second round in the other direction: nobody always comes after the same one.
        let mut order: Vec<usize> = (0..gateways.len()).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        let mut found = Vec::new();
        for index in order {
            let figures = measure(&programs.bench, &mut gateways[index], args)?;
            println!("  {:26} {figures}", FEATURES[index].name);
            found.push((index, figures));
        }
        found.sort_by_key(|(index, _)| *index);
        rounds.push(found.into_iter().map(|(_, figures)| figures).collect());
    }
    tell(&rounds)
}

/// Instructions in place of time.
fn count(programs: &Programs<'_>) -> Result<()> {
    println!("| switched on | instructions per request, user mode | ratio |\n|---|--:|--:|");
    let mut first = None;
    for (index, feature) in FEATURES.iter().enumerate() {
        let found = instructions::per_request(programs, index)?;
        let ratio = found / *first.get_or_insert(found);
        println!("| {} | {found:.0} | {ratio:.3} |", feature.name);
    }
    Ok(())
}

fn measure(bench: &Path, gateway: &mut Subject, args: &Args) -> Result<Figures> {
    gateway.check_alive()?;
    let mut command = Command::new(bench);
    command.args(["load", "--address", &gateway.address, "--scenario", SCENARIO]);
    command.args(["--connections", &args.connections.to_string(), "--window", &args.seconds.to_string()]);
    command.args(["--pid", &gateway.id().to_string()]);
    let line = proc::output(&mut command).with_context(|| format!("load on {}", gateway.name))?;
    Figures::read(&line)
}

fn tell(rounds: &[Vec<Figures>]) -> Result<()> {
    println!("\n| switched on | CPU per request | ratio, median of {} rounds | from – to | goal | |", rounds.len());
    println!("|---|--:|--:|--:|--:|---|");
    let mut missed = Vec::new();
    for (index, feature) in FEATURES.iter().enumerate() {
        let cpu = median(rounds.iter().map(|round| round[index].cpu_us).collect());
        let mut ratios: Vec<f64> = rounds.iter().map(|round| round[index].cpu_us / round[0].cpu_us).collect();
        ratios.sort_by(f64::total_cmp);
        let (least, most) = (ratios.first().copied().unwrap_or(1.0), ratios.last().copied().unwrap_or(1.0));
        let ratio = median(ratios);
        let (goal, mark) = match feature.goal {
            None => (String::new(), ""),
            Some(goal) if ratio <= goal => (format!("≤ {goal:.2}"), "met"),
            Some(goal) => {
                missed.push(feature.name);
                (format!("≤ {goal:.2}"), "MISSED")
            }
        };
        println!("| {} | {cpu:.2} µs | {ratio:.3} | {least:.3} – {most:.3} | {goal} | {mark} |", feature.name);
    }
    match missed.as_slice() {
        [] => Ok(()),
        missed => bail!("more than the goal: {}", missed.join(", ")),
    }
}

// === impl Parts ===

impl Parts<'_> {
    fn text(&self, next: &str, canary: &str, telemetry: &str, more: &str) -> String {
        let Self { address, upstream, proto, .. } = self;
        let proto = proto.display();
        format!(
            "workers: 1\n\
             listeners: [{{ bind: {address}, identity_headers: [x-account] }}]\n\
             upstreams:\n\
             \x20 items: {{ endpoints: [{upstream}], schema: {{ proto: [{proto}] }} }}\n\
             {next}routes: [{{ service: tidegate.bench.v1.Items, upstream: items{canary} }}]\n\
             telemetry: {{ access_log: off{telemetry} }}\n\
             {more}"
        )
    }

    /// Traces and metrics to the collector, at ten times the usual rate of metrics.
    fn with_otlp(&self, sample: &str) -> String {
        let Self { collector, interval, .. } = self;
        self.text(
            "",
            "",
            &format!(", otlp: {{ endpoint: 'http://{collector}', sample: {sample}, interval: {interval} }}"),
            "",
        )
    }

    fn with_traffic(&self) -> String {
        let map = "metadata:\n\
                   \x20 map: { x-request-id: request-id, x-env: env, x-user-id: user_id }\n\
                   \x20 set: { canary: \"%CANARY%\", edge: tidegate }\n";
        let next = format!("  items-next: {{ endpoints: [{}], schema: {{ like: items }} }}\n", self.upstream);
        self.text(&next, ", canary: [{ to: items-next, hash: { header: x-user-id, below: 10% } }]", "", map)
    }
}
