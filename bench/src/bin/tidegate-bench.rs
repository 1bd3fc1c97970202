//! The rigs as processes, one subcommand each; `cargo xtask bench` starts them.

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tidegate_bench::load::{self, Plan};
use tidegate_bench::scenario::Scenario;
use tidegate_bench::{collector, floor, upstream};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

// The product's allocator: the floor must not differ from it in this.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Serve the gRPC upstream; prints the address it listens on.
    Upstream,
    /// Take telemetry and keep nothing; prints the address it listens on.
    Collector,
    /// Serve the bare hop; prints the address it listens on.
    Floor {
        /// The upstream's address.
        #[arg(long)]
        upstream: String,
    },
    /// Print one answer's body.
    Answer {
        /// The gateway's address.
        #[arg(long)]
        address: String,
        /// What to ask.
        #[arg(long)]
        scenario: Scenario,
    },
    /// Ask one request after the other, on one connection.
    Ask {
        /// The gateway's address.
        #[arg(long)]
        address: String,
        /// What to ask.
        #[arg(long)]
        scenario: Scenario,
        /// How often.
        #[arg(long)]
        requests: u32,
    },
    /// Put load on a gateway; prints one line of JSON.
    Load {
        /// The gateway's address.
        #[arg(long)]
        address: String,
        /// What to ask.
        #[arg(long)]
        scenario: Scenario,
        /// Connections, one request at a time on each.
        #[arg(long, default_value_t = 32)]
        connections: usize,
        /// Not counted, in seconds.
        #[arg(long, default_value_t = 1.0)]
        warm_up: f64,
        /// Counted, in seconds (at most 600).
        #[arg(long, default_value_t = 5.0)]
        window: f64,
        /// The gateway's process.
        #[arg(long)]
        pid: Option<u32>,
    },
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(Cli::parse().role))
}

async fn run(role: Role) -> Result<()> {
    match role {
        Role::Upstream => upstream::serve(listen().await?).await,
        Role::Collector => collector::serve(listen().await?).await,
        Role::Floor { upstream } => floor::serve(listen().await?, &upstream).await,
        Role::Answer { address, scenario } => {
            let body = load::answer(&address, scenario).await?;
            println!("{}", String::from_utf8(body)?);
            Ok(())
        }
        Role::Ask { address, scenario, requests } => load::ask(&address, scenario, requests).await,
        Role::Load { address, scenario, connections, warm_up, window, pid } => {
            let plan = Plan {
                address,
                scenario,
                connections,
                warm_up: Duration::from_secs_f64(warm_up.clamp(0.0, 60.0)),
                window: Duration::from_secs_f64(window.clamp(0.0, 600.0)),
                pid,
            };
            println!("{}", load::run(&plan).await?.to_json());
            Ok(())
        }
    }
}

/// A port of the system's choice, which is printed for the process that started us.
async fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}
