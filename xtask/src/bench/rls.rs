//! `cargo xtask bench rls`: a decision of our rate limit service beside one of envoyproxy/ratelimit, over the same Redis
//! with the same rules, and beside tonic's bare echo.
//!
//! They take turns, round by round, with 1000 calls at a time; medians are compared. What is counted is the time of the
//! service and of Redis together.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::golang::{self, Module};
use crate::proc::{self, Workspace};
use crate::servers;
use crate::subject::Subject;

/// The peer.
const RATELIMIT: Module = Module {
    path: "github.com/envoyproxy/ratelimit/src/service_cmd",
    version: "v1.4.1-0.20260122083618-3fb702589d36",
    name: "ratelimit",
};

/// A limit that nothing reaches: every call is decided by the store.
const RULES: &str = "\
domain: bench
descriptors:
  - key: key
    rate_limit: { unit: second, requests_per_unit: 1000000 }
";

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rounds; each measures every service with every kind of keys once.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// The peer's program, if it is there already; else it is installed with Go.
    #[arg(long)]
    ratelimit: Option<std::path::PathBuf>,
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
struct Figures {
    decisions: f64,
    /// A second.
    rate: f64,
    /// Microseconds of a decision.
    service: f64,
    redis: f64,
    p99: f64,
}

/// Starts all, measures, prints.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let ours = workspace.build("tidegate", "tidegate", "release")?;
    let bench = workspace.build("tidegate-bench", "rls-bench", "release")?;
    let peer = match &args.ratelimit {
        Some(program) => program.clone(),
        None => golang::program(workspace, RATELIMIT)?,
    };
    servers::redis(workspace)?;
    let folder = cache::fresh(&cache::folder(workspace)?.join("bench-rls"))?;
    let redis = start_redis(workspace)?;
    let subjects = [
        start_peer(&peer, &folder, &redis.address)?,
        start_ours(&ours, &folder, &redis.address)?,
        Subject::on_free_port("tonic's echo", |address| {
            let mut command = Command::new(&bench);
            command.args(["echo", "--address", address]);
            Ok(command)
        })?,
    ];
    for (keys, what) in [("hot", "one hot key"), ("uniform", "10 000 keys")] {
        let mut rounds: Vec<Vec<Figures>> = vec![Vec::new(); subjects.len()];
        for _ in 0..args.rounds {
            for (subject, figures) in subjects.iter().zip(&mut rounds) {
                figures.push(measure(&bench, subject, &redis, keys, args.seconds)?);
            }
        }
        println!("{what}, 1000 calls at a time, median of {} rounds", args.rounds);
        println!(
            "{:16} {:>12} {:>12} {:>12} {:>8} {:>10}",
            "", "decisions/s", "service µs", "Redis µs", "ratio", "p99 ms"
        );
        let whole = |figures: &[Figures]| median(figures, |one| one.service + one.redis);
        for (subject, figures) in subjects.iter().zip(&rounds) {
            println!(
                "{:16} {:>12.0} {:>12.2} {:>12.2} {:>8.3} {:>10.1}",
                subject.name,
                median(figures, |one| one.rate),
                median(figures, |one| one.service),
                median(figures, |one| one.redis),
                whole(figures) / whole(&rounds[0]),
                median(figures, |one| one.p99) / 1000.0,
            );
        }
    }
    Ok(())
}

fn start_redis(workspace: &Workspace) -> Result<Subject> {
    let root = cache::folder(workspace)?.join("redis");
    Subject::on_free_port("Redis", |address| {
        let (_, port) = address.rsplit_once(':').context("an address has a port")?;
        let mut command = Command::new(root.join("usr/bin/redis-server"));
        command.env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"));
        command.args(["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        Ok(command)
    })
}

/// As it ships, with its metrics off.
fn start_peer(program: &Path, folder: &Path, redis: &str) -> Result<Subject> {
    let runtime = folder.join("runtime/config");
    fs::create_dir_all(&runtime)?;
    fs::write(runtime.join("bench.yaml"), RULES)?;
    let others: Vec<String> = (0..2)
        .map(|_| Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string()))
        .collect::<Result<_>>()?;
    Subject::on_free_port("envoyproxy", |address| {
        let (_, port) = address.rsplit_once(':').context("an address has a port")?;
        let mut command = Command::new(program);
        command
            .env("GRPC_PORT", port)
            .env("GRPC_HOST", "127.0.0.1")
            .env("PORT", &others[0])
            .env("DEBUG_PORT", &others[1]);
        command.env("USE_STATSD", "false").env("DISABLE_STATS", "true").env("LOG_LEVEL", "error");
        command.env("REDIS_SOCKET_TYPE", "tcp").env("REDIS_URL", redis);
        command.env("RUNTIME_ROOT", folder).env("RUNTIME_SUBDIRECTORY", "runtime").env("RUNTIME_WATCH_ROOT", "false");
        Ok(command)
    })
}

fn start_ours(program: &Path, folder: &Path, redis: &str) -> Result<Subject> {
    fs::write(folder.join("rules.yaml"), RULES)?;
    Subject::on_free_port("tidegate", |address| {
        let file = folder.join("tidegate.yaml");
        let text = format!(
            "workers: 1\nstores: {{ redis: {{ url: 'redis://{redis}', budget: 1s, after_loss: whole }} }}\n\
             rate_limit_service: {{ bind: '{address}', config: [rules.yaml], store: redis }}\n"
        );
        fs::write(&file, text)?;
        let mut command = Command::new(program);
        command.args(["run", "-c"]).arg(file);
        Ok(command)
    })
}

fn measure(bench: &Path, subject: &Subject, redis: &Subject, keys: &str, seconds: f64) -> Result<Figures> {
    let pids = format!("{},{}", subject.id(), redis.id());
    let mut command = Command::new(bench);
    command.args(["load", "--address", &subject.address, "--keys", keys, "--pids", &pids]);
    let said = proc::output(command.arg("--seconds").arg(seconds.to_string()))?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [decisions, _, millis, _, p99, service, redis] = numbers[..] else {
        anyhow::bail!("the bench said {said:?}");
    };
    let each = |millis: f64| millis * 1000.0 / decisions;
    let rate = decisions * 1000.0 / millis;
    Ok(Figures { decisions, rate, service: each(service), redis: each(redis), p99 })
}

fn median(figures: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut all: Vec<f64> = figures.iter().filter(|one| one.decisions > 0.0).map(of).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}
