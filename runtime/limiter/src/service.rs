//! `ShouldRateLimit`: from the bytes of a request to those of its reply.

mod ask;
mod parts;
#[cfg(test)]
mod tests;
mod throttle;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tidegate_limit::local::Store;
use tidegate_limit::ports::SharedLimits;
use tidegate_limit::{Keys, KeysOfLimit, Kind};
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::Metrics;

use crate::config::{Config, Headers, OnFailure, Unit};
use crate::counts::{Call, Counts};
use crate::rules::{Place, Rules};
use crate::wire::Request;

pub(crate) use ask::{Asking, Begun, Post};
pub(crate) use throttle::{Throttle, Throttled};

/// Where limits are counted.
#[derive(Clone, Debug)]
pub enum Limits {
    /// In this process.
    Local,
    /// In a store that others share.
    Shared(Arc<dyn SharedLimits>),
}

/// The rules in force, and what is counted. One for the process; cheap to ask from many threads.
#[derive(Debug)]
pub struct Service {
    state: ArcSwap<State>,
    counts: Arc<Counts>,
    /// From when time is counted, for limits of this process.
    origin: Instant,
}

/// What one config says. A call has one from its begin to its end.
#[derive(Debug)]
struct State {
    rules: Rules,
    limits: Limits,
    tables: Arc<Tables>,
    headers: Headers,
    on_failure: OnFailure,
    throttle: KeysOfLimit,
    password: Option<Box<str>>,
}

/// The keys of this process: a table for each kind of state, made when it is first needed.
#[derive(Debug)]
struct Tables {
    keys: usize,
    bucket: OnceLock<Store>,
    windows: [OnceLock<Store>; 7],
    fixed: [OnceLock<Store>; 7],
}

/// An answer, or the wait for it.
pub(crate) enum Answer<T> {
    Now(T),
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

/// Why a call has no answer, as gRPC has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) code: u8,
    pub(crate) message: Cow<'static, str>,
}

/// The message behind bytes for its frame, or why there is none.
pub(crate) type Replied = Result<Vec<u8>, Failed>;

impl Failed {
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// As a proxy understands it: its own failure policy decides.
    pub(crate) const fn store() -> Self {
        Self { code: 14, message: Cow::Borrowed("the store of the rate limits did not answer") }
    }
}

impl Service {
    /// The service with its first rules. `keys` must be the same in all processes that share a store.
    #[must_use]
    pub fn new(config: &Config, limits: Limits, keys: &Keys) -> Arc<Self> {
        let counts = Arc::new(Counts::default());
        let tables = Arc::new(Tables::new(config.keys));
        let state = State::new(config, limits, keys, tables, &counts);
        Arc::new(Self { state: ArcSwap::from_pointee(state), counts, origin: clock::now() })
    }

    /// From the next call on these rules hold. What was counted stays, as far as it is counted in the same place.
    pub fn replace(&self, config: &Config, limits: Limits, keys: &Keys) {
        let tables = Arc::clone(&self.state.load().tables);
        let tables = if tables.keys == config.keys { tables } else { Arc::new(Tables::new(config.keys)) };
        let state = State::new(config, limits, keys, tables, &self.counts);
        self.state.store(Arc::new(state));
    }

    /// Tells what it does.
    pub fn register(&self, metrics: &Metrics) {
        metrics.register_rate_limit_service(&self.counts);
    }

    /// Begins to answer a `RateLimitRequest`, behind `head` bytes that are left free. Answers of a store come to `post`,
    /// if it is there and the store does that.
    pub(crate) fn should_rate_limit(&self, message: &[u8], head: usize, post: Option<Post<'_>>) -> Begun {
        let state = self.state.load_full();
        match self.begin(&state, message) {
            Err(failed) => {
                self.counts.call(Call::Invalid);
                Begun::Answer(Answer::Now(Err(failed)))
            }
            Ok(parts) => parts.ask(state, Arc::clone(&self.counts), self.now(), head, post),
        }
    }

    fn begin(&self, state: &State, message: &[u8]) -> Result<parts::Parts, Failed> {
        let request = Request::read(message).map_err(|malformed| Failed::invalid(malformed.to_string()))?;
        parts::Parts::of(&request, &state.rules)
    }

    fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.origin)
    }
}

impl State {
    fn new(config: &Config, limits: Limits, keys: &Keys, tables: Arc<Tables>, counts: &Counts) -> Self {
        let (rules, tallies) = Rules::compile(config, keys, &counts.known());
        counts.replace(tallies);
        Self {
            rules,
            limits,
            tables,
            headers: config.headers,
            on_failure: config.on_failure,
            throttle: keys.of("cl.throttle"),
            password: config.resp_password.as_deref().map(Into::into),
        }
    }
}

impl Tables {
    fn new(keys: usize) -> Self {
        Self { keys, bucket: OnceLock::new(), windows: Default::default(), fixed: Default::default() }
    }

    fn at(&self, place: Place) -> &Store {
        let index = |unit: Unit| Unit::NAMES.iter().position(|(_, known)| *known == unit).unwrap_or_default();
        let (table, kind) = match place {
            Place::Bucket => (&self.bucket, Kind::Bucket),
            Place::Window(unit) => (&self.windows[index(unit)], Kind::Window(unit.length())),
            Place::Fixed(unit) => (&self.fixed[index(unit)], Kind::Fixed(unit.length())),
        };
        table.get_or_init(|| Store::new(kind, self.keys))
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Later(_) => "Later",
        })
    }
}
