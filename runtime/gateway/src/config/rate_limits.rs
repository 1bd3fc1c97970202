//! Rate limits: how many requests of whom.

use super::Place;
use std::fmt;
use tidegate_limit::rules::{Limit, Source};
use tidegate_limit::{Algorithm, Rate};

/// Stands for the quota of a limit that a service keeps by rules of its own: it refuses only what no call of the service
/// can ask for.
pub const QUOTA_OF_SERVICE: Algorithm =
    Algorithm::TokenBucket { rate: Rate::per_second(1_000_000_000), burst: u32::MAX as u64 };

/// A limit, and what its callers are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Whose requests, how many, at what cost.
    pub limit: Limit,
    /// Which answers have `RateLimit` and `RateLimit-Policy`.
    pub headers: Tells,
    /// Beside those `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    pub legacy_headers: bool,
    /// What it took of a request is given back if a later limit refuses that.
    pub gives_back: bool,
    /// Services behind are told what it spent, signed with this secret.
    pub signed: Option<Secret>,
    /// What a rate limit service knows the parts of its key by, if its store is one; else empty. Its algorithm is then
    /// a token bucket that is sent along, or [`QUOTA_OF_SERVICE`].
    pub descriptor: Vec<String>,
    /// Its name in the file.
    pub place: Place,
    /// What it looks at of a request, each where the file says so.
    pub sources: Vec<(Source, Place)>,
}

/// What only this gateway and the services behind it know.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

/// Without the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Which answers tell of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tells {
    /// None.
    Never,
    /// Those that refuse.
    #[default]
    Refused,
    /// All.
    Always,
}

/// The name of a limit, where a route or a listener has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitName {
    /// One of [`super::Config::rate_limits`].
    pub name: String,
    /// Where it stands.
    pub place: Place,
}
