//! The clock of the layers: the runtime's, so that tests can hold it.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// The time of the runtime's clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock of those who use the layers")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall time since 1970, for what is compared with other machines' clocks.
#[expect(clippy::disallowed_methods, reason = "this is the clock of those who use the layers")]
pub(crate) fn unix() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The time as the cores count it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// One that begins now.
    pub(crate) fn start() -> Self {
        Self { origin: now() }
    }

    pub(crate) fn now(self) -> Duration {
        now().saturating_duration_since(self.origin)
    }

    /// A point in time as the cores count it.
    pub(crate) fn at(self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.origin)
    }

    /// The same the other way; `None` is never.
    pub(crate) fn instant(self, at: Duration) -> Option<Instant> {
        self.origin.checked_add(at)
    }
}

/// A clock that begins with the first call: layers are made before there is a runtime.
#[derive(Debug, Default)]
pub(crate) struct LateClock(OnceLock<Clock>);

impl LateClock {
    pub(crate) fn get(&self) -> Clock {
        *self.0.get_or_init(Clock::start)
    }
}
