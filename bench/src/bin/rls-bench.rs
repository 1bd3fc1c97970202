//! Calls of a rate limit service, and the floor beside it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tidegate_bench::rls::{Keys, Load, echo, measure};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Asks, and prints decisions, calls over the limit, milliseconds, p50 and p99 in microseconds, and the CPU
    /// milliseconds of each process, separated by blanks.
    Load {
        /// host:port
        #[arg(long)]
        address: String,
        /// Which keys.
        #[arg(long)]
        keys: Keys,
        /// Calls at a time.
        #[arg(long, default_value_t = 1000)]
        in_flight: usize,
        /// Connections; 1000 calls do not fit on one of some servers.
        #[arg(long, default_value_t = 4)]
        connections: usize,
        /// Seconds.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// Processes whose time is counted.
        #[arg(long, value_delimiter = ',')]
        pids: Vec<u32>,
    },
    /// Serves tonic's bare echo.
    Echo {
        /// host:port
        #[arg(long)]
        address: SocketAddr,
    },
}

fn main() -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    match Cli::parse().command {
        Command::Echo { address } => runtime.block_on(echo(address)),
        Command::Load { address, keys, in_flight, connections, seconds, pids } => {
            let time = Duration::from_secs_f64(seconds);
            let load = Load { address, keys, in_flight, connections, time, pids };
            let measured = runtime.block_on(measure(&load))?;
            let cpu: Vec<String> = measured.cpu.iter().map(|cpu| cpu.as_millis().to_string()).collect();
            let (p50, p99) = (measured.percentile(50), measured.percentile(99));
            let time = measured.time.as_millis();
            println!("{} {} {time} {p50} {p99} {}", measured.decisions, measured.over, cpu.join(" "));
            Ok(())
        }
    }
}
