//! Decisions about limits that are kept in a Redis: how many, how fast, and what they ask of it.

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum as _};
use tidegate_bench::limits::{Keys, Load, Quota, Way, measure, print};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct Cli {
    /// redis://host:port; keys that begin with `bench:` are written and expire.
    #[arg(long)]
    store: String,
    /// How many ask at one time.
    #[arg(long, value_delimiter = ',', default_value = "1000")]
    callers: Vec<u64>,
    /// Which keys they ask for.
    #[arg(long, value_delimiter = ',', default_value = "hot,uniform,zipf")]
    keys: Vec<Keys>,
    /// The ways to compare.
    #[arg(long, value_delimiter = ',', default_value = "naive,plain,combining,leases")]
    ways: Vec<Way>,
    /// Seconds for each line.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&cli))
}

async fn run(cli: &Cli) -> Result<()> {
    let time = Duration::from_secs(cli.seconds);
    let ways = || Way::value_variants().iter().copied().filter(|way| cli.ways.contains(way));
    for keys in cli.keys.iter().copied() {
        for callers in cli.callers.iter().copied() {
            let mut naive = None;
            for way in ways() {
                // What it can decide says which limit refuses three of ten.
                let (url, endless) = (cli.store.clone(), Quota { rate: 1 << 30, burst: 1 << 40 });
                let load = Load { url, way, keys, callers, quota: endless, offered: None, time: time / 2 };
                let free = measure(&load).await?;
                let most = free.decisions * 1000 / u64::try_from(free.time.as_millis())?.max(1);
                let rate = (most * 7 / 10 / keys.count()).max(1);
                let load = Load { quota: Quota { rate, burst: (rate / 10).max(1) }, time, ..load };
                let closed = measure(&load).await?;
                print(&load, &closed);
                if way == Way::Naive {
                    naive = Some(closed.decisions * 800 / u64::try_from(closed.time.as_millis())?.max(1));
                }
            }
            for way in ways() {
                let Some(offered) = naive else { continue };
                let rate = (offered * 7 / 10 / keys.count()).max(1);
                let quota = Quota { rate, burst: (rate / 10).max(1) };
                let load = Load { url: cli.store.clone(), way, keys, callers, quota, offered: Some(offered), time };
                print(&load, &measure(&load).await?);
            }
        }
    }
    Ok(())
}
