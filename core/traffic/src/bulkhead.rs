//! A bulkhead: so many calls are in flight at once, a few wait, and the rest is refused before it costs anything.
//!
//! ```text
//!            room for its class                   a place is free, its class is next
//! call ─┬──────────────────────► in flight ◄──────────────────────────────┐
//!       │                                                                  │
//!       └─► queue: higher classes first, then in the order of coming ──────┤
//!             │                                                            │
//!             └─► refused: no queue, queue full, a higher class needs the  ▼
//!                 place, waited too long, or the deadline cannot be met    refused
//! ```
//!
//! Which part of the limit a class may fill is said by its [`Shares`]: as the limit fills, lower classes are the first to
//! wait and to be refused. A call whose deadline would pass while it waits, by how long calls take here, is refused at
//! once: to make it would help nobody. How long calls take is a moving average, an eighth for each call.
//!
//! [`Machine`] is pure: time is an argument. [`Bulkhead`] is one that threads share, whose [`Permit`]s cannot be lost, and
//! whose [`Queued`] calls leave the queue when they are dropped.

mod machine;
mod shared;

pub use machine::{Entry, Figures, Machine, Place, Refusal, Told, Why};
pub use shared::{Admission, Bulkhead, Permit, Queued};

use crate::gradient;
use crate::priority::Shares;
use std::time::Duration;

/// How much passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Calls in flight at once.
    pub limit: Limit,
    /// Calls that wait, at most.
    pub queue: u32,
    /// How long a call waits, at most.
    pub wait: Duration,
    /// Which part of the limit each class may fill.
    pub shares: Shares,
}

/// How many calls are in flight at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many.
    Fixed(u32),
    /// What is found by how long calls take.
    Adaptive(gradient::Settings),
}

/// Settings that make no bulkhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nothing would pass.
    #[error("`max` is at least 1")]
    NoMax,
    /// Its places would cost too much memory.
    #[error("`queue` is at most {}", Settings::QUEUE_MAX)]
    LongQueue,
    /// Nobody would ever wait.
    #[error("`wait` is at least `1ms`")]
    NoWait,
    /// The limit cannot be found.
    #[error(transparent)]
    Gradient(#[from] gradient::SettingsError),
}

impl Settings {
    /// The longest queue.
    pub const QUEUE_MAX: u32 = 100_000;
    /// How long a call waits where nothing is said.
    pub const DEFAULT_WAIT: Duration = Duration::from_secs(1);

    /// # Errors
    /// What makes no bulkhead.
    pub fn check(&self) -> Result<(), SettingsError> {
        match self.limit {
            Limit::Fixed(0) => return Err(SettingsError::NoMax),
            Limit::Fixed(_) => {}
            Limit::Adaptive(gradient) => gradient.check()?,
        }
        if self.queue > Self::QUEUE_MAX {
            return Err(SettingsError::LongQueue);
        }
        if self.wait < Duration::from_millis(1) {
            return Err(SettingsError::NoWait);
        }
        Ok(())
    }
}
