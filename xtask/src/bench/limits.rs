//! `cargo xtask bench limits`: `tidegate bench limits` before a Redis of our own, in rounds.

use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::proc::{self, Workspace};
use crate::servers;
use crate::subject::Subject;

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A server that is there already: redis://host:port. Else Redis 7 is started.
    #[arg(long)]
    store: Option<String>,
    /// Passed on: `--callers`, `--keys`, `--ways`, `--seconds`, `--rounds`.
    #[arg(last = true)]
    more: Vec<String>,
}

/// What is measured unless something else is asked for.
const USUAL: [&str; 6] = ["--callers", "1000,5000", "--seconds", "2", "--rounds", "3"];

/// Starts the server, runs the bench.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let program = workspace.build("tidegate", "tidegate", "release")?;
    let bench = |store: &str| {
        let mut command = Command::new(&program);
        command.args(["bench", "limits", "--store", store]);
        command.args(USUAL.chunks(2).filter(|pair| !args.more.iter().any(|word| word == pair[0])).flatten());
        proc::run(command.args(&args.more))
    };
    if let Some(store) = &args.store {
        return bench(store);
    }
    servers::redis(workspace)?;
    let root = cache::folder(workspace)?.join("redis");
    let server = Subject::on_free_port("Redis", |address| {
        let (_, port) = address.rsplit_once(':').context("an address has a port")?;
        let mut command = Command::new(root.join("usr/bin/redis-server"));
        command.env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"));
        command.args(["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        Ok(command)
    })?;
    bench(&format!("redis://{}", server.address))
}
