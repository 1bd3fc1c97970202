//! `tidegate bench limits`: decisions about limits in a user's own Redis, by each way to ask it.

mod decider;
mod keys;
mod load;
mod table;
mod times;

use self::decider::{Quota, Way};
use self::keys::Keys;
use self::load::{Load, Measured, Store, measure};
use crate::exit::{self, Exit};
use clap::{Args, ValueEnum as _};
use std::sync::Arc;
use std::time::Duration;
use tidegate_redis::{Address, Clock, Config, Console};
use tidegate_telemetry::{clock, random};
use tokio::runtime;

/// What to measure, and against what.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where limits are kept: redis://user:password@host:port/database (all but the host may be left out),
    /// redis-sentinel://…, redis-cluster://…; rediss… for TLS. A password can be given in the environment variable
    /// TIDEGATE_BENCH_PASSWORD.
    #[arg(long, value_name = "URL")]
    store: String,

    /// How many ask at one time. The usual way needs a connection for each.
    #[arg(long, value_delimiter = ',', default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    callers: Vec<u32>,

    /// Which keys they ask for.
    #[arg(long, value_delimiter = ',', default_value = "hot,uniform,zipf")]
    keys: Vec<Keys>,

    /// The ways to compare.
    #[arg(long, value_delimiter = ',', default_value = "naive,plain,combining,leases")]
    ways: Vec<Way>,

    /// Seconds for each measurement, 0.1 to 600.
    #[arg(long, default_value = "1", value_parser = seconds)]
    seconds: Duration,

    /// Rounds in which the ways take turns; the median is told.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=99))]
    rounds: u16,
}

/// Of ten decisions this many are meant to be refused.
const REFUSED: f64 = 0.3;
/// Limits that refuse more or less than this are corrected before they are measured.
const BOUNDS: (f64, f64) = (0.15, 0.45);

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let bounds = Duration::from_millis(100)..=Duration::from_mins(10);
    seconds.filter(|seconds| bounds.contains(seconds)).ok_or("expected a number from 0.1 to 600")
}

/// Measures, and removes what it left.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let store = match store(arguments) {
        Ok(store) => store,
        Err(message) => return failed(&message, Exit::Usage),
    };
    let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("no threads: {error}"), Exit::Failure),
    };
    runtime.block_on(async {
        let server = match Console::connect(store.config()).await {
            Ok(console) => format!("{} at {}", console.version(), console.address()),
            Err(failure) => return failed(&failure.to_string(), Exit::Unavailable),
        };
        let told = format!("{server}; keys begin with {}\n{}", store.config().prefix, table::HEAD);
        if exit::print(&told) != Exit::Success {
            return Exit::Failure;
        }
        let outcome = tokio::select! {
            outcome = all(arguments, &store) => outcome,
            _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
        };
        let removed = remove(store.config()).await;
        match (outcome, removed) {
            (Ok(()), true) => Exit::Success,
            (Ok(()), false) => Exit::Failure,
            (Err(message), _) => failed(&message, Exit::Failure),
        }
    })
}

fn failed(message: &str, exit: Exit) -> Exit {
    eprintln!("error: {message}");
    exit
}

/// The store under a prefix that nobody else has.
fn store(arguments: &Arguments) -> Result<Store, String> {
    let mut address = Address::parse(&arguments.store).map_err(|error| error.to_string())?;
    if address.password.is_empty()
        && let Some(password) = std::env::var_os("TIDEGATE_BENCH_PASSWORD")
    {
        address.password = password.into_string().map_err(|_| "TIDEGATE_BENCH_PASSWORD is no text")?;
    }
    let start = clock::now();
    let clock: Clock = Arc::new(move || clock::now().saturating_duration_since(start));
    let prefix = format!("tidegate-bench:{:016x}:", random::u64());
    // Limits begin full, and figures are of a store that is there: nobody gives up early.
    let patience = Duration::from_secs(30);
    let config = Config::new(address, clock);
    Ok(Store::new(Config { prefix, forgiving: true, connect: patience, patience, ..config }))
}

