//! The ways to decide.

use clap::ValueEnum;
use std::sync::Arc;
use std::time::Duration;
use tidegate_limit::front::{self, Failure, Terms};
use tidegate_limit::ports::{Asked, SharedLimits as _};
use tidegate_limit::{Algorithm, Ask, Key, Rate, Scale};
use tidegate_redis::{Config, Console, Driver, DriverConfig, Redis, Reply};

/// What is usually done: a token bucket as one script.
const SCRIPT: &str = include_str!("naive.lua");

/// A way to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// A connection for each caller, a call for each decision.
    Naive,
    /// One connection, two batches under way; what comes meanwhile is the next one.
    Plain,
    /// The same, and those who ask for one key are one question.
    Combining,
    /// The same, and units are taken in advance.
    Leases,
}

/// A limit on each key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    /// Units a second.
    pub(crate) rate: f64,
    /// Units at once.
    pub(crate) burst: u64,
}

/// How long a lease lives.
const LEASE: Duration = Duration::from_millis(50);
/// Rates are told to a thousandth.
const PERIOD: Duration = Duration::from_secs(1000);

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are far below 2^53")]
impl Quota {
    /// Refuses nobody.
    pub(crate) const ENDLESS: Self = Self { rate: 1e9, burst: 1 << 40 };

    /// At most a tenth of a second's units at once.
    pub(crate) fn of(rate: f64) -> Self {
        let rate = rate.clamp(0.001, 1e9);
        Self { rate, burst: ((rate / 10.0) as u64).max(2) }
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        Self::of(self.rate * factor)
    }

    /// As an algorithm's terms.
    pub(crate) fn terms(self, way: Way) -> Result<Terms, String> {
        let rate = Rate::new((self.rate * 1000.0) as u64, PERIOD).map_err(|error| error.to_string())?;
        let policy = Algorithm::TokenBucket { rate, burst: self.burst }.compile(Scale::Shared);
        let policy = policy.map_err(|error| error.to_string())?;
        Ok(match way {
            Way::Leases => Terms::leased(policy, LEASE, 0, Failure::Closed),
            Way::Naive | Way::Plain | Way::Combining => Terms::plain(policy, 0, Failure::Closed),
        })
    }
}

impl Way {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Plain => "plain",
            Self::Combining => "combining",
            Self::Leases => "leases",
        }
    }

    /// A driver of a store. It waits for as long as it takes: figures are of a store that is there.
    pub(crate) fn driver(self, config: Config) -> Driver {
        let clock = Arc::clone(&config.clock);
        let front = front::Config { combine: self != Self::Plain, keys: 1 << 20, ..front::Config::default() };
        let budget = config.patience;
        Driver::start(Arc::new(Redis::start(config)), DriverConfig { front, budget }, clock)
    }
}

/// What decides for one caller.
#[derive(Debug)]
pub(crate) enum Decider {
    Naive(Box<Naive>),
    Driver(Arc<Driver>),
}

/// A connection of its own, which knows the script.
#[derive(Debug)]
pub(crate) struct Naive {
    console: Console,
    script: String,
    prefix: String,
    rate: String,
    burst: String,
}

impl Naive {
    pub(crate) async fn connect(config: &Config, quota: Quota) -> Result<Self, String> {
        let help =
            |failure| format!("{failure}; each caller of `naive` needs a connection: fewer --callers need fewer");
        let mut console = Console::connect(config).await.map_err(help)?;
        let load: [&[u8]; 3] = [b"SCRIPT", b"LOAD", SCRIPT.as_bytes()];
        let Reply::Text(script) = console.command(&load).await.map_err(|failure| failure.to_string())? else {
            return Err(format!("{} does not tell the name of a script", console.address()));
        };
        let (rate, burst) = (quota.rate.to_string(), quota.burst.to_string());
        Ok(Self { console, script, prefix: config.prefix.clone(), rate, burst })
    }

    async fn decide(&mut self, key: usize) -> Result<bool, String> {
        let key = format!("{}{key:x}", self.prefix);
        let (script, rate, burst) = (self.script.as_bytes(), self.rate.as_bytes(), self.burst.as_bytes());
        let parts: [&[u8]; 7] = [b"EVALSHA", script, b"1", key.as_bytes(), rate, burst, b"1"];
        let reply = self.console.command(&parts).await.map_err(|failure| failure.to_string())?;
        Ok(reply == Reply::Number(1))
    }
}

impl Decider {
    /// Whether one unit of `key` is granted.
    pub(crate) async fn decide(&mut self, key: usize, terms: &Terms) -> Result<bool, String> {
        let driver = match self {
            Self::Naive(naive) => return naive.decide(key).await,
            Self::Driver(driver) => driver,
        };
        let outcome = match driver.ask(Key(key as u128), terms, Ask::spend(1)) {
            Asked::Answered(outcome) => outcome,
            Asked::Waits(answer) => answer.await.ok_or("the driver ended")?,
        };
        match outcome.by {
            front::By::Failure => Err("the store does not answer".to_owned()),
            _ => Ok(outcome.decision.is_admitted()),
        }
    }
}
