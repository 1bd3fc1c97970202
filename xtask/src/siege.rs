//! `cargo xtask siege`: each attack against a release build, with clients in good faith beside it.
//!
//! How each attack has to end is asserted by `tidegate/tests/siege.rs`; this measures what it costs: the memory that
//! the gateway holds, and the latency of the others. What the figures mean is in `tests/siege/README.md`.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::cache;
use crate::proc::{self, Workspace};
use crate::subject::Subject;

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only attacks whose name contains one of these words.
    attack: Vec<String>,
    /// Seconds for each measurement; every attack has one without it and one beside it, in each round.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Rounds; the one in the middle counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Attackers at one time, which come back 50 ms after they are done.
    #[arg(long, default_value_t = 4)]
    attackers: usize,
}

/// Prints a table of all attacks; an error if one is beyond its goals.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let program = workspace.build("tidegate", "tidegate", "release")?;
    let siege = workspace.build("tidegate-siege", "tidegate-siege", "release")?;
    let folder = cache::fresh(&cache::folder(workspace)?.join("siege"))?;
    let upstream = Subject::reporting("upstream", Command::new(&siege).arg("upstream"))?;
    let protos = workspace.root.join("tests/siege/proto");
    let gateway = Subject::on_free_port("tidegate", |address| {
        let file = folder.join("tidegate.yaml");
        fs::write(&file, config(address, &upstream.address, &protos.display().to_string()))?;
        let mut command = Command::new(&program);
        command.args(["--log", "error", "run", "-c"]).arg(file);
        Ok(command)
    })?;
    let mut command = Command::new(&siege);
    command.args(["measure", &gateway.address, &gateway.id().to_string()]);
    command.args([args.seconds.to_string(), args.rounds.to_string(), args.attackers.to_string()]).args(&args.attack);
    proc::run(&mut command)
}

/// Timeouts are short, so that attacks which wait for them end within the measurement.
fn config(address: &str, upstream: &str, protos: &str) -> String {
    format!(
        "listeners:
  - bind: {address}
    headers: {{ timeout: 2s }}
    body: {{ timeout: 2s }}
    write_timeout: 2s
    idle_timeout: 2s
    h2: {{ ping_interval: 2s, ping_timeout: 2s }}
upstreams:
  siege: {{ endpoints: [{upstream}], schema: {{ proto: [{protos}] }} }}
routes:
  - {{ service: tidegate.siege.v1.Siege, upstream: siege, timeout: 5s }}
telemetry: {{ access_log: off }}
"
    )
}