async fn all(arguments: &Arguments, store: &Store) -> Result<(), String> {
    for keys in &arguments.keys {
        for callers in &arguments.callers {
            some(arguments, store, *keys, *callers).await?;
        }
    }
    Ok(())
}

/// All ways to ask for the same keys: as fast as they are answered, and then at a rate that the usual way can bear.
async fn some(arguments: &Arguments, store: &Store, keys: Keys, callers: u32) -> Result<(), String> {
    let time = arguments.seconds;
    let ways = Way::value_variants().iter().copied().filter(|way| arguments.ways.contains(way));
    let ways: Vec<Way> = ways.filter(|way| store.can(*way)).collect();
    let mut loads = Vec::new();
    for way in &ways {
        loads
            .push(limited(store, Load { way: *way, keys, callers, quota: Quota::ENDLESS, offered: None, time }).await?);
    }
    let free = rounds(arguments, store, &loads).await?;
    let naive = free.iter().find(|(load, _)| load.way == Way::Naive).map(|(_, found)| table::rate(found));
    table::print(&free, naive)?;
    // Without the usual way: what the slowest can bear.
    let slowest = free.iter().map(|(_, found)| table::rate(found)).fold(f64::INFINITY, f64::min);
    let offered = naive.unwrap_or(slowest) * 0.8;
    let rate = keys.quota(offered, REFUSED);
    let load = |way| Load { way, keys, callers, quota: rate, offered: Some(offered), time };
    let loads: Vec<Load> = ways.into_iter().map(load).collect();
    table::print(&rounds(arguments, store, &loads).await?, None)
}

/// The load with a limit that refuses some, but not most.
async fn limited(store: &Store, load: Load) -> Result<Load, String> {
    let short = Load { time: load.time / 4, ..load.clone() };
    let mut quota = load.keys.quota(table::rate([&measure(store, &short).await?]), REFUSED);
    for _ in 0..4 {
        let refused = measure(store, &Load { quota, ..short.clone() }).await?.refused();
        match corrected(quota, refused) {
            Some(better) => quota = better,
            None => break,
        }
    }
    Ok(Load { quota, ..load })
}

/// A better limit than one that refuses so much; `None`: it does what it should.
fn corrected(quota: Quota, refused: f64) -> Option<Quota> {
    let is_wrong = !(BOUNDS.0..=BOUNDS.1).contains(&refused);
    is_wrong.then(|| quota.times((1.0 - REFUSED) / (1.0 - refused).max(0.1)))
}

/// Each load as often as there are rounds, in turns.
async fn rounds(arguments: &Arguments, store: &Store, loads: &[Load]) -> Result<Vec<(Load, Vec<Measured>)>, String> {
    let mut found: Vec<(Load, Vec<Measured>)> = loads.iter().map(|load| (load.clone(), Vec::new())).collect();
    for _ in 0..arguments.rounds {
        for (load, measured) in &mut found {
            measured.push(measure(store, load).await?);
            // Machines are not always as fast: a limit that came to refuse all or nothing says little, and is measured again.
            let refused = measured.last().map_or(REFUSED, Measured::refused);
            if load.offered.is_none()
                && let Some(better) = corrected(load.quota, refused)
            {
                load.quota = better;
                measured.pop();
                measured.push(measure(store, load).await?);
            }
        }
    }
    Ok(found)
}

/// Removes the keys of the bench. `false`: they stay until they expire, and it was told why.
async fn remove(config: &Config) -> bool {
    let prefix = &config.prefix;
    let told = async {
        for mut console in Console::connect_to_all(config).await? {
            console.remove(prefix).await?;
        }
        Ok::<(), tidegate_redis::Failure>(())
    };
    match told.await {
        Ok(()) => true,
        Err(failure) => {
            eprintln!("error: the keys that begin with {prefix} could not be removed: {failure}");
            false
        }
    }
}
