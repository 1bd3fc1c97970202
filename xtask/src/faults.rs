//! `cargo xtask faults`: the gateway while it is stopped, while its upstream dies, wholly or in part, before
//! clients that hardly read, while its config changes, while the store of its limits is away, and, with others, while what they
//! share limits over fails. Each run has goals; one that is missed fails the task.

mod discovery;
mod drain;
mod endpoint;
mod endpoints;
mod laggard;
mod limits;
mod memory;
mod overload;
mod place;
mod reload;
mod report;
mod restart;
mod rig;
mod slow;
mod stalled;
mod store;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::proc::Workspace;
use report::Report;
use rig::Rig;

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which; without any, all of them.
    run: Vec<Fault>,
    /// Stops of the gateway, for each protocol.
    #[arg(long, default_value_t = 20)]
    drains: u64,
    /// Changes of the config, for each protocol and each place where configs are kept.
    #[arg(long, default_value_t = 100)]
    reloads: u32,
    /// Calls of 20 ms that the overloaded service works on at once.
    #[arg(long, default_value_t = 40)]
    at_once: u32,
    /// Idle connections.
    #[arg(long, default_value_t = 10_000)]
    connections: u32,
    /// Rounds with and without stalled readers, and through each gateway before a slow endpoint.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seconds of each trouble of an endpoint.
    #[arg(long, default_value_t = 60)]
    endpoint_seconds: u64,
    /// Rounds of changes of the endpoints that are found, for each place where they are.
    #[arg(long, default_value_t = 3)]
    changes: usize,
    /// Rounds of all that happens to gateways that share limits.
    #[arg(long, default_value_t = 1)]
    limit_rounds: u32,
    /// The cargo profile of the programs; figures count with `release` only.
    #[arg(long, default_value = "release")]
    profile: String,
    /// The folder of programs that are built already, `tidegate` and `tidegate-faults`.
    #[arg(long)]
    programs: Option<PathBuf>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fault {
    /// SIGTERM under 2 000 requests a second, on HTTP/1.1 and on HTTP/2.
    Drain,
    /// The config changes 100 times under 2 000 requests a second, broken ones in between: in a file, in etcd,
    /// which is killed meanwhile, and in Apollo.
    Reload,
    /// The upstream is killed and started again under 2 000 requests a second.
    Restart,
    /// Three times the calls that a service can do, a twentieth of them critical.
    Overload,
    /// One of three endpoints is killed, paused, slow, or fails half of its calls, under 1 000 requests a second;
    /// then all three are down.
    Endpoints,
    /// Endpoints come and go in DNS and in etcd, which fail meanwhile, under 1 000 requests a second.
    Discovery,
    /// One of three endpoints is ten times slower, before us and before Envoy.
    SlowEndpoint,
    /// 10 000 idle keep-alive connections.
    Idle,
    /// A client that reads one byte a second of 1 GiB.
    SlowReader,
    /// 64 such clients beside 500 requests a second, on the same upstream connection.
    Stalled,
    /// The store of limits is stopped, hangs, is slow, full, read-only, or comes back empty.
    Store,
    /// Three gateways share limits: their clocks are wrong, they hang and are killed, and so is the store.
    Limits,
}

const ALL: [Fault; 12] = [
    Fault::Drain,
    Fault::Reload,
    Fault::Restart,
    Fault::Overload,
    Fault::Endpoints,
    Fault::Discovery,
    Fault::SlowEndpoint,
    Fault::Idle,
    Fault::SlowReader,
    Fault::Stalled,
    Fault::Store,
    Fault::Limits,
];

/// Makes the runs and prints what was found beside what was to be found.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let rig = match &args.programs {
        Some(folder) => Rig::of(workspace, folder.join("tidegate"), folder.join("tidegate-faults")),
        None => Rig::build(workspace, &args.profile),
    }?;
    let mut report = Report::default();
    for fault in if args.run.is_empty() { &ALL[..] } else { &args.run } {
        match fault {
            Fault::Drain => drain::run(&rig, args.drains, &mut report)?,
            Fault::Reload => reload::run(workspace, &rig, args.reloads, &mut report)?,
            Fault::Restart => restart::run(&rig, &mut report)?,
            Fault::Overload => overload::run(&rig, args.at_once, &mut report)?,
            Fault::Endpoints => endpoints::run(&rig, args.endpoint_seconds, &mut report)?,
            Fault::Discovery => discovery::run(workspace, &rig, args.changes, &mut report)?,
            Fault::SlowEndpoint => slow::run(workspace, &rig, args.rounds, &mut report)?,
            Fault::Idle => memory::idle(&rig, args.connections, &mut report)?,
            Fault::SlowReader => memory::slow_reader(&rig, &mut report)?,
            Fault::Stalled => stalled::run(&rig, args.rounds, &mut report)?,
            Fault::Store => store::run(&rig, &mut report)?,
            Fault::Limits => limits::run(workspace, &rig, args.limit_rounds, &mut report)?,
        }
    }
    println!("\n{report}");
    match report.missed() {
        0 => Ok(()),
        missed => bail!("{missed} of the goals were missed"),
    }
}
