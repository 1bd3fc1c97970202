//! The one clock of the runtime: a lint bans `Instant::now` and `SystemTime::now` elsewhere.

use std::time::{Instant, SystemTime};

/// The monotonic time, for deadlines and durations: the runtime's, so that a test that pauses the
/// runtime's time pauses this too.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this function is the one clock")]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The wall time, for what is stored, logged or sent. It may jump; never subtract two of them.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this function is the one clock")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since the Unix epoch of a wall time; 0 for a time before it.
#[must_use]
pub fn unix_ms(wall: SystemTime) -> u64 {
    wall.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
