//! The command line.

use crate::bench::Bench;
use crate::source::Place;
use crate::{breakers, demo, limits, routes, schema};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// The version of the program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The config file where none is named.
const DEFAULT_CONFIG: &str = "tidegate.yaml";

const EXIT_CODES: &str = "\
Exit codes:
  0   done; for `run` also after SIGTERM or SIGINT
  1   failed while running, or a port could not be had
  2   wrong usage
  69  something that is needed is not there (protoc for files of protobuf editions, or
      an upstream that was asked for its schema, or the admin port of a running gateway)
  78  the config, or a schema that it names, is wrong";

/// API gateway for gRPC services: REST/JSON in, gRPC out.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// What to log: a level (error, warn, info, debug, off), or levels by module, as in `info,h2=debug`;
    /// `trace` says more than `debug` in debug builds alone. Logs go to standard error: for people on a
    /// terminal, else as JSON.
    /// [default: info; error for commands that do not serve]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = targets)]
    log: Option<Targets>,
}

impl Cli {
    /// What to log. A command that ends tells what went wrong by itself.
    pub(crate) fn log(&self) -> Targets {
        let serves = matches!(self.command, Command::Run(_) | Command::Demo(_));
        let level = if serves { LevelFilter::INFO } else { LevelFilter::ERROR };
        self.log.clone().unwrap_or_else(|| Targets::new().with_default(level))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve, and take on every change of the config.
    Run(Run),
    /// Check the config and the schemas that it names; every error at once.
    Check(Check),
    /// Show which HTTP requests become which calls, or what becomes of one.
    Routes(routes::Arguments),
    /// Show in what the config differs from the one that a running gateway has in force.
    Diff(Running),
    /// Let a running gateway read its config again, and tell whether it took it.
    Reload(Running),
    /// Show the endpoints of a running gateway's upstreams: which are used, and why others are not.
    Upstreams(Running),
    /// Show the circuit breakers of a running gateway, or tell one what to do.
    Breakers(breakers::Arguments),
    /// Show the rate limits of a running gateway, and what is used of a budget; or make one whole.
    Limits(limits::Arguments),
    /// Show the services, methods and files that the gateway would use, or write them to a file.
    Schema(schema::Arguments),
    /// Measure what these machines can do.
    Bench {
        #[command(subcommand)]
        bench: Bench,
    },
    /// Start the example shop and a gateway before it.
    #[command(hide = demo::HIDDEN)]
    Demo(demo::Arguments),
    /// Show the version.
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The config: a file, or a folder whose .yaml files are one config. It is watched, with the files that
    /// it names. [default: tidegate.yaml]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// A config that is kept elsewhere: `etcd://HOST:PORT/KEY` (all keys below it if it ends in `/`) or
    /// `apollo://HOST:PORT/APP/NAMESPACE`. Several hosts, and several namespaces, are separated by commas. It is
    /// followed as it changes. Paths in it are relative to the current folder.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub(crate) from: Option<Place>,

    /// A folder in which the config in force, the schemas that upstreams told and the plans of canaries are kept.
    /// If the config is wrong or its source is away at the next start, that one is served; so is the schema of an
    /// upstream that is away; plans go on where they were.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
}

/// Where a config comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A file or a folder.
    File(PathBuf),
    /// etcd or Apollo.
    Elsewhere(Place),
}

impl Run {
    /// What the options say; they exclude each other.
    pub(crate) fn from(&self) -> From {
        match &self.from {
            Some(place) => From::Elsewhere(place.clone()),
            None => From::File(self.config.clone().unwrap_or_else(|| DEFAULT_CONFIG.into())),
        }
    }
}

/// A gateway that runs.
#[derive(Debug, Args)]
pub(crate) struct Running {
    /// The config file; it also says where the admin port is, and its token.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(crate) config: PathBuf,

    /// The admin port, if it is not the one that the config names. The token is then read from the
    /// environment variable TIDEGATE_ADMIN_TOKEN.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) admin: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The config file. Paths in it are relative to its folder.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: Config,

    /// Ask upstreams with `schema: { reflection: true }` for their schema, and check that too.
    #[arg(long)]
    pub(crate) online: bool,
}

/// A word alone is a level: `Targets` by itself would take any other for the name of a module.
pub(crate) fn targets(text: &str) -> Result<Targets, String> {
    const EXPECTED: &str = "expected a level such as `info`, or levels by module such as `info,h2=debug`";
    for part in text.split(',') {
        let level = part.rsplit('=').next().unwrap_or(part);
        level.parse::<LevelFilter>().map_err(|_| EXPECTED.to_owned())?;
    }
    text.parse().map_err(|_| EXPECTED.to_owned())
}
