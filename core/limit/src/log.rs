//! The sliding log: exact to the tick, at the price of one entry per admitted request.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ask::{Ask, Decision, Mode, Receipt, Retry};
use crate::quota::{QuotaError, Rate, Scale};

/// The greatest limit of a log: a key remembers at most so many requests.
pub const MOST: u64 = 4096;

/// A sliding log's rule, without its state: at most `limit` units in every window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Log {
    limit: u64,
    window: u64,
    scale: Scale,
}

/// What was admitted: pairs of tick and units, oldest first. At most as many as the limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entries(VecDeque<(u64, u64)>);

impl Log {
    /// `rate.count()` units in every window of the rate's period.
    ///
    /// # Errors
    /// The limit is beyond [`MOST`]: take a sliding window.
    pub fn new(rate: Rate, scale: Scale) -> Result<Self, QuotaError> {
        if rate.count() > MOST {
            return Err(QuotaError::TooMany { what: "the limit of a sliding log", most: MOST, given: rate.count() });
        }
        let window = u64::try_from(scale.span(rate.per())).unwrap_or(u64::MAX);
        Ok(Self { limit: rate.count(), window, scale })
    }

    /// Units in every window.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Ticks of the window.
    #[must_use]
    pub const fn window(&self) -> u64 {
        self.window
    }

    /// The same log for somebody who must leave `units` of it to others.
    #[must_use]
    pub fn leaving(self, units: u64) -> Self {
        Self { limit: self.limit.saturating_sub(units), ..self }
    }

    /// Whether the state says nothing at `now`.
    #[must_use]
    pub fn is_dead(&self, entries: &Entries, now: u64) -> bool {
        entries.0.back().is_none_or(|(at, _)| at.saturating_add(self.window) <= now)
    }

    /// Answers `ask` and logs it. A clock that went back is taken to stand still.
    #[must_use]
    pub fn decide(&self, entries: &mut Entries, now: u64, ask: Ask) -> Decision {
        let log = &mut entries.0;
        let now = log.back().map_or(now, |(at, _)| now.max(*at));
        let out = |at: u64| at.saturating_add(self.window);
        while log.front().is_some_and(|(at, count)| out(*at) <= now || *count == 0) {
            log.pop_front();
        }
        let total: u64 = log.iter().map(|(_, count)| count).sum();
        let granted = ask.granted(self.limit.saturating_sub(total));
        let retry = match granted {
            _ if granted == ask.cost => Retry::Now,
            _ if ask.cost > self.limit => Retry::Never,
            _ => {
                let mut left = total;
                let last = log.iter().find(|(_, count)| {
                    left -= count;
                    left + ask.cost <= self.limit
                });
                Retry::After(self.scale.duration(last.map_or(0, |(at, _)| out(*at) - now)))
            }
        };
        let spent = if ask.mode == Mode::Check { 0 } else { granted };
        match log.back_mut() {
            _ if spent == 0 => {}
            Some((at, count)) if *at == now => *count += spent,
            _ => log.push_back((now, spent)),
        }
        Decision {
            asked: ask.cost,
            granted,
            remaining: self.limit.saturating_sub(total + spent),
            retry,
            reset: log.back().map_or(Duration::ZERO, |(at, _)| self.scale.duration(out(*at) - now)),
            wait: Duration::ZERO,
            receipt: Receipt { cost: spent, at: now, worth: spent, era: 0, shared: false },
        }
    }

    /// Gives back what `receipt` says, if it still counts.
    pub fn refund(&self, entries: &mut Entries, receipt: Receipt) {
        if let Some((_, count)) = entries.0.iter_mut().find(|(at, _)| *at == receipt.at) {
            *count = count.saturating_sub(receipt.cost);
        }
    }
}
