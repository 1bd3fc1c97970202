//! Callers that ask one after the other, as fast as they are answered or at a rate.

use super::decider::{Decider, Naive, Quota, Way};
use super::keys::Keys;
use super::times::Times;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tidegate_limit::front::Terms;
use tidegate_redis::{Config, Kind};
use tidegate_telemetry::clock;
use tokio::task::JoinSet;

/// Where limits are kept.
#[derive(Debug)]
pub(crate) struct Store {
    config: Config,
    /// Measurements so far: each begins with limits that nobody used.
    used: AtomicU64,
}

/// A load on a limit.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) way: Way,
    pub(crate) keys: Keys,
    /// How many ask at one time.
    pub(crate) callers: u32,
    /// The limit on each key.
    pub(crate) quota: Quota,
    /// Decisions a second of all callers; `None`: as many as they can.
    pub(crate) offered: Option<f64>,
    /// For how long, after a warm-up of a quarter of it.
    pub(crate) time: Duration,
}

/// What a load measured.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) time: Duration,
    /// Decisions in that time.
    pub(crate) decisions: u64,
    /// Of them, units granted.
    pub(crate) admitted: u64,
    /// From asking to the answer; at an offered rate from when the caller should have asked.
    pub(crate) times: Times,
    /// Keys that the store was asked about, in that time.
    pub(crate) operations: u64,
    /// Of what the limits allowed and somebody asked for, the part that was granted; warm-up included.
    pub(crate) share: f64,
}

impl Measured {
    /// The part of decisions that were no.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(crate) fn refused(&self) -> f64 {
        1.0 - self.admitted as f64 / self.decisions.max(1) as f64
    }
}

/// What callers count.
#[derive(Debug)]
struct Counts {
    measuring: AtomicBool,
    stop: AtomicBool,
    decisions: AtomicU64,
    admitted: AtomicU64,
    times: Times,
    /// Of each key, from the beginning: questions, and units granted.
    of_keys: Vec<(AtomicU32, AtomicU32)>,
}

/// Decisions after which a caller lets others run, for those that are answered at once.
const TURN: u64 = 32;
/// A timer is late by up to a millisecond; more than that is the store's doing.
const LATE: Duration = Duration::from_millis(2);

impl Store {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, used: AtomicU64::new(0) }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Members of a cluster have some of the keys each: who has one connection cannot ask for all.
    pub(crate) fn can(&self, way: Way) -> bool {
        way != Way::Naive || self.config.address.kind != Kind::Cluster
    }

    fn fresh(&self) -> Config {
        let prefix = format!("{}{}:", self.config.prefix, self.used.fetch_add(1, Relaxed));
        Config { prefix, ..self.config.clone() }
    }
}

/// Runs a load.
///
/// # Errors
/// The store cannot be used.
pub(crate) async fn measure(store: &Store, load: &Load) -> Result<Measured, String> {
    let config = store.fresh();
    let driver = (load.way != Way::Naive).then(|| Arc::new(load.way.driver(config.clone())));
    let terms = load.quota.terms(load.way)?;
    let mut deciders = Vec::new();
    for _ in 0..load.callers {
        deciders.push(match &driver {
            Some(driver) => Decider::Driver(Arc::clone(driver)),
            None => Decider::Naive(Box::new(Naive::connect(&config, load.quota).await?)),
        });
    }
    let counts = Arc::new(Counts::new(load.keys.count()));
    let mut callers = JoinSet::new();
    let begin = clock::now();
    for (number, decider) in deciders.into_iter().enumerate() {
        callers.spawn(call(decider, number as u64, load.clone(), terms, Arc::clone(&counts)));
    }
    let operations = || driver.as_ref().map_or(0, |driver| driver.stats().items);
    tokio::time::sleep(load.time / 4).await;
    let before = operations();
    counts.measuring.store(true, Relaxed);
    let measuring = clock::now();
    tokio::time::sleep(load.time).await;
    counts.stop.store(true, Relaxed);
    let (now, operations) = (clock::now(), operations() - before);
    while let Some(joined) = callers.join_next().await {
        joined.map_err(|error| error.to_string())??;
    }
    let all = clock::now().saturating_duration_since(begin);
    let counts = Arc::into_inner(counts).ok_or("a caller is still there")?;
    let decisions = counts.decisions.into_inner();
    Ok(Measured {
        time: now.saturating_duration_since(measuring),
        decisions,
        admitted: counts.admitted.into_inner(),
        times: counts.times,
        operations: if driver.is_some() { operations } else { decisions },
        share: share(&counts.of_keys, load.quota, all),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(of_keys: &[(AtomicU32, AtomicU32)], quota: Quota, time: Duration) -> f64 {
    let most = quota.burst as f64 + quota.rate * time.as_secs_f64();
    let (mut admitted, mut allowed) = (0.0, 0.0);
    for (asked, granted) in of_keys {
        admitted += f64::from(granted.load(Relaxed));
        allowed += f64::from(asked.load(Relaxed)).min(most);
    }
    admitted / f64::max(allowed, 1.0)
}

impl Counts {
    fn new(keys: usize) -> Self {
        Self {
            measuring: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            decisions: AtomicU64::new(0),
            admitted: AtomicU64::new(0),
            times: Times::default(),
            of_keys: (0..keys).map(|_| (AtomicU32::new(0), AtomicU32::new(0))).collect(),
        }
    }
}

async fn call(mut decider: Decider, number: u64, load: Load, terms: Terms, counts: Arc<Counts>) -> Result<(), String> {
    let mut random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    // Callers do not all begin at once.
    let pause = load.offered.map(|rate| Duration::from_secs_f64(f64::from(load.callers) / rate.max(1.0)));
    let part = f64::from(u32::try_from(number).unwrap_or(0)) / f64::from(load.callers);
    let mut due = clock::now() + pause.unwrap_or_default().mul_f64(part);
    let (mut turn, mut decisions, mut admitted) = (0_u64, 0, 0);
    while !counts.stop.load(Relaxed) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let asked = match pause {
            None => clock::now(),
            Some(pause) => wait(&mut due, pause).await,
        };
        turn += 1;
        let key = load.keys.pick(random);
        let is_admitted = decider.decide(key, &terms).await?;
        if let Some((asked, granted)) = counts.of_keys.get(key) {
            asked.fetch_add(1, Relaxed);
            granted.fetch_add(u32::from(is_admitted), Relaxed);
        }
        if counts.measuring.load(Relaxed) && !counts.stop.load(Relaxed) {
            counts.times.count(clock::now().saturating_duration_since(asked));
            decisions += 1;
            admitted += u64::from(is_admitted);
        }
        if turn.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
    counts.decisions.fetch_add(decisions, Relaxed);
    counts.admitted.fetch_add(admitted, Relaxed);
    Ok(())
}

/// Waits until it is time to ask, and tells from when the answer is late.
async fn wait(due: &mut Instant, pause: Duration) -> Instant {
    tokio::time::sleep_until((*due).into()).await;
    let (now, should) = (clock::now(), *due);
    *due += pause;
    if now.saturating_duration_since(should) < LATE { now } else { should }
}
