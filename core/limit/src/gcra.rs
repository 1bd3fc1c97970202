//! Token bucket and leaky bucket as one number: the generic cell rate algorithm.
//!
//! The state of a key is its *theoretical arrival time* (TAT), the tick at which the bucket is full again.
//! `TAT ≤ now` is a full bucket: a key that was never seen, and a key that carries no information.
//!
//! Source: ITU-T I.371, the virtual scheduling form of GCRA.

use std::time::Duration;

use crate::ask::{Ask, Decision, Mode, Receipt, Retry};
use crate::quota::{LATEST, LONGEST_PERIOD, QuotaError, Rate, Scale};

/// The longest tolerance, in ticks. A bucket that is capped here holds less, never more.
const MOST_TOLERANCE: u64 = 1 << 61;

/// A bucket's rule, without its state.
///
/// Admits at most `burst + rate × T` units in every interval of length `T`: the interval between units is rounded
/// up to a tick, the tolerance follows from the rounded interval, and products saturate to a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gcra {
    /// Ticks that one unit costs; `u64::MAX` refuses all.
    interval: u64,
    /// How far TAT may be ahead of now.
    tolerance: u64,
    /// How far TAT of this key may be ahead for anybody: beyond it the clock went back, or the limit was lowered.
    ceiling: u64,
    scale: Scale,
    shapes: bool,
}

impl Gcra {
    /// A token bucket (and a leaky bucket that polices): `burst` at once, `rate` in the long run.
    ///
    /// # Errors
    /// The burst is zero or takes more than 366 days to refill.
    pub fn bucket(rate: Rate, burst: u64, scale: Scale) -> Result<Self, QuotaError> {
        if burst == 0 {
            return Err(QuotaError::Zero("the burst"));
        }
        let refill = rate.per().as_nanos().saturating_mul(u128::from(burst));
        if rate.count() > 0 && refill > LONGEST_PERIOD.as_nanos().saturating_mul(u128::from(rate.count())) {
            return Err(QuotaError::LongBurst { burst });
        }
        Ok(Self::saturating(rate, burst, scale))
    }

    /// A leaky bucket that shapes: what is admitted gets a time to wait, so that units leave `rate` apart and at
    /// most `queue` of them wait.
    ///
    /// # Errors
    /// As [`Gcra::bucket`].
    pub fn shaping(rate: Rate, queue: u64, scale: Scale) -> Result<Self, QuotaError> {
        Ok(Self { shapes: true, ..Self::bucket(rate, queue.saturating_add(1), scale)? })
    }

    /// A bucket from whatever a caller sent: what does not fit holds less.
    #[must_use]
    pub fn saturating(rate: Rate, burst: u64, scale: Scale) -> Self {
        let interval = match u128::from(rate.count()) {
            0 => u64::MAX,
            count => u64::try_from(scale.span(rate.per()).div_ceil(count)).unwrap_or(u64::MAX).max(1),
        };
        let tolerance = match interval {
            u64::MAX => 0,
            _ => burst.saturating_mul(interval).min(MOST_TOLERANCE),
        };
        Self { interval, tolerance, ceiling: tolerance, scale, shapes: false }
    }

    /// The same bucket for somebody who must leave `units` of its burst to others.
    #[must_use]
    pub fn leaving(self, units: u64) -> Self {
        Self { tolerance: self.tolerance.saturating_sub(units.saturating_mul(self.interval)), ..self }
    }

    /// The same bucket for leases that live at most `age`: its burst is less by what refills while a lease
    /// lives, so that units that are used late do not add up to more than the contract. `None` if that leaves
    /// less than one unit, or if the bucket shapes: a unit's turn cannot be kept for later.
    ///
    /// Uses in any interval `T` come from debits in an interval `T + age`: at most
    /// `(burst − rate × age) + rate × (T + age)`, which is `burst + rate × T`.
    #[must_use]
    pub fn leased(self, age: Duration) -> Option<Self> {
        let age = u64::try_from(self.scale.span(age)).unwrap_or(u64::MAX);
        let tolerance = self.tolerance.checked_sub(age)?;
        (tolerance >= self.interval && !self.shapes).then_some(Self { tolerance, ceiling: tolerance, ..self })
    }

