//! Endpoints that come and go: the port of those who know where they are.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// The most endpoints of an upstream. What has more is cut off, and says so.
pub const ENDPOINTS_MAX: usize = 4_096;

/// An endpoint that was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// An IP address, IPv6 without brackets, or a name.
    pub host: String,
    /// The port, not 0.
    pub port: u16,
    /// Its part of the calls; 0 is none.
    pub weight: u32,
}

/// All endpoints of a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// At least one: that there is none is not believed, it is an error of the [`Finder`].
    pub places: Vec<Place>,
    /// What was found and is no endpoint, each in a sentence for whoever put it there.
    pub wrong: Vec<String>,
    /// When to ask again; `None` of one that tells changes by itself.
    pub again: Option<Duration>,
}

/// Why endpoints cannot be found now: one sentence, lower case, no full stop. Those that were found last stay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

/// When a [`Finder`] that is asked is asked again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// In a row.
    failures: u32,
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// However badly calls go.
    pub least: Duration,
    /// If they go well; not below `least`.
    pub most: Duration,
}

impl Pace {
    /// The shortest time from one question to the next, whatever the answer says and however badly calls go.
    pub const AGAIN_MIN: Duration = Duration::from_secs(1);
    /// The longest after an answer: a name whose TTL is a day may still move.
    pub const AGAIN_MAX: Duration = Duration::from_secs(60);
    /// The longest after an error.
    pub const AFTER_ERROR_MAX: Duration = Duration::from_secs(15);
    /// By so much at most a pause is longer by chance, so that gateways that began together do not ask together.
    pub const SPREAD: Duration = Duration::from_millis(100);

    /// Endpoints were found, with this [`Found::again`]. `None` if there is nothing to wait for but the finder.
    pub fn found(&mut self, again: Option<Duration>, chance: u64) -> Option<Pause> {
        self.failures = 0;
        Some(pause(again?.clamp(Self::AGAIN_MIN, Self::AGAIN_MAX), chance))
    }

    /// They were not.
    pub fn lost(&mut self, chance: u64) -> Pause {
        self.failures = (self.failures + 1).min(8);
        pause((Self::AGAIN_MIN * (1 << (self.failures - 1))).min(Self::AFTER_ERROR_MAX), chance)
    }
}

fn pause(most: Duration, chance: u64) -> Pause {
    let spread = Pace::SPREAD.mul_f64(chance as f64 / (u64::MAX as f64 + 1.0));
    Pause { least: Pace::AGAIN_MIN + spread, most: most + spread }
}

/// What [`Finder::next`] gives.
pub type Next<'f> = Pin<Box<dyn Future<Output = Result<Found, Lost>> + Send + 'f>>;

/// Someone who knows where the endpoints of one upstream are: a resolver of names, a registry.
pub trait Finder: fmt::Debug + Send {
    /// The endpoints: of one that is asked, now; of one that tells changes, the first time those of now, and then when they
    /// have changed. After an error it goes on, and the caller has to pause.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// They cannot be found, or there is none.
    fn next(&mut self) -> Next<'_>;
}
