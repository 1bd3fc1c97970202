//! When calls of a route are not made, for whom, and what is answered then.

use super::Place;
use http::{HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;
use tidegate_traffic::breaker::Settings;

/// For how many keys there are breakers where nothing is said.
pub const DEFAULT_MAX_KEYS: usize = 1000;
/// The most that may be said.
pub const MAX_KEYS: usize = 10_000;

/// A route's breaker.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    /// When it opens and closes.
    pub settings: Settings,
    /// Which calls are judged together.
    pub key: BreakerKey,
    /// For how many values of the key there are breakers; 1 to [`MAX_KEYS`], 0 of keys that have no values.
    pub max_keys: usize,
    /// What is answered in place of the calls that it keeps away.
    pub fallback: Fallback,
}

/// Which calls of a route are judged together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BreakerKey {
    /// Those to one upstream.
    #[default]
    Upstream,
    /// All.
    Route,
    /// Those to one endpoint of an upstream.
    Endpoint,
    /// Those to one upstream whose requests have one value of this header.
    Header(HeaderName),
    /// Those to one upstream whose requests have one value in this field of their message.
    Field {
        /// Names with dots between.
        path: String,
        /// `routes[i].breaker.key` in the file.
        place: Place,
    },
}

/// What is answered in place of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// An error with this status, and `Retry-After`.
    Refuse(StatusCode),
    /// An answer that is always the same.
    Answer(Arc<FallbackAnswer>),
    /// What another upstream says.
    Upstream(String),
}

/// An answer that is always the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackAnswer {
    /// The status; of the answer to a call of a service one that says success.
    pub status: StatusCode,
    /// Its headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// JSON.
    pub body: String,
    /// The methods of the service whose calls are answered so, and where the file names them; all if there are none.
    pub methods: Vec<(String, Place)>,
    /// `routes[i].breaker.fallback.body` in the file.
    pub place: Place,
}

impl Default for Fallback {
    fn default() -> Self {
        Self::Refuse(StatusCode::SERVICE_UNAVAILABLE)
    }
}

impl From<Settings> for Breaker {
    /// One for each upstream, that refuses.
    fn from(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }
}

impl BreakerKey {
    /// As the config file has it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Upstream => "upstream".into(),
            Self::Route => "route".into(),
            Self::Endpoint => "endpoint".into(),
            Self::Header(name) => format!("header:{name}"),
            Self::Field { path, .. } => format!("field:{path}"),
        }
    }

    /// Whether there are many values of it.
    #[must_use]
    pub fn has_values(&self) -> bool {
        matches!(self, Self::Endpoint | Self::Header(_) | Self::Field { .. })
    }
}