    /// `numerator / denominator` of this bucket: a longer interval within at most that share of the tolerance.
    #[must_use]
    pub fn share(self, numerator: u64, denominator: u64) -> Self {
        let (n, d) = (u128::from(numerator.min(denominator)), u128::from(denominator.max(1)));
        let Some(interval) = (u128::from(self.interval) * d).checked_add(n).and_then(|sum| (sum - 1).checked_div(n))
        else {
            return Self { interval: u64::MAX, tolerance: 0, ceiling: 0, ..self };
        };
        // The burst in units shrinks with the share, while the time to refill it stays.
        let interval = u64::try_from(interval).unwrap_or(u64::MAX);
        let tolerance = if interval == u64::MAX { 0 } else { self.tolerance };
        Self { interval, tolerance, ceiling: tolerance, ..self }
    }

    /// Units that the bucket holds when it is full.
    #[must_use]
    pub const fn burst(&self) -> u64 {
        self.tolerance / self.interval
    }

    /// Ticks that one unit costs.
    #[must_use]
    pub const fn interval(&self) -> u64 {
        self.interval
    }

    /// How long a unit waits for those before it that were granted at once with it.
    pub(crate) fn turn(&self, before: u64) -> Duration {
        if self.shapes { self.scale.duration(before.saturating_mul(self.interval)) } else { Duration::ZERO }
    }

    /// Ticks that TAT may be ahead of now.
    #[must_use]
    pub const fn tolerance(&self) -> u64 {
        self.tolerance
    }

    /// Ticks that TAT may be ahead of now for anybody who shares the bucket.
    #[must_use]
    pub const fn ceiling(&self) -> u64 {
        self.ceiling
    }

    /// Whether what it admits has to wait for its turn.
    #[must_use]
    pub const fn shapes(&self) -> bool {
        self.shapes
    }

    /// The length of its ticks.
    #[must_use]
    pub const fn scale(&self) -> Scale {
        self.scale
    }

    /// Answers `ask` at `now` for a key whose state is `tat`. The second value is the state to store, if it
    /// changed: refusals and checks change nothing.
    #[inline]
    #[must_use]
    pub fn decide(&self, tat: u64, now: u64, ask: Ask) -> (Decision, Option<u64>) {
        let now = now.min(LATEST);
        let base = tat.clamp(now, now + self.ceiling);
        let room = self.tolerance.saturating_sub(base - now);
        let need = ask.cost.saturating_mul(self.interval);
        let granted = match ask.mode {
            _ if need <= room => ask.cost,
            Mode::Partial => room / self.interval,
            Mode::Spend | Mode::Check => 0,
        };
        let worth = granted * self.interval;
        let spent = if ask.mode == Mode::Check { 0 } else { worth };
        let next = base + spent;
        let retry = if granted == ask.cost {
            Retry::Now
        } else if need > self.tolerance {
            Retry::Never
        } else {
            Retry::After(self.scale.duration(need - room))
        };
        let decision = Decision {
            asked: ask.cost,
            granted,
            remaining: self.tolerance.saturating_sub(next - now) / self.interval,
            retry,
            reset: self.scale.duration(next - now),
            wait: if self.shapes && granted > 0 { self.scale.duration(base - now) } else { Duration::ZERO },
            receipt: if spent == 0 {
                Receipt::default()
            } else {
                Receipt { cost: granted, at: now, worth: spent, era: 0, shared: false }
            },
        };
        (decision, (spent > 0).then_some(next))
    }

    /// The state after spending `cost`; `None`: it does not fit. [`Gcra::decide`] without the rest of the answer.
    #[inline]
    #[must_use]
    pub fn spend(&self, tat: u64, now: u64, cost: u64) -> Option<u64> {
        let now = now.min(LATEST);
        let ahead = tat.saturating_sub(now).min(self.ceiling);
        let need = cost.saturating_mul(self.interval);
        (need <= self.tolerance.saturating_sub(ahead)).then(|| if need == 0 { tat } else { now + ahead + need })
    }

    /// Gives back what `receipt` says; the state to store, if that changes anything.
    ///
    /// What comes back is less by what has refilled since: without the spending the bucket might have been full all
    /// the time, and a full bucket gains nothing. A refund at once is whole; one later than `cost / rate` is void.
    #[inline]
    #[must_use]
    pub fn refund(&self, tat: u64, now: u64, receipt: Receipt) -> Option<u64> {
        let now = now.min(LATEST);
        let back = receipt.worth.saturating_sub(now.saturating_sub(receipt.at));
        (back > 0 && tat > now).then(|| tat.saturating_sub(back).max(now))
    }
}

#[cfg(test)]
mod tests;
