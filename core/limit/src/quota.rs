//! Rates, and the ticks in which algorithms count time.

use std::time::Duration;

/// The longest period of a rate: a leap year.
pub const LONGEST_PERIOD: Duration = Duration::from_hours(366 * 24);

/// Why a rate or a limit cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// The period has no length.
    #[error("the period of a rate must be longer than zero")]
    NoPeriod,
    /// The period is beyond [`LONGEST_PERIOD`].
    #[error("the period of a rate is at most 366 days, not {0:?}")]
    LongPeriod(Duration),
    /// A burst, limit or count of zero where at least one is needed. To refuse everything, say a rate of 0.
    #[error("{0} must be at least 1; a rate of 0 refuses everything")]
    Zero(&'static str),
    /// A count that the state of a key has no room for.
    #[error("{what} is at most {most}, not {given}")]
    TooMany {
        /// What was counted.
        what: &'static str,
        /// The greatest value.
        most: u64,
        /// The value given.
        given: u64,
    },
    /// The burst alone would last longer than [`LONGEST_PERIOD`] at this rate.
    #[error("a burst of {burst} at this rate takes more than 366 days to refill")]
    LongBurst {
        /// The burst given.
        burst: u64,
    },
    /// A window that is too short for its sub-buckets.
    #[error("a sliding window is at least {least:?} long, not {given:?}")]
    ShortWindow {
        /// The shortest window.
        least: Duration,
        /// The window given.
        given: Duration,
    },
}

/// So many units in a period. A count of zero is legal and refuses everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    count: u64,
    per: Duration,
}

impl Rate {
    /// `count` units in each `per`.
    ///
    /// # Errors
    /// The period is zero, or longer than [`LONGEST_PERIOD`].
    pub const fn new(count: u64, per: Duration) -> Result<Self, QuotaError> {
        if per.is_zero() {
            return Err(QuotaError::NoPeriod);
        }
        if per.as_nanos() > LONGEST_PERIOD.as_nanos() {
            return Err(QuotaError::LongPeriod(per));
        }
        Ok(Self { count, per })
    }

    /// `count` units a second.
    #[must_use]
    pub const fn per_second(count: u64) -> Self {
        Self { count, per: Duration::from_secs(1) }
    }

    /// The units in a period.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The period.
    #[must_use]
    pub const fn per(&self) -> Duration {
        self.per
    }

    /// `numerator / denominator` of this rate, rounded down: by counting over a longer period where the count
    /// would not divide. Never more than the share.
    #[must_use]
    pub fn share(&self, numerator: u64, denominator: u64) -> Self {
        let denominator = denominator.max(1);
        let numerator = numerator.min(denominator);
        let exact = u128::from(self.count) * u128::from(numerator);
        if exact == 0 {
            return Self { count: 0, ..*self };
        }
        // count × n/d in `per` is count in per × d/n: exact as long as the period stays legal.
        let nanos = (self.per.as_nanos() * u128::from(denominator)).div_ceil(u128::from(numerator));
        if nanos <= LONGEST_PERIOD.as_nanos() {
            return Self { count: self.count, per: duration(nanos) };
        }
        Self { count: u64::try_from(exact / u128::from(denominator)).unwrap_or(u64::MAX), ..*self }
    }
}

fn duration(nanos: u128) -> Duration {
    Duration::from_nanos_u128(nanos)
}

/// How long a tick is. Sixteen of them make the unit, so that rates near one unit of time are not
/// rounded to half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scale {
    /// 1/16 ns: state in this process.
    Local,
    /// 1/16 µs: state in a shared store, whose scripts count in doubles (whole up to 2⁵³).
    Shared,
}

/// The latest `now`, in ticks. Later ones count as this one. Local: nine years of uptime.
pub(crate) const LATEST: u64 = 1 << 62;
/// The second that it is in, of [`Scale::Local`].
const LATEST_SECOND: u64 = LATEST / 16 / 1_000_000_000;

impl Scale {
    /// The ticks that have surely passed within `time`: rounded down, at most 2⁶².
    #[inline]
    #[must_use]
    pub fn elapsed(self, time: Duration) -> u64 {
        match self {
            Self::Local if time.as_secs() > LATEST_SECOND => LATEST,
            Self::Local => (time.as_secs() * 1_000_000_000 + u64::from(time.subsec_nanos())) * 16,
            Self::Shared => u64::try_from(time.as_nanos() * 16 / 1000).unwrap_or(LATEST),
        }
        .min(LATEST)
    }

    /// The ticks of a span, rounded up.
    pub(crate) fn span(self, time: Duration) -> u128 {
        match self {
            Self::Local => time.as_nanos() * 16,
            Self::Shared => (time.as_nanos() * 16).div_ceil(1000),
        }
    }

    /// The time of so many ticks, rounded up: whoever waits so long has waited long enough.
    #[inline]
    #[must_use]
    pub fn duration(self, ticks: u64) -> Duration {
        match self {
            Self::Local => Duration::from_nanos(ticks.div_ceil(16)),
            Self::Shared => Duration::from_micros(ticks.div_ceil(16)),
        }
    }
}
