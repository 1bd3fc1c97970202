//! The rules of envoyproxy/ratelimit, as plain values. Whoever makes them has read them from somewhere.

use std::net::SocketAddr;
use std::time::Duration;

/// The whole service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where Envoy asks.
    pub bind: Option<SocketAddr>,
    /// Where clients of Redis ask.
    pub resp: Option<SocketAddr>,
    /// What clients of Redis have to say first; `None`: nothing.
    pub resp_password: Option<String>,
    /// How limits of the rules count.
    pub algorithm: Algorithm,
    /// Keys to keep at one time for each unit, where limits are counted in this process.
    pub keys: usize,
    /// Whether calls that pass, and those that do not, are answered with headers for the caller's client.
    pub headers: Headers,
    /// What becomes of a call when the store does not answer.
    pub on_failure: OnFailure,
    /// The rules, each domain once.
    pub domains: Vec<Domain>,
}

/// How the limits of the rules count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// At most `requests_per_unit` in every window of the unit's length.
    #[default]
    SlidingWindow,
    /// `requests_per_unit` at once, and as many in each unit in the long run.
    TokenBucket,
    /// At most `requests_per_unit` in each unit of the clock, as envoyproxy/ratelimit counts.
    FixedWindow,
}

/// When `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` are sent with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Headers {
    /// Never, as envoyproxy/ratelimit does unless it is told otherwise.
    #[default]
    Never,
    /// With refusals.
    Refused,
    /// With every answer about a limit.
    Always,
}

/// What becomes of a call when the store does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The call fails: the proxy's own failure policy decides.
    #[default]
    Error,
    /// It passes.
    Open,
    /// It does not pass.
    Closed,
}

/// The limits of one domain.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Domain {
    /// Its name, not empty.
    pub name: String,
    /// Its limits.
    pub descriptors: Vec<Descriptor>,
}

/// A level of nested descriptors.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Descriptor {
    /// The key, not empty.
    pub key: String,
    /// The value; `*` in it stands for anything. Empty: any value.
    pub value: String,
    /// The limit for lists of descriptors that end here.
    pub limit: Option<Limit>,
    /// The outcome is always that the request may pass.
    pub shadow: bool,
    /// Refuses only together with all others of its kind in a request.
    pub quota: bool,
    /// What is counted tells values that the rules do not name.
    pub detailed_metric: bool,
    /// The same, of this level alone.
    pub value_to_metric: bool,
    /// All values that fit the pattern have one budget.
    pub share_threshold: bool,
    /// The next level.
    pub descriptors: Vec<Descriptor>,
}

/// What a rule says about those that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many; `None`: as many as they like.
    pub quota: Option<Quota>,
    /// Its name, for `replaces` and for callers; may be empty.
    pub name: String,
    /// Names of limits that do not count when this one does.
    pub replaces: Vec<String>,
}

/// So many in each unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    /// Requests, or whatever hits are.
    pub requests_per_unit: u32,
    /// The unit.
    pub unit: Unit,
}

/// A unit of time, as envoyproxy/ratelimit takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A second.
    Second,
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 365 days.
    Year,
}

impl Unit {
    /// All of them, with their names, from the shortest to the longest.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("second", Self::Second),
        ("minute", Self::Minute),
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
        ("year", Self::Year),
    ];

    /// How long it is.
    #[must_use]
    pub const fn length(self) -> Duration {
        match self {
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_mins(1),
            Self::Hour => Duration::from_hours(1),
            Self::Day => Duration::from_hours(24),
            Self::Week => Duration::from_hours(7 * 24),
            Self::Month => Duration::from_hours(30 * 24),
            Self::Year => Duration::from_hours(365 * 24),
        }
    }

    /// Its number in `RateLimitResponse.RateLimit.Unit` (rls.proto), which `RateLimitUnit` shares.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 2,
            Self::Hour => 3,
            Self::Day => 4,
            Self::Month => 5,
            Self::Year => 6,
            Self::Week => 7,
        }
    }

    /// The unit of that number.
    #[must_use]
    pub fn of_number(number: u64) -> Option<Self> {
        Self::NAMES.into_iter().map(|(_, unit)| unit).find(|unit| unit.number() == number)
    }
}
