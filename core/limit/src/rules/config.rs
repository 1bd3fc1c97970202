//! Limits as configured: plain values, checked when they are compiled.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use crate::algorithm::Algorithm;
use crate::quota::QuotaError;
use crate::rules::Facts;

/// Where a value of a request comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A request header, by its lower-case name.
    Header(String),
    /// A variable of the route's path.
    PathVariable(String),
    /// A field of the request message, by its dotted path.
    Field(String),
    /// An attribute of the verified identity, such as a claim.
    Identity(String),
    /// The peer's address. An IPv6 peer owns at least a /64: its key is the first `v6_prefix` bits.
    Peer {
        /// Bits of an IPv4 address, at most 32.
        v4_prefix: u8,
        /// Bits of an IPv6 address, at most 128.
        v6_prefix: u8,
    },
    /// The name of the route.
    Route,
    /// The request method.
    Method,
    /// The path, without the query.
    Path,
    /// A parameter of the query, by its name.
    Query(String),
    /// Always this value.
    Constant(String),
}

/// The address of a peer, an IPv6 one by its /64.
pub const PEER: Source = Source::Peer { v4_prefix: 32, v6_prefix: 64 };

impl Source {
    /// How the config names it.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Header(name) => format!("header:{name}"),
            Self::PathVariable(name) => format!("path:{name}"),
            Self::Field(name) => format!("field:{name}"),
            Self::Identity(name) => format!("identity:{name}"),
            Self::Peer { .. } => "peer".to_owned(),
            Self::Route => "route".to_owned(),
            Self::Method => "method".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Query(name) => format!("query:{name}"),
            Self::Constant(value) => format!("constant:{value}"),
        }
    }

    /// What a request would have been read as that has this value: of an address, its network.
    pub(crate) fn as_read<'a>(&'a self, value: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Peer { v4_prefix, v6_prefix } => {
                let peer = std::str::from_utf8(value).ok()?.parse().ok()?;
                Some(Cow::Owned(network(peer, *v4_prefix, *v6_prefix).into_bytes()))
            }
            _ => Some(Cow::Borrowed(value)),
        }
    }

    pub(crate) fn read<'a>(&'a self, facts: &'a impl Facts) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Peer { v4_prefix, v6_prefix } => {
                Some(Cow::Owned(network(facts.peer(), *v4_prefix, *v6_prefix).into_bytes()))
            }
            Self::Constant(value) => Some(Cow::Borrowed(value.as_bytes())),
            _ => facts.value(self),
        }
    }
}

/// The first bits of an address, as text. An IPv4 address in IPv6 is one of IPv4.
fn network(peer: IpAddr, v4_prefix: u8, v6_prefix: u8) -> String {
    match peer.to_canonical() {
        IpAddr::V4(address) => {
            let kept = u32::MAX.checked_shl(32 - u32::from(v4_prefix.min(32))).unwrap_or(0);
            std::net::Ipv4Addr::from_bits(address.to_bits() & kept).to_string()
        }
        IpAddr::V6(address) => {
            let kept = u128::MAX.checked_shl(128 - u32::from(v6_prefix.min(128))).unwrap_or(0);
            std::net::Ipv6Addr::from_bits(address.to_bits() & kept).to_string()
        }
    }
}

/// What a missing value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Absent {
    /// All requests without it share a budget: leaving a header out is no way around the limit.
    #[default]
    Counts,
    /// The limit is not about requests without it.
    Skips,
}

/// A part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPart {
    /// Where the value comes from.
    pub source: Source,
    /// What a missing one means.
    pub absent: Absent,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Matcher {
    /// This value.
    Exact(String),
    /// A value that begins so.
    Prefix(String),
    /// Any value.
    Present,
}

/// Something that holds of a request, or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The value looked at.
    pub source: Source,
    /// What it must be. Without a value nothing holds.
    pub matcher: Matcher,
}

impl Condition {
    pub(crate) fn holds(&self, facts: &impl Facts) -> bool {
        let Some(value) = self.source.read(facts) else { return false };
        match &self.matcher {
            Matcher::Exact(exact) => *value == *exact.as_bytes(),
            Matcher::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
            Matcher::Present => true,
        }
    }
}

/// What a request costs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cost {
    /// Always so many units.
    Constant(u64),
    /// The decimal number in a value, times a factor. What is no number counts as `otherwise`; the product is
    /// at least 1, and one that is too large for 64 bits is the greatest number, which no limit admits.
    Value {
        /// Where the number is.
        source: Source,
        /// Units for each.
        times: u64,
        /// The number where there is none.
        otherwise: u64,
    },
}

impl Cost {
    pub(crate) fn of(&self, facts: &impl Facts) -> u64 {
        match self {
            Self::Constant(cost) => *cost,
            Self::Value { source, times, otherwise } => {
                let number = source.read(facts).and_then(|value| decimal(&value)).unwrap_or(*otherwise);
                number.saturating_mul(*times).max(1)
            }
        }
    }
}

/// A number of digits only; one that is too large is the greatest.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let push = |number: u64, digit: &u8| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    digits.then(|| value.iter().fold(0, push))
}

/// Parts of a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Percent(u8);

