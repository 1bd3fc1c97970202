//! The command line.

use crate::demo;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// The version of the program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

const EXIT_CODES: &str = "\
Exit codes:
  0   done; for `run` also after SIGTERM or SIGINT
  1   failed while running, or a port could not be had
  2   wrong usage
  69  something that the config needs is not there (protoc for files of protobuf editions)
  78  the config, or a schema that it names, is wrong";

/// API gateway for gRPC services: REST/JSON in, gRPC out.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// What to log: a level (error, warn, info, debug, trace, off), or levels by module, as in
    /// `info,h2=debug`. Logs go to standard error: for people on a terminal, else as JSON.
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info", value_parser = targets)]
    pub(crate) log: Targets,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve.
    Run(Config),
    /// Check the config and the schemas that it names; every error at once.
    Check(Config),
    /// Show which HTTP requests become which calls.
    Routes(Config),
    /// Start the example shop and a gateway before it.
    #[command(hide = demo::HIDDEN)]
    Demo(demo::Arguments),
    /// Show the version.
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The config file. Paths in it are relative to its folder.
    #[arg(short, long, value_name = "FILE", default_value = "tidegate.yaml")]
    pub(crate) config: PathBuf,
}

/// A word alone is a level: `Targets` by itself would take any other for the name of a module.
fn targets(text: &str) -> Result<Targets, String> {
    const EXPECTED: &str = "expected a level such as `info`, or levels by module such as `info,h2=debug`";
    for part in text.split(',') {
        let level = part.rsplit('=').next().unwrap_or(part);
        level.parse::<LevelFilter>().map_err(|_| EXPECTED.to_owned())?;
    }
    text.parse().map_err(|_| EXPECTED.to_owned())
}
