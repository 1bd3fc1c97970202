//! The one clock of the runtime: a lint bans `Instant::now` and `SystemTime::now` elsewhere.

use std::time::{Duration, Instant, SystemTime};

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

/// The time since the Unix epoch of a wall time; zero for a time before it.
#[must_use]
pub fn unix(wall: SystemTime) -> Duration {
    wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The same in milliseconds.
#[must_use]
pub fn unix_ms(wall: SystemTime) -> u64 {
    u64::try_from(unix(wall).as_millis()).unwrap_or(u64::MAX)
}
