//! An endpoint that has just come gets its part of the calls little by little.

use std::time::Duration;

/// In how many steps a weight grows, each a tenth of the whole.
pub const STEPS: u32 = 10;

/// How long an endpoint takes to get its whole part: caches and connections warm up in that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowStart {
    /// From nothing to its whole weight. Zero is at once.
    pub window: Duration,
}

impl SlowStart {
    /// What a weight is multiplied with, in tenths, at an age: from 1 to 10.
    #[must_use]
    pub fn tenths(self, age: Duration) -> u32 {
        if age >= self.window {
            return STEPS;
        }
        let passed = age.as_nanos() * u128::from(STEPS) / self.window.as_nanos();
        u32::try_from(passed).unwrap_or(STEPS).clamp(1, STEPS)
    }

    /// The age at which that changes next; `None` once it is whole.
    #[must_use]
    pub fn next(self, age: Duration) -> Option<Duration> {
        let tenths = self.tenths(age);
        (tenths < STEPS).then(|| {
            let nanos = (self.window.as_nanos() * u128::from(tenths + 1)).div_ceil(u128::from(STEPS));
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        })
    }
}
