//! The parts of the fault runs as processes, one subcommand each; `cargo xtask faults` starts them.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tidegate_bench::faults::traffic::{self, Plan, Protocol};
use tidegate_bench::faults::{quiet, upstream};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Serve the gRPC upstream; prints the address it listens on. Obeys orders on its standard input: `delay MS`,
    /// `fail PERCENT` and `stop`.
    Upstream {
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: String,
        /// Milliseconds before a unary call is answered.
        #[arg(long, default_value_t = 5)]
        delay: u64,
        /// The file that ids of unary calls are appended to.
        #[arg(long)]
        journal: Option<PathBuf>,
        /// Unary calls that it works on at once; others wait. 0 is any number.
        #[arg(long, default_value_t = 0)]
        at_once: usize,
        /// What answers say of it, and of the metadata `x-probe` and `x-injected` of their call.
        #[arg(long)]
        name: Option<String>,
    },
    /// Send requests at a fixed rate; prints one line of JSON.
    Traffic {
        #[arg(long)]
        address: String,
        #[arg(long)]
        protocol: Protocol,
        /// The host that is asked; several are by turns.
        #[arg(long = "host", default_value = "bench.local")]
        hosts: Vec<String>,
        #[arg(long, default_value_t = 64)]
        connections: usize,
        /// Requests a second.
        #[arg(long, default_value_t = 2000)]
        rate: u32,
        /// Streams at a time.
        #[arg(long, default_value_t = 0)]
        streams: usize,
        /// All streams end by themselves.
        #[arg(long)]
        short: bool,
        /// Native calls; over HTTP/2.
        #[arg(long)]
        native: bool,
        /// Seconds to send (at most 600).
        #[arg(long)]
        seconds: f64,
        /// End when nobody listens any more.
        #[arg(long)]
        until_refused: bool,
        /// End with the standard input.
        #[arg(long)]
        until_told: bool,
        /// What every id begins with.
        #[arg(long, default_value = "r")]
        ids: String,
        /// POST instead of GET.
        #[arg(long)]
        post: bool,
        /// How an answer may end; any other is wrong. Without any, all are right.
        #[arg(long)]
        ends: Vec<String>,
    },
    /// Hold idle connections; prints `ready`, ends with the standard input.
    Idle {
        #[arg(long)]
        address: String,
        #[arg(long)]
        connections: usize,
    },
    /// Read a byte a second of streams of 1 GiB; prints `ready`, ends with the standard input.
    SlowReaders {
        #[arg(long)]
        address: String,
        #[arg(long)]
        streams: usize,
    },
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = LocalSet::new().block_on(&runtime, run(Cli::parse().role));
    // Whoever reads the standard input would be waited for.
    runtime.shutdown_background();
    ended
}

async fn run(role: Role) -> Result<()> {
    match role {
        Role::Upstream { listen, delay, journal, at_once, name } => {
            let listener = TcpListener::bind(listen).await?;
            println!("{}", listener.local_addr()?);
            let open = |path| OpenOptions::new().create(true).append(true).open(path);
            let journal = journal.map(open).transpose()?;
            let delay = Cell::new(Duration::from_millis(delay));
            let at_once = (at_once > 0).then(|| Semaphore::new(at_once));
            let (failing, calls) = (Cell::new(0), Cell::new(0));
            let stopped = watch::Sender::new(false);
            let plan = Rc::new(upstream::Plan { delay, failing, calls, at_once, journal, name, stopped });
            tokio::task::spawn_local(obey(Rc::clone(&plan)));
            upstream::serve(listener, plan).await
        }
        Role::Traffic {
            address,
            protocol,
            hosts,
            connections,
            rate,
            streams,
            short,
            native,
            seconds,
            until_refused,
            until_told,
            ids,
            post,
            ends,
        } => {
            let time = Duration::from_secs_f64(seconds.clamp(0.0, 600.0));
            let told = Cell::new(false);
            let plan = Rc::new(Plan {
                address,
                hosts,
                protocol,
                connections,
                rate,
                streams,
                short,
                native,
                time,
                told,
                until_refused,
                ids,
                post,
                ends,
            });
            if until_told {
                tokio::task::spawn_local(hear(Rc::clone(&plan)));
            }
            println!("{}", traffic::run(plan).await?.to_json());
            Ok(())
        }
        Role::Idle { address, connections } => quiet::idle(&address, connections).await,
        Role::SlowReaders { address, streams } => quiet::slow_readers(&address, streams).await,
    }
}

/// Tells clients that the standard input has ended.
async fn hear(plan: Rc<Plan>) {
    // That it cannot be read is an end too.
    drop(tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await);
    plan.told.set(true);
}

/// Does as the standard input says, for as long as it says anything.
async fn obey(plan: Rc<upstream::Plan>) -> Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        plan.obey(line.parse()?);
    }
    Ok(())
}
