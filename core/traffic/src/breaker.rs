//! A circuit breaker: calls to something that keeps failing, or keeps being slow, are not made for a while.
//!
//! ```text
//!             min_calls in the window, and          open interval over,
//!             failure_rate or slow_rate reached     the next call comes
//!   Closed ──────────────────────────────────► Open ─────────────────────► HalfOpen
//!     ▲                                         ▲                            │ │
//!     │                                         └─────── a rate reached; ────┘ │
//!     │                                         the interval doubles each time │
//!     └────────────────────────────────────────────────────────────────────────┘
//!                            the probes have ended, no rate reached
//! ```
//!
//! The states and the meaning of rates are Resilience4j's: a rate is reached if it is equal or higher, and is
//! judged only from `min_calls` on. Three things differ, each a way in which its breakers are known to get
//! stuck: a probe that ends without an outcome gives its place back, probes that do not end count as failed after
//! a while, and a call counts only for the state that it was admitted in.
//!
//! A window of time is counted in tenths, so a call is forgotten between nine tenths of the window and the whole
//! of it after it ended. The end of an open interval is spread by up to a tenth.
//!
//! [`Machine`] is pure: time and chance are arguments. [`Breaker`] is one that threads share, and whose
//! [`Permit`]s cannot be lost. [`Keyed`] has one for each of a bounded number of keys.

mod keyed;
#[cfg(all(test, tidegate_loom))]
mod loom;
mod machine;
mod shared;
mod window;

pub use keyed::{Keeps, Keyed};
pub use machine::{Change, Machine, Refusal, State, Ticket, Why};
pub use shared::{Breaker, Permit};

use crate::share::Share;
use std::time::Duration;

/// When a breaker opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which calls are judged.
    pub window: Window,
    /// The part of calls that has to fail.
    pub failure_rate: Share,
    /// From when on a call is slow, whatever its answer.
    pub slow_call: Duration,
    /// The part of calls that has to be slow.
    pub slow_rate: Share,
    /// With fewer calls in the window nothing is judged.
    pub min_calls: u32,
    /// How long no call passes the first time. Doubles each time that the probes fail.
    pub open: Duration,
    /// The most that it doubles to.
    pub open_max: Duration,
    /// How many calls probe, at the same time and in all.
    pub half_open: u32,
    /// How long probes may take when no further one can begin. Then those under way have failed.
    pub probing: Duration,
}

/// Which calls are judged: those that have ended lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// So many, the last ones.
    Calls(u32),
    /// Those of the last such time, in tenths of it: between nine and ten tenths are seen.
    Time(Duration),
}

/// Settings that make no breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The window is empty.
    #[error("`window` is at least one call, or `10ms`")]
    EmptyWindow,
    /// The window would need too much memory.
    #[error("`window` is at most {} calls", Settings::MAX_CALLS)]
    LargeWindow,
    /// It would be open always.
    #[error("`failure_rate` is more than `0%`")]
    NoFailureRate,
    /// The same.
    #[error("`slow_rate` is more than `0%`")]
    NoSlowRate,
    /// Nothing would be judged.
    #[error("`min_calls` is at least 1, and at most the calls of the window")]
    MinCalls,
    /// It would never be closed again.
    #[error("`half_open` is at least 1")]
    NoProbes,
    /// It would not be open.
    #[error("`open` is at least `1ms`")]
    NoTime,
    /// The first interval is longer than the longest.
    #[error("`open_max` is at least `open`")]
    ShortGrowth,
}

impl SettingsError {
    /// The setting that is wrong, as the config calls it.
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        match self {
            Self::EmptyWindow | Self::LargeWindow => "window",
            Self::NoFailureRate => "failure_rate",
            Self::NoSlowRate => "slow_rate",
            Self::MinCalls => "min_calls",
            Self::NoProbes => "half_open",
            Self::NoTime => "open",
            Self::ShortGrowth => "open_max",
        }
    }
}

impl Settings {
    /// The most calls of a [`Window::Calls`].
    pub const MAX_CALLS: u32 = 100_000;

    /// # Errors
    /// What makes no breaker.
    pub fn check(&self) -> Result<(), SettingsError> {
        let error = match self.window {
            Window::Calls(0) => SettingsError::EmptyWindow,
            Window::Calls(calls) if calls > Self::MAX_CALLS => SettingsError::LargeWindow,
            Window::Calls(calls) if self.min_calls > calls => SettingsError::MinCalls,
            Window::Time(time) if time < Duration::from_millis(10) => SettingsError::EmptyWindow,
            _ if self.failure_rate == Share::NONE => SettingsError::NoFailureRate,
            _ if self.slow_rate == Share::NONE => SettingsError::NoSlowRate,
            _ if self.min_calls == 0 => SettingsError::MinCalls,
            _ if self.half_open == 0 => SettingsError::NoProbes,
            _ if self.open < Duration::from_millis(1) => SettingsError::NoTime,
            _ if self.open > self.open_max => SettingsError::ShortGrowth,
            _ => return Ok(()),
        };
        Err(error)
    }
}

impl Default for Settings {
    /// Half of at least 100 calls in ten seconds; slow calls alone do not open it.
    fn default() -> Self {
        Self {
            window: Window::Time(Duration::from_secs(10)),
            failure_rate: Share::percent(50),
            slow_call: Duration::from_secs(60),
            slow_rate: Share::ALL,
            min_calls: 100,
            open: Duration::from_secs(5),
            open_max: Duration::from_secs(60),
            half_open: 10,
            probing: Duration::from_secs(60),
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// It failed, by whatever the caller counts as a failure.
    pub failed: bool,
    /// How long it took.
    pub took: Duration,
}
