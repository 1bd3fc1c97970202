//! What limits promise, as exact judges of what was admitted. For tests and simulations: they round nothing and
//! share no arithmetic with the algorithms.

use std::collections::VecDeque;
use std::time::Duration;

use crate::quota::Rate;

/// `burst + rate × T` in every interval of length `T`.
#[derive(Debug, Clone)]
pub struct BucketJudge {
    per_nanos: u128,
    count: u128,
    burst: u128,
    /// Units times nanoseconds of the period that the bucket holds.
    level: u128,
    last: Duration,
    /// In the units of the level.
    excess: u128,
}

impl BucketJudge {
    /// A judge of one key.
    #[must_use]
    pub fn new(rate: Rate, burst: u64) -> Self {
        let (per_nanos, count) = (rate.per().as_nanos(), u128::from(rate.count()));
        Self { per_nanos, count, burst: u128::from(burst), level: 0, last: Duration::ZERO, excess: 0 }
    }

    fn level_at(&self, at: Duration) -> u128 {
        let passed = at.saturating_sub(self.last).as_nanos();
        self.level.saturating_sub(passed.saturating_mul(self.count))
    }

    /// Whether the contract allows `cost` at `at`, if all that it allowed was taken.
    #[must_use]
    pub fn allows(&self, at: Duration, cost: u64) -> bool {
        self.level_at(at) + u128::from(cost) * self.per_nanos <= self.burst * self.per_nanos
    }

    /// `cost` was admitted at `at`; times must not go back. Whether that was allowed; what was not is
    /// [`BucketJudge::excess`] and is forgiven.
    pub fn admitted(&mut self, at: Duration, cost: u64) -> bool {
        self.level = self.level_at(at) + u128::from(cost) * self.per_nanos;
        self.last = self.last.max(at);
        let over = self.level.saturating_sub(self.burst * self.per_nanos);
        self.excess += over;
        self.level -= over;
        over == 0
    }

    /// Units admitted beyond the contract, rounded up.
    #[must_use]
    pub const fn excess(&self) -> u128 {
        self.excess.div_ceil(self.per_nanos)
    }
}

/// At most `limit` units in every window, the end of which counts and the beginning does not.
#[derive(Debug, Clone)]
pub struct WindowJudge {
    limit: u128,
    window: Duration,
    admitted: VecDeque<(Duration, u64)>,
    total: u128,
    excess: u128,
}

impl WindowJudge {
    /// A judge of one key.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let limit = u128::from(rate.count());
        Self { limit, window: rate.per(), admitted: VecDeque::new(), total: 0, excess: 0 }
    }

    fn forget(&mut self, at: Duration) {
        while let Some(&(then, cost)) = self.admitted.front()
            && then + self.window <= at
        {
            self.total -= u128::from(cost);
            self.admitted.pop_front();
        }
    }

    /// Whether the contract allows `cost` at `at`.
    #[must_use]
    pub fn allows(&mut self, at: Duration, cost: u64) -> bool {
        self.forget(at);
        self.total + u128::from(cost) <= self.limit
    }

    /// `cost` was admitted at `at`; times must not go back. Whether that was allowed.
    pub fn admitted(&mut self, at: Duration, cost: u64) -> bool {
        self.forget(at);
        self.admitted.push_back((at, cost));
        self.total += u128::from(cost);
        let over = self.total.saturating_sub(self.limit);
        self.excess = self.excess.max(over);
        over == 0
    }

    /// The most units beyond the limit in any window.
    #[must_use]
    pub const fn excess(&self) -> u128 {
        self.excess
    }
}
