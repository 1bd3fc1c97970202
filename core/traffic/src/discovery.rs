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