impl Percent {
    /// Everything.
    pub const ALL: Self = Self(100);
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// `None`: more than a hundred.
    #[must_use]
    pub const fn new(percent: u8) -> Option<Self> {
        if percent > 100 { None } else { Some(Self(percent)) }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// True for this part of all 64-bit numbers.
    pub(crate) fn holds(self, random: u64) -> bool {
        (u128::from(random) * 100) >> 64 < u128::from(self.0)
    }

    /// This part of `whole`, rounded up.
    pub(crate) fn of(self, whole: u64) -> u64 {
        u64::try_from((u128::from(whole) * u128::from(self.0)).div_ceil(100)).unwrap_or(u64::MAX)
    }
}

/// Callers for whom a share of each budget is kept.
///
/// A bucket lends the share's *rate* while it is not used and keeps its part of the *burst*: the class finds it
/// at once, whatever others do. Windows, logs and concurrency keep the share itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Class {
    /// Its name, for metrics.
    pub name: String,
    /// Who belongs to it; the first class that holds is the caller's.
    pub when: Condition,
    /// The share of the burst or limit that only this class and those before it may use.
    pub reserved: Percent,
}

/// How much somebody gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quota {
    /// This algorithm, of the same kind as the limit's own.
    Limited(Algorithm),
    /// No limit.
    Unlimited,
}

/// Another quota for some keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Override {
    /// One pattern for each part of the key: `acme`, `eu-*`, `*`. Exact ones go before those with a star.
    pub values: Vec<String>,
    /// What they get.
    pub quota: Quota,
}

/// What a limit over a shared store answers while the store does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FailurePolicy {
    /// Everything passes.
    Open,
    /// Nothing passes.
    #[default]
    Closed,
    /// Each node admits its share of the limit by itself. Together with what the store admitted just before, up to
    /// twice the burst.
    LocalShare,
    /// So much of the limit is kept for such times, a share for each node. Never more than the limit.
    Reserve(Percent),
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Its name.
    pub name: String,
    /// What makes budgets different. Empty: one budget for all.
    pub key: Vec<KeyPart>,
    /// It is about requests of which all of these hold.
    pub when: Vec<Condition>,
    /// Everybody's quota.
    pub algorithm: Algorithm,
    /// Other quotas.
    pub overrides: Vec<Override>,
    /// Classes of callers, the most important first.
    pub classes: Vec<Class>,
    /// What a request costs.
    pub cost: Cost,
    /// The part of refusals that are meant. [`Percent::NONE`] is shadow mode.
    pub enforce: Percent,
    /// The store that nodes share; `None`: this process.
    pub store: Option<String>,
    /// What it answers while that store does not.
    pub failure: FailurePolicy,
    /// How long units may be taken in advance; `None`: not at all.
    pub lease: Option<Duration>,
    /// Keys to keep at one time in this process.
    pub keys: usize,
}

impl Limit {
    /// A limit of all defaults.
    #[must_use]
    pub fn new(name: &str, key: Vec<Source>, algorithm: Algorithm) -> Self {
        let part = |source| KeyPart { source, absent: Absent::default() };
        Self {
            name: name.to_owned(),
            key: key.into_iter().map(part).collect(),
            when: Vec::new(),
            algorithm,
            overrides: Vec::new(),
            classes: Vec::new(),
            cost: Cost::Constant(1),
            enforce: Percent::ALL,
            store: None,
            failure: FailurePolicy::default(),
            lease: None,
            keys: 65_536,
        }
    }
}

/// Why a limit cannot be. Each names its limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Two limits of one name.
    #[error("limit `{0}` is there twice")]
    Twice(String),
    /// A quota that cannot be.
    #[error("limit `{limit}`: {error}")]
    Quota {
        /// The limit.
        limit: String,
        /// What is wrong.
        #[source]
        error: QuotaError,
    },
    /// A value of the verified identity, where nobody verifies one.
    #[error(
        "limit `{limit}`: `{source_label}` needs authentication, which is not configured; an unverified token is no key"
    )]
    Unverified {
        /// The limit.
        limit: String,
        /// The source.
        source_label: String,
    },
    /// An override that has not one pattern for each part of the key.
    #[error("limit `{limit}`: override {index} has {given} patterns for {wanted} parts of the key")]
    Patterns {
        /// The limit.
        limit: String,
        /// The override, from 1.
        index: usize,
        /// Patterns given.
        given: usize,
        /// Parts of the key.
        wanted: usize,
    },
    /// Two overrides with the same patterns.
    #[error("limit `{limit}`: override {index} has the patterns of an earlier one")]
    SamePatterns {
        /// The limit.
        limit: String,
        /// The override, from 1.
        index: usize,
    },
    /// An override whose algorithm is of another kind than the limit's.
    #[error("limit `{limit}`: override {index} must have the limit's own algorithm and window")]
    OtherKind {
        /// The limit.
        limit: String,
        /// The override, from 1.
        index: usize,
    },
    /// Classes that reserve everything.
    #[error("limit `{limit}`: its classes reserve {reserved} % of it, and less than 100 % can be")]
    AllReserved {
        /// The limit.
        limit: String,
        /// The sum.
        reserved: u32,
    },
    /// More classes than can be told apart.
    #[error("limit `{limit}`: {given} classes, and at most 16 can be")]
    ManyClasses {
        /// The limit.
        limit: String,
        /// Classes given.
        given: usize,
    },
    /// A failure policy that needs a bucket.
    #[error("limit `{0}`: only a token bucket or a leaky bucket can be shared out among nodes; say `open` or `closed`")]
    NoShares(String),
    /// A lease where no unit would be left of the burst.
    #[error("limit `{limit}`: leases of {age:?} need a token bucket whose burst is more than its rate in that time")]
    Lease {
        /// The limit.
        limit: String,
        /// The age.
        age: Duration,
    },
    /// A limit over a shared store that counts what is in flight.
    #[error("limit `{0}`: concurrency is counted in this process; a store cannot know of a node that died")]
    SharedConcurrency(String),
    /// No keys.
    #[error("limit `{limit}`: between 1 and {most} keys, not {given}")]
    Keys {
        /// The limit.
        limit: String,
        /// The most.
        most: usize,
        /// Those given.
        given: usize,
    },
}
