//! The fixed window: a counter that starts anew with each period.
//!
//! For compatibility: up to twice the limit passes around the border of two windows.

use std::time::Duration;

use crate::ask::{Ask, Decision, Mode, Receipt, Retry};
use crate::quota::{QuotaError, Rate, Scale};

/// The greatest limit of a window: counts have 32 bits.
pub const MOST: u64 = u32::MAX as u64;
/// Bits of a window's number; it wraps, which refuses at most once what it should not.
pub(crate) const EPOCH_BITS: u32 = 37;
const EPOCHS: u64 = 1 << EPOCH_BITS;

/// Whether epoch `a` lies after epoch `b`, on the circle of epochs.
pub(crate) const fn is_after(a: u64, b: u64) -> bool {
    a != b && a.wrapping_sub(b) % EPOCHS < EPOCHS / 2
}

/// A fixed window's rule, without its state. Windows begin at multiples of the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fixed {
    limit: u64,
    width: u64,
    scale: Scale,
}

/// What is known of a key: which window was counted last, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counted {
    /// The window's number, modulo 2³⁷.
    pub epoch: u64,
    /// Units taken in it.
    pub count: u64,
}

impl Fixed {
    /// `rate.count()` units in each period.
    ///
    /// # Errors
    /// The limit is beyond [`MOST`].
    pub fn new(rate: Rate, scale: Scale) -> Result<Self, QuotaError> {
        if rate.count() > MOST {
            return Err(QuotaError::TooMany { what: "the limit of a window", most: MOST, given: rate.count() });
        }
        let width = u64::try_from(scale.span(rate.per())).unwrap_or(u64::MAX).max(1);
        Ok(Self { limit: rate.count(), width, scale })
    }

    /// Units in each period.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Ticks of the period.
    #[must_use]
    pub const fn width(&self) -> u64 {
        self.width
    }

    /// The same window for somebody who must leave `units` of it to others.
    #[must_use]
    pub fn leaving(self, units: u64) -> Self {
        Self { limit: self.limit.saturating_sub(units), ..self }
    }

    /// The window that `now` is in.
    #[inline]
    #[must_use]
    pub const fn epoch(&self, now: u64) -> u64 {
        now / self.width % EPOCHS
    }

    /// Whether the state says nothing at `now`.
    #[inline]
    #[must_use]
    pub const fn is_dead(&self, state: Counted, now: u64) -> bool {
        state.count == 0 || is_after(self.epoch(now), state.epoch)
    }

    /// Answers `ask`; the state to store, if it changed. A clock that went back is taken to stand still.
    #[inline]
    #[must_use]
    pub fn decide(&self, state: Counted, now: u64, ask: Ask) -> (Decision, Option<Counted>) {
        // A window of which all was given back is the current one all the same: a clock that goes back stays in it.
        let dead = state == Counted::default() || is_after(self.epoch(now), state.epoch);
        let (epoch, count) = if dead { (self.epoch(now), 0) } else { (state.epoch, state.count) };
        let granted = ask.granted(self.limit.saturating_sub(count));
        let spent = if ask.mode == Mode::Check { 0 } else { granted };
        let next = count + spent;
        let left = self.scale.duration(self.width - now % self.width);
        let decision = Decision {
            asked: ask.cost,
            granted,
            remaining: self.limit.saturating_sub(next),
            retry: match granted {
                _ if granted == ask.cost => Retry::Now,
                _ if ask.cost > self.limit => Retry::Never,
                _ => Retry::After(left),
            },
            reset: if next == 0 { Duration::ZERO } else { left },
            wait: Duration::ZERO,
            receipt: Receipt { cost: spent, at: epoch, worth: spent, era: 0, shared: false },
        };
        (decision, (spent > 0).then_some(Counted { epoch, count: next }))
    }

    /// Gives back what `receipt` says, if its window still counts.
    #[inline]
    #[must_use]
    pub fn refund(&self, state: Counted, now: u64, receipt: Receipt) -> Option<Counted> {
        let counts = receipt.cost > 0 && !self.is_dead(state, now) && state.epoch == receipt.at;
        counts.then(|| Counted { count: state.count.saturating_sub(receipt.cost), ..state })
    }
}
