//! Decisions about shared limits: callers, the ways to a store, and what they cost.

mod callers;
mod table;
mod times;

pub use callers::{Load, Measured, measure};
pub use table::print;
pub use times::Times;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use tidegate_limit::front::{self, Failure, Terms};
use tidegate_limit::ports::{Asked, Batch, CounterStore as _, Item, SharedLimits as _};
use tidegate_limit::{Algorithm, Ask, Key, Rate, Scale};
use tidegate_redis::{Address, Clock, Config, Driver, DriverConfig, Redis};

/// A way to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// A connection for each caller, a call for each decision.
    Naive,
    /// One connection; what comes while a batch is under way is the next one.
    Plain,
    /// The same, and those who ask for one key are one question.
    Combining,
    /// The same, and units are taken in advance.
    Leases,
}

/// Which keys callers ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Keys {
    /// One.
    Hot,
    /// Ten thousand, each as often.
    Uniform,
    /// A hundred thousand, the n-th of them 1/n as often as the first.
    Zipf,
}

impl Keys {
    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u64 {
        match self {
            Self::Hot => 1,
            Self::Uniform => 10_000,
            Self::Zipf => 100_000,
        }
    }

    /// A key, from a random number.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a load")]
    #[must_use]
    pub fn pick(self, random: u64) -> u64 {
        match self {
            Self::Hot => 0,
            Self::Uniform => random % self.count(),
            // The inverse of the harmonic numbers' integral.
            Self::Zipf => {
                let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
                ((self.count() as f64).powf(share) - 1.0) as u64
            }
        }
    }
}

/// What decides for one caller.
#[derive(Debug, Clone)]
pub enum Decider {
    /// A store of its own.
    Naive(Arc<Redis>),
    /// The driver of all.
    Driver(Arc<Driver>),
}

/// A limit on each key.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Units a second.
    pub rate: u64,
    /// Units at once.
    pub burst: u64,
}

/// How long a lease lives.
const LEASE: Duration = Duration::from_millis(50);

impl Quota {
    fn terms(self, way: Way) -> Result<Terms> {
        let policy = Algorithm::TokenBucket { rate: Rate::per_second(self.rate), burst: self.burst };
        let policy = policy.compile(Scale::Shared)?;
        Ok(match way {
            Way::Leases => Terms::leased(policy, LEASE, 0, Failure::Closed),
            Way::Naive | Way::Plain | Way::Combining => Terms::plain(policy, 0, Failure::Closed),
        })
    }
}

/// A store at `url`, which begins full under keys that begin with `prefix`.
fn store(url: &str, prefix: &str, clock: &Clock) -> Result<Redis> {
    let address = Address::parse(url)?;
    let config = Config::new(address, Arc::clone(clock));
    Ok(Redis::start(Config { prefix: prefix.to_owned(), forgiving: true, connect: Duration::from_secs(30), ..config }))
}

/// A driver that waits for as long as it takes: figures are of a store that is there.
fn driver(way: Way, store: Redis, clock: &Clock) -> Driver {
    let front = front::Config { combine: way != Way::Plain, keys: 1 << 20, ..front::Config::default() };
    let config = DriverConfig { front, budget: Duration::from_secs(30) };
    Driver::start(Arc::new(store), config, Arc::clone(clock))
}

impl Decider {
    /// Whether one unit of `key` is granted.
    pub(crate) async fn decide(&self, id: u64, key: u64, terms: &Terms) -> Result<bool> {
        let key = Key(u128::from(key));
        match self {
            Self::Naive(store) => {
                let policy = *terms.policy();
                let item = Item { key, policy, refund: None, ask: Ask::spend(1), retry_for: 1, extra: 0 };
                let answers = store.decide(Batch { id, items: vec![item] }).await;
                let answers = answers.map_err(|error| anyhow!("{error}: {:?}", store.status().failure))?;
                Ok(answers.first().is_some_and(|answer| answer.decision.is_admitted()))
            }
            Self::Driver(driver) => {
                let outcome = match driver.ask(key, terms, Ask::spend(1)) {
                    Asked::Answered(outcome) => outcome,
                    Asked::Waits(answer) => answer.await.ok_or_else(|| anyhow!("the driver ended"))?,
                };
                Ok(outcome.decision.is_admitted())
            }
        }
    }
}
