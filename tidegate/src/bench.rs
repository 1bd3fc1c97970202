//! `tidegate bench`: what the machines of a user can do.

mod limits;

use crate::exit::Exit;
use clap::Subcommand;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Decisions about limits that gateways share: how many a second, how long they take, and what they ask of the
    /// store; by each way to ask it, beside the usual one (a connection for each caller, a call for each decision).
    ///
    /// The store is used while it runs: choose one that is not in use, or a quiet time. Keys of the bench begin with
    /// a prefix of its own and are removed at the end (with `+scan +unlink`; else they expire).
    Limits(limits::Arguments),
}

/// Measures.
pub(crate) fn run(bench: &Bench) -> Exit {
    match bench {
        Bench::Limits(arguments) => limits::run(arguments),
    }
}
