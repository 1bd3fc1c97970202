//! The `tidegate` program: an API gateway for gRPC services.
//!
//! **Owns** the command line, the exit codes, the log, the signals, and putting the rooms together.
//!
//! **Does not** decide anything about configs, routes or requests: it calls those who do.
//!
//! **Invariant**: whatever goes wrong is told on standard error, once, in words, and ends in a documented
//! exit code.
#![forbid(unsafe_code)]

mod admin;
mod bench;
mod breakers;
mod change;
mod check;
mod cli;
mod exit;
mod finders;
mod follow;
mod limits;
mod load;
mod logging;
mod otlp;
mod outlets;
mod routes;
mod run;
mod schema;
mod serve;
mod source;
mod start;
mod stores;
mod supervisor;
mod upstreams;

#[cfg(feature = "demo")]
mod demo;
#[cfg(not(feature = "demo"))]
#[path = "no_demo.rs"]
mod demo;

use clap::Parser as _;
use cli::{Cli, Command};
use exit::Exit;
use std::process::ExitCode;

/// Small allocations of many short-lived requests on few threads are what it is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version come this way as well, to standard output and with 0.
        Err(message) => {
            let _ = message.print();
            return if message.use_stderr() { Exit::Usage } else { Exit::Success }.into();
        }
    };
    let log = logging::start(&cli.log());
    let exit = match cli.command {
        Command::Run(arguments) => run::run(&arguments, log),
        Command::Check(check) => check::check(&check.config.config, check.online),
        Command::Diff(running) => change::diff(&running),
        Command::Reload(running) => change::reload(&running),
        Command::Upstreams(running) => upstreams::upstreams(&running),
        Command::Limits(arguments) => limits::run(&arguments),
        Command::Routes(arguments) => routes::run(&arguments),
        Command::Breakers(arguments) => breakers::run(&arguments),
        Command::Schema(arguments) => schema::schema(&arguments),
        Command::Bench { bench } => bench::run(&bench),
        Command::Demo(arguments) => demo::run(&arguments, log),
        Command::Version => exit::print(&format!("tidegate {}\n", cli::VERSION)),
    };
    exit.into()
}
