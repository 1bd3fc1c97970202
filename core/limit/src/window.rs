//! The sliding window: at most `limit` units in every window, wherever it begins.
//!
//! The window is cut into [`SUB_BUCKETS`]; the one that is partly out of the window counts in full. So nothing too
//! much passes, and what passes is at least `SUB_BUCKETS / (SUB_BUCKETS + 1)` of the limit under steady overload.

use std::time::Duration;

use crate::ask::{Ask, Decision, Mode, Receipt, Retry};
use crate::quota::{QuotaError, Rate, Scale};

/// Parts of a window.
pub const SUB_BUCKETS: u64 = 24;
/// Counters of a key: the parts, and the oldest one that is partly out.
pub const RING: usize = SUB_BUCKETS as usize + 1;
/// The shortest window: a part of it is five milliseconds, and the numbers of parts last for years.
pub const SHORTEST: Duration = Duration::from_millis(5 * SUB_BUCKETS);
/// The greatest limit: counters have 28 bits.
pub const MOST: u64 = (1 << 28) - 1;

/// A sliding window's rule, without its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    pub(crate) limit: u64,
    width: u64,
    pub(crate) scale: Scale,
}

/// The counters of a key, as a value: what a shared store keeps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Pairs of epoch and units taken in it, oldest first; at most [`RING`] of them.
    pub taken: Vec<(u64, u64)>,
}

impl Window {
    /// `rate.count()` units in every window of the rate's period.
    ///
    /// # Errors
    /// The limit is beyond [`MOST`], or the window shorter than [`SHORTEST`].
    pub fn new(rate: Rate, scale: Scale) -> Result<Self, QuotaError> {
        if rate.count() > MOST {
            return Err(QuotaError::TooMany { what: "the limit of a window", most: MOST, given: rate.count() });
        }
        if rate.per() < SHORTEST {
            return Err(QuotaError::ShortWindow { least: SHORTEST, given: rate.per() });
        }
        let width = scale.span(rate.per()).div_ceil(u128::from(SUB_BUCKETS));
        Ok(Self { limit: rate.count(), width: u64::try_from(width).unwrap_or(u64::MAX), scale })
    }

    /// The same window for somebody who must leave `units` of it to others.
    #[must_use]
    pub fn leaving(self, units: u64) -> Self {
        Self { limit: self.limit.saturating_sub(units), ..self }
    }

    /// Units in every window.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Ticks of a part of the window.
    #[must_use]
    pub const fn width(&self) -> u64 {
        self.width
    }

    /// The part of time that `now` is in.
    #[inline]
    #[must_use]
    pub const fn epoch(&self, now: u64) -> u64 {
        now / self.width
    }

    /// Ticks from `now` until what was taken in `epoch` counts no more.
    pub(crate) const fn until_out(&self, epoch: u64, now: u64) -> u64 {
        epoch.saturating_add(SUB_BUCKETS + 1).saturating_mul(self.width).saturating_sub(now)
    }

    /// When `cost` fits, given what was taken (oldest first) and how much of it in all.
    pub(crate) fn retry(&self, taken: impl Iterator<Item = (u64, u64)>, total: u64, now: u64, cost: u64) -> Retry {
        if cost > self.limit {
            return Retry::Never;
        }
        let mut left = total;
        let mut wait = 0;
        for (epoch, count) in taken {
            if left + cost <= self.limit {
                break;
            }
            left = left.saturating_sub(count);
            wait = self.until_out(epoch, now);
        }
        Retry::After(self.scale.duration(wait))
    }

    /// Answers `ask` and counts it. A clock that went back is taken to stand still.
    #[must_use]
    pub fn decide(&self, counts: &mut Counts, now: u64, ask: Ask) -> Decision {
        let newest = counts.taken.last().map_or(0, |last| last.0);
        let epoch = self.epoch(now).max(newest);
        counts.taken.retain(|(at, count)| at + SUB_BUCKETS >= epoch && *count > 0);
        let total: u64 = counts.taken.iter().map(|(_, count)| count).sum();
        let granted = ask.granted(self.limit.saturating_sub(total));
        let spent = if ask.mode == Mode::Check { 0 } else { granted };
        let retry = match granted {
            _ if granted == ask.cost => Retry::Now,
            _ => self.retry(counts.taken.iter().copied(), total, now, ask.cost),
        };
        match counts.taken.last_mut() {
            _ if spent == 0 => {}
            Some((at, count)) if *at == epoch => *count += spent,
            _ => counts.taken.push((epoch, spent)),
        }
        Decision {
            asked: ask.cost,
            granted,
            remaining: self.limit.saturating_sub(total + spent),
            retry,
            reset: counts.taken.last().map_or(Duration::ZERO, |(at, _)| self.scale.duration(self.until_out(*at, now))),
            wait: Duration::ZERO,
            receipt: Receipt { cost: spent, at: epoch, worth: spent, era: 0, shared: false },
        }
    }

    /// Gives back what `receipt` says, if it still counts.
    pub fn refund(&self, counts: &mut Counts, receipt: Receipt) {
        if let Some((_, count)) = counts.taken.iter_mut().find(|(at, _)| *at == receipt.at) {
            *count = count.saturating_sub(receipt.cost);
        }
    }
}
