//! `cargo xtask bench overhead`: what a feature adds to the cost of a call.
//!
//! One gateway without it and one with it for each feature, one worker each, before the same two endpoints, access log
//! off. They take turns within a round, so that what else the machine does falls on all of them; the ratio is
//! taken within each round, and the median of the rounds is compared with the goal. The collector is a process of
//! its own and is not counted; the thread that sends to it is. `--instructions` counts instead of measuring.

mod features;
mod instructions;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::figures::{Figures, median};
use crate::cache;
use crate::proc::{self, Workspace};
use crate::subject::Subject;
use features::{FEATURES, Feature, Parts};

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
    /// Only features whose name has one of these words in it, and what they are compared with.
    #[arg(long)]
    only: Vec<String>,
    /// The folder of programs that are built already, `tidegate` and `tidegate-bench`.
    #[arg(long)]
    programs: Option<PathBuf>,
}

/// What gateways are started with and before.
struct Programs<'a> {
    ours: PathBuf,
    bench: PathBuf,
    folder: &'a Path,
    proto: PathBuf,
    upstreams: [Subject; 2],
    collector: Subject,
}

impl Programs<'_> {
    /// The gateway with this feature; `run` makes the command of the program.
    fn start(&self, index: usize, interval: &str, run: impl Fn(&Path) -> Command) -> Result<Subject> {
        let feature = &FEATURES[index];
        Subject::on_free_port(feature.name, |address| {
            let file = self.folder.join(format!("{index}.yaml"));
            let endpoints = self.upstreams.each_ref().map(|upstream| upstream.address.as_str());
            let parts = Parts { address, endpoints, collector: &self.collector.address, interval, proto: &self.proto };
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
    let upstream = || Subject::reporting("upstream", Command::new(&bench).arg("upstream"));
    let programs = Programs {
        ours,
        folder: &folder,
        proto: workspace.root.join("bench/proto"),
        // End with this function; the gateways end first.
        upstreams: [upstream()?, upstream()?],
        collector: Subject::reporting("collector", Command::new(&bench).arg("collector"))?,
        bench,
    };
    let chosen = features::chosen(&args.only);
    if args.instructions {
        return count(&programs, &chosen);
    }
    let start = |index: &usize| programs.start(*index, "6s", |ours| Command::new(ours));
    let mut gateways = chosen.iter().map(start).collect::<Result<Vec<_>>>()?;
    let mut rounds: Vec<Vec<Figures>> = Vec::new();
    for round in 1..=args.rounds {
        println!("round {round} of {}", args.rounds);
        // Every second round in the other direction: nobody always comes after the same one.
        let mut order: Vec<usize> = (0..gateways.len()).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        let mut found = Vec::new();
        for at in order {
            let feature = &FEATURES[chosen[at]];
            let figures = measure(&programs.bench, &mut gateways[at], feature, args)?;
            println!("  {:34} {figures}", feature.name);
            found.push((at, figures));
        }
        found.sort_by_key(|(at, _)| *at);
        rounds.push(found.into_iter().map(|(_, figures)| figures).collect());
    }
    tell(&chosen, &rounds)
}

/// Instructions in place of time.
fn count(programs: &Programs<'_>, chosen: &[usize]) -> Result<()> {
    println!("| switched on | beside | instructions per request, user mode | ratio |\n|---|---|--:|--:|");
    let mut all = [f64::NAN; FEATURES.len()];
    for index in chosen {
        let feature = &FEATURES[*index];
        let found = instructions::per_request(programs, *index)?;
        all[*index] = found;
        println!("| {} | {} | {found:.0} | {:.3} |", feature.name, feature.beside(), found / all[feature.beside]);
    }
    Ok(())
}

fn measure(bench: &Path, gateway: &mut Subject, feature: &Feature, args: &Args) -> Result<Figures> {
    gateway.check_alive()?;
    let mut command = Command::new(bench);
    command.args(["load", "--address", &gateway.address, "--scenario", feature.scenario]);
    command.args(["--connections", &args.connections.to_string(), "--window", &args.seconds.to_string()]);
    command.args(["--pid", &gateway.id().to_string()]);
    let line = proc::output(&mut command).with_context(|| format!("load on {}", gateway.name))?;
    Figures::read(&line)
}

fn tell(chosen: &[usize], rounds: &[Vec<Figures>]) -> Result<()> {
    let median_of = rounds.len();
    println!("\n| switched on | beside | CPU per request | ratio, median of {median_of} rounds | from – to | goal | |");
    println!("|---|---|--:|--:|--:|--:|---|");
    let mut missed = Vec::new();
    for (at, index) in chosen.iter().enumerate() {
        let feature = &FEATURES[*index];
        // What is chosen has what it is compared with before it.
        let beside = chosen.iter().position(|index| *index == feature.beside).unwrap_or(at);
        let cpu = median(rounds.iter().map(|round| round[at].cpu_us).collect());
        let mut ratios: Vec<f64> = rounds.iter().map(|round| round[at].cpu_us / round[beside].cpu_us).collect();
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
        let (name, beside) = (feature.name, feature.beside());
        println!("| {name} | {beside} | {cpu:.2} µs | {ratio:.3} | {least:.3} – {most:.3} | {goal} | {mark} |");
    }
    match missed.as_slice() {
        [] => Ok(()),
        missed => bail!("more than the goal: {}", missed.join(", ")),
    }
}
