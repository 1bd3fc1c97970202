//! The algorithms to choose from, as configured and as compiled.

use std::time::Duration;

use crate::concurrency::Concurrency;
use crate::fixed::Fixed;
use crate::gcra::Gcra;
use crate::log::Log;
use crate::quota::{LONGEST_PERIOD, QuotaError, Rate, Scale};
use crate::window::Window;

/// What a limit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `burst` at once, `rate` in the long run; also the leaky bucket that polices.
    TokenBucket {
        /// The long run.
        rate: Rate,
        /// Units at once, at least 1.
        burst: u64,
    },
    /// Units leave `rate` apart; at most `queue` of them wait for that.
    LeakyBucket {
        /// The long run.
        rate: Rate,
        /// Units that may wait.
        queue: u64,
    },
    /// At most the rate's count in every window of its period.
    SlidingWindow(Rate),
    /// The same, exact to the tick, for small limits.
    SlidingLog(Rate),
    /// At most the rate's count in each period of the clock.
    FixedWindow(Rate),
    /// At most so many in flight.
    Concurrency(u64),
}

/// An algorithm ready to decide, without any key's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Token bucket and leaky bucket.
    Bucket(Gcra),
    /// Sliding window.
    Window(Window),
    /// Sliding log.
    Log(Log),
    /// Fixed window.
    Fixed(Fixed),
    /// Concurrency.
    Concurrency(Concurrency),
}

/// Which kind of state a [`Policy`] works on. Policies of one kind can take each other's place while keys have state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A bucket.
    Bucket,
    /// A sliding window of a length: its parts mean nothing in another one.
    Window(Duration),
    /// A sliding log.
    Log,
    /// A fixed window of a length.
    Fixed(Duration),
    /// A count in flight.
    Concurrency,
}

impl Algorithm {
    /// The algorithm for state in ticks of `scale`.
    ///
    /// # Errors
    /// What the algorithm's own constructor says.
    pub fn compile(&self, scale: Scale) -> Result<Policy, QuotaError> {
        Ok(match *self {
            Self::TokenBucket { rate, burst } => Policy::Bucket(Gcra::bucket(rate, burst, scale)?),
            Self::LeakyBucket { rate, queue } => Policy::Bucket(Gcra::shaping(rate, queue, scale)?),
            Self::SlidingWindow(rate) => Policy::Window(Window::new(rate, scale)?),
            Self::SlidingLog(rate) => Policy::Log(Log::new(rate, scale)?),
            Self::FixedWindow(rate) => Policy::Fixed(Fixed::new(rate, scale)?),
            Self::Concurrency(limit) => Policy::Concurrency(Concurrency::new(limit)?),
        })
    }

    /// The kind of state it works on.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::TokenBucket { .. } | Self::LeakyBucket { .. } => Kind::Bucket,
            Self::SlidingWindow(rate) => Kind::Window(rate.per()),
            Self::SlidingLog(_) => Kind::Log,
            Self::FixedWindow(rate) => Kind::Fixed(rate.per()),
            Self::Concurrency(_) => Kind::Concurrency,
        }
    }

    /// The time in which the limit is whole again when all of it was used; zero where no time makes it so.
    #[must_use]
    pub fn window(&self) -> Duration {
        let refill = |rate: &Rate, units: u64| {
            let nanos = rate.per().as_nanos().saturating_mul(u128::from(units));
            let nanos = nanos.checked_div(u128::from(rate.count())).unwrap_or_default();
            Duration::from_nanos_u128(nanos.min(LONGEST_PERIOD.as_nanos()))
        };
        match self {
            Self::TokenBucket { rate, burst } => refill(rate, *burst),
            Self::LeakyBucket { rate, queue } => refill(rate, queue.saturating_add(1)),
            Self::SlidingWindow(rate) | Self::SlidingLog(rate) | Self::FixedWindow(rate) => rate.per(),
            Self::Concurrency(_) => Duration::ZERO,
        }
    }

    /// Units that the limit holds at once: what a share of it is a share of.
    #[must_use]
    pub const fn holds(&self) -> u64 {
        match self {
            Self::TokenBucket { burst, .. } => *burst,
            Self::LeakyBucket { queue, .. } => queue.saturating_add(1),
            Self::SlidingWindow(rate) | Self::SlidingLog(rate) | Self::FixedWindow(rate) => rate.count(),
            Self::Concurrency(limit) => *limit,
        }
    }
}

impl Policy {
    /// The same policy for somebody who must leave `units` to others.
    #[must_use]
    pub fn leaving(self, units: u64) -> Self {
        match self {
            _ if units == 0 => self,
            Self::Bucket(bucket) => Self::Bucket(bucket.leaving(units)),
            Self::Window(window) => Self::Window(window.leaving(units)),
            Self::Log(log) => Self::Log(log.leaving(units)),
            Self::Fixed(fixed) => Self::Fixed(fixed.leaving(units)),
            Self::Concurrency(concurrency) => Self::Concurrency(concurrency.leaving(units)),
        }
    }
}
