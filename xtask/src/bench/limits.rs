//! `cargo xtask bench limits`: decisions about limits in a Redis of our own, by each way to ask it.

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
    /// Passed on to the bench: `--callers`, `--keys`, `--ways`, `--seconds`.
    #[arg(last = true)]
    more: Vec<String>,
}

/// Starts the server, runs the bench.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let program = workspace.build("tidegate-bench", "limits-bench", "release")?;
    if let Some(store) = &args.store {
        return proc::run(Command::new(program).args(["--store", store]).args(&args.more));
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
    let store = format!("redis://{}", server.address);
    proc::run(Command::new(program).args(["--store", &store]).args(&args.more))
}
