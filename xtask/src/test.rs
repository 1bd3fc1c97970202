//! `cargo xtask test`: everything, in an order that compiles each profile once.
//!
//! The test profile serves `cargo test`, the conformance testee, the generators and the bench's rigs; the release
//! profile serves the program alone, which `cargo run --release` compiles the same way.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bench::envoy;
use crate::cache::{self, Pypi};
use crate::conformance;
use crate::fuzz;
use crate::generate;
use crate::golang;
use crate::h2spec;
use crate::interop;
use crate::loom;
use crate::proc::{Running, Workspace};
use crate::servers;
use crate::steps::{Outcome, Steps};

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out what needs a release build.
    #[arg(long)]
    no_release: bool,
}

/// The demo's tour takes a few seconds; this is for a machine that is busy.
const DEMO: Duration = Duration::from_secs(120);

/// About four minutes on a core.
const SCHEDULES: &str = "150000";

/// Runs all tests and prints what ran and what did not.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let mut steps = Steps::default();
    steps.run("python's protobuf (oracle for editions)", || {
        Ok(installed(workspace, &[cache::PROTOBUF]).unwrap_or_else(|left_out| left_out))
    });
    steps.run("protoc (editions in .proto folders)", || {
        Ok(installed(workspace, &[cache::PROTOC]).unwrap_or_else(|left_out| left_out))
    });
    steps.run("Envoy (asks the rate limit service)", || {
        Ok(installed(workspace, &[cache::ENVOY]).unwrap_or_else(|left_out| left_out))
    });
    steps.run("etcd (configs that are kept there)", || Ok(built(servers::etcd(workspace))));
    steps.run("Apollo's server for tests", || Ok(built(servers::apollo(workspace))));
    steps.run("Redis and Valkey (limits that are kept there)", || Ok(built(servers::redis(workspace))));
    steps.command("cargo test --workspace", &mut cargo_test(workspace)?);
    steps.run("loom", || {
        loom::run(workspace)?;
        Ok(Outcome::Passed(String::new()))
    });
    steps.command("limits, simulated", &mut limits(workspace));
    steps.run("protobuf conformance", || {
        if let Err(left_out) = installed(workspace, &[cache::PROTOC]) {
            return Ok(left_out);
        }
        let report = conformance::run(workspace, &conformance::Args::default())?;
        Ok(Outcome::Passed(report.to_string()))
    });
    steps.run("fuzz targets, 20000 inputs each", || {
        fuzz::run(workspace, &fuzz::Args::short())?;
        Ok(Outcome::Passed(String::new()))
    });
    steps.run("h2spec", || {
        if let Err(error) = golang::program(workspace, golang::H2SPEC) {
            return Ok(Outcome::LeftOut(format!("{error:#}")));
        }
        let report = h2spec::run(workspace, &h2spec::Args::after_tests())?;
        Ok(Outcome::Passed(report.to_string()))
    });
    steps.run("gRPC interoperability", || {
        if let Err(error) = interop::install(workspace) {
            return Ok(Outcome::LeftOut(format!("{error:#}")));
        }
        Ok(Outcome::Passed(interop::run(workspace, &interop::Args::after_tests())?))
    });
    steps.run("generated code is up to date", || {
        generate::run(workspace, &generate::Args { check: true })?;
        Ok(Outcome::Passed(String::new()))
    });
    if args.no_release {
        let why = || Outcome::LeftOut("--no-release".to_owned());
        steps.run("demo --once", || Ok(why()));
        steps.run("same answers as Envoy", || Ok(why()));
        return steps.finish();
    }
    steps.run("demo --once", || demo(workspace));
    steps.run("same answers as Envoy", || {
        if let Err(left_out) = installed(workspace, &[cache::ENVOY, cache::PROTOC]) {
            return Ok(left_out);
        }
        envoy::run(workspace, &envoy::Args::check_only())?;
        Ok(Outcome::Passed(String::new()))
    });
    steps.finish()
}

/// Installs packages. What cannot be installed here (no network, no wheel for this system) is left
/// out rather than failed: that is this machine's lack, not the code's.
fn installed(workspace: &Workspace, packages: &[Pypi]) -> Result<Outcome, Outcome> {
    for package in packages {
        if let Err(error) = cache::pypi(workspace, *package) {
            return Err(Outcome::LeftOut(format!("{error:#}")));
        }
    }
    Ok(Outcome::Passed(String::new()))
}

/// The same of a server that is built.
fn built(result: Result<()>) -> Outcome {
    result.map_or_else(|error| Outcome::LeftOut(format!("{error:#}")), |()| Outcome::Passed(String::new()))
}

fn cargo_test(workspace: &Workspace) -> Result<Command> {
    let mut command = workspace.cargo(["test", "--workspace", "--no-fail-fast"]);
    command.env("TIDEGATE_CACHE", cache::folder(workspace)?);
    if let Ok(package) = cache::pypi(workspace, cache::PROTOC) {
        let protoc = cache::program(&package, "protoc/_bin/protoc")?;
        command.env("PROTOC", protoc);
    }
    Ok(command)
}

/// More schedules of nodes that share limits than the run of all tests has, with what happened in them.
fn limits(workspace: &Workspace) -> Command {
    let simulation = ["test", "--quiet", "--workspace", "--test", "simulation", "--"];
    let mut command = workspace.cargo(simulation);
    command.args(["--exact", "no_schedule_admits_more_than_the_limit", "--nocapture"]);
    command.env("TIDEGATE_SCHEDULES", SCHEDULES);
    command
}

/// The program as a user builds it makes its own tour.
fn demo(workspace: &Workspace) -> Result<Outcome> {
    let program = workspace.build("tidegate", "tidegate", "release")?;
    let mut command = Command::new(program);
    command.args(["demo", "--once"]).current_dir(&workspace.root).stdin(Stdio::null());
    let mut demo = Running::start("demo --once", &mut command)?;
    let begin = Instant::now();
    loop {
        match demo.ended()? {
            Some(status) if status.success() => return Ok(Outcome::Passed(String::new())),
            Some(status) => bail!("{status}"),
            None if begin.elapsed() > DEMO => bail!("not done after {DEMO:?}"),
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
