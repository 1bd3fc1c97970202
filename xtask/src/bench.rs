//! `cargo xtask bench`: measurements beside the peers, in one run on one machine.

mod codec;
mod decide;
pub(crate) mod envoy;
mod figures;
mod instructions;
mod limits;
mod overhead;
mod rls;

use anyhow::Result;

use crate::proc::Workspace;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Ours, Envoy's transcoder and a bare hop, in turn, before the same upstream.
    Envoy(envoy::Args),
    /// What telemetry, and what a canary with a header map, add to a call; in turn, before the same upstream.
    #[command(alias = "telemetry")]
    Overhead(overhead::Args),
    /// Instructions of the codec alone, beside prost-reflect and serde_json.
    Codec(codec::Args),
    /// Decisions about limits of one process, beside the `governor` crate: time, instructions, memory.
    Decide(decide::Args),
    /// Decisions about limits in Redis: a call for each, batches, combining, leases.
    Limits(limits::Args),
    /// A decision of the rate limit service, beside envoyproxy/ratelimit over the same Redis and a bare echo.
    Rls(rls::Args),
}

/// Runs one measurement.
pub(crate) fn run(workspace: &Workspace, bench: Bench) -> Result<()> {
    match bench {
        Bench::Envoy(args) => envoy::run(workspace, &args),
        Bench::Overhead(args) => overhead::run(workspace, &args),
        Bench::Codec(args) => codec::run(workspace, &args),
        Bench::Decide(args) => decide::run(workspace, &args),
        Bench::Limits(args) => limits::run(workspace, &args),
        Bench::Rls(args) => rls::run(workspace, &args),
    }
}
