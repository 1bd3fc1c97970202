//! Callers that ask one after the other, as fast as they are answered or at a rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Result;
use tidegate_limit::front::{Stats, Terms};
use tidegate_redis::Clock;

use super::{Decider, Keys, Quota, Times, Way, driver, store};

/// A load on a limit.
#[derive(Debug, Clone)]
pub struct Load {
    /// Of the store.
    pub url: String,
    /// How it is asked.
    pub way: Way,
    /// For what.
    pub keys: Keys,
    /// How many ask at one time.
    pub callers: u64,
    /// The limit on each key.
    pub quota: Quota,
    /// Decisions a second of all callers; `None`: as many as they can.
    pub offered: Option<u64>,
    /// For how long, after a warm-up of a quarter of it.
    pub time: Duration,
}

/// What a load measured.
#[derive(Debug)]
pub struct Measured {
    /// How long it took.
    pub time: Duration,
    /// Decisions in that time.
    pub decisions: u64,
    /// Of them, units granted.
    pub admitted: u64,
    /// From asking to the answer; at an offered rate from when the caller should have asked.
    pub times: Times,
    /// Operations of the store: keys decided.
    pub operations: u64,
}

#[derive(Debug, Default)]
struct Counts {
    measuring: AtomicBool,
    stop: AtomicBool,
    decisions: AtomicU64,
    admitted: AtomicU64,
    times: Times,
}

/// Decisions after which a caller lets others run, for those that are answered at once.
const TURN: u64 = 32;

/// Runs a load.
///
/// # Errors
/// The store cannot be used.
pub async fn measure(load: &Load) -> Result<Measured> {
    let start = Instant::now();
    let clock: Clock = Arc::new(move || start.elapsed());
    // Each run begins with limits that nobody used.
    let prefix = format!("bench:{}:{}:", std::process::id(), unique());
    let shared = match load.way {
        Way::Naive => None,
        way => Some(Arc::new(driver(way, store(&load.url, &prefix, &clock)?, &clock))),
    };
    let terms = load.quota.terms(load.way)?;
    let counts = Arc::new(Counts::default());
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..load.callers {
        let decider = match &shared {
            Some(driver) => Decider::Driver(Arc::clone(driver)),
            None => Decider::Naive(Arc::new(store(&load.url, &prefix, &clock)?)),
        };
        callers.spawn(call(decider, number, load.clone(), terms, Arc::clone(&counts)));
    }
    let operations = || shared.as_ref().map(|driver| driver.stats()).map_or(0, |Stats { items, .. }| items);
    tokio::time::sleep(load.time / 4).await;
    let before = operations();
    counts.measuring.store(true, Relaxed);
    let measuring = Instant::now();
    tokio::time::sleep(load.time).await;
    counts.stop.store(true, Relaxed);
    let (time, operations) = (measuring.elapsed(), operations() - before);
    let (decisions, admitted) = (counts.decisions.load(Relaxed), counts.admitted.load(Relaxed));
    while let Some(joined) = callers.join_next().await {
        joined??;
    }
    let operations = if shared.is_some() { operations } else { decisions };
    let times = Arc::into_inner(counts).map(|counts| counts.times).unwrap_or_default();
    Ok(Measured { time, decisions, admitted, times, operations })
}

fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Relaxed)
}

async fn call(decider: Decider, number: u64, load: Load, terms: Terms, counts: Arc<Counts>) -> Result<()> {
    let mut random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let pause = load.offered.map(|rate| Duration::from_secs(load.callers) / u32::try_from(rate.max(1)).unwrap_or(1));
    // Callers do not all begin at once.
    let mut due = Instant::now() + pause.unwrap_or_default() * u32::try_from(number)? / u32::try_from(load.callers)?;
    let mut id = 0;
    while !counts.stop.load(Relaxed) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let asked = match pause {
            None => Instant::now(),
            Some(pause) => {
                tokio::time::sleep_until(due.into()).await;
                let (now, should) = (Instant::now(), due);
                due += pause;
                // A timer is late by up to a millisecond; more than that is the store's doing.
                if now.duration_since(should) < Duration::from_millis(2) { now } else { should }
            }
        };
        id += 1;
        let admitted = decider.decide(id, load.keys.pick(random), &terms).await?;
        if counts.measuring.load(Relaxed) && !counts.stop.load(Relaxed) {
            counts.times.count(asked.elapsed());
            counts.decisions.fetch_add(1, Relaxed);
            counts.admitted.fetch_add(u64::from(admitted), Relaxed);
        }
        if id.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}
