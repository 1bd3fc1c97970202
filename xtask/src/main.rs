//! `cargo xtask`: every task of a developer and of CI, one subcommand each.
//!
//! **Owns** what the tests and benches need from outside (official runners, peers, clients of other
//! languages), fetched by the package managers' ordinary clients into a cache folder, and the order
//! in which everything runs.
//!
//! **Does not** contain a test or a measurement itself: those live in `tests/` and `bench/`.
//!
//! **Invariant**: what could not run is named with its reason, and under `CI=true` it is a failure.

mod apt;
mod bench;
mod cache;
mod conformance;
mod faults;
mod fuzz;
mod generate;
mod golang;
mod h2spec;
mod interop;
mod lint;
mod loom;
mod proc;
mod servers;
mod siege;
mod steps;
mod subject;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tasks of the Tidegate workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install or find what the tests need, and run all of them.
    Test(test::Args),
    /// Every order of a few threads' steps, over the state that threads share.
    Loom,
    /// Formatting, clippy and rustdoc, warnings as errors.
    Lint,
    /// The official protobuf conformance suite against core/protojson.
    Conformance(conformance::Args),
    /// The fuzz targets, under libFuzzer.
    Fuzz(fuzz::Args),
    /// The conformance suite of HTTP/2 against the program.
    H2spec(h2spec::Args),
    /// gRPC's interoperability cases through the gateway, with clients of several languages.
    Interop(interop::Args),
    /// Attacks against the program, and what others notice of them.
    Siege(siege::Args),
    /// Install the servers that `cargo test` runs tests of config sources and of limits against.
    Servers,
    /// Measurements.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Stops under load, upstreams that die, clients that do not read: figures beside their goals.
    Faults(faults::Args),
    /// Regenerate the checked-in generated code (or, with --check, compare it).
    Gen(generate::Args),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let workspace = proc::Workspace::find()?;
    match Cli::parse().task {
        Task::Test(args) => test::run(&workspace, &args),
        Task::Loom => loom::run(&workspace),
        Task::Lint => lint::run(&workspace),
        Task::Conformance(args) => conformance::run(&workspace, &args).map(drop),
        Task::Fuzz(args) => fuzz::run(&workspace, &args),
        Task::H2spec(args) => h2spec::run(&workspace, &args).map(drop),
        Task::Interop(args) => interop::run(&workspace, &args).map(drop),
        Task::Siege(args) => siege::run(&workspace, &args),
        Task::Servers => servers::install(&workspace),
        Task::Bench(bench) => bench::run(&workspace, bench),
        Task::Faults(args) => faults::run(&workspace, &args),
        Task::Gen(args) => generate::run(&workspace, &args),
    }
}
