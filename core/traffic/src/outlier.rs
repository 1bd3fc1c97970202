//! Endpoints whose calls fail, or take long, beside others of the same upstream: they are *ejected*, left alone for a while.
//!
//! - [`Settings::consecutive_errors`]: so many calls in a row failed: a reply that says so (status 5xx but 501, gRPC's
//!   `UNKNOWN`, `DEADLINE_EXCEEDED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS`), none within its time, a stream that was reset, a
//!   broken connection.
//! - [`Settings::consecutive_gateway_errors`]: the same of those alone that say that the service did not do it: 502, 503,
//!   504, `UNAVAILABLE`, and all without a reply.
//! - [`Settings::success_rate`]: in an interval its share of calls that succeeded is lower than the mean of all endpoints by
//!   so many standard deviations (as Envoy's), and by at least five points: where all but one succeed always, the
//!   deviation alone would be next to nothing. Where there are few endpoints, so that one moves the mean, each is compared
//!   with all others: it is lower than theirs by ten points, and by more than chance explains.
//! - [`Settings::slow`]: in an interval its calls took so many times as long as the median of the others, and at least ten
//!   milliseconds longer.
//!
//! An ejection lasts [`Settings::ejection`], twice as long the second time, three times the third, up to [`Settings::ejection_max`]; each
//! stretch of `ejection` without one takes one back. No more than [`Settings::max_ejected`] are ejected at a time, though one
//! always may be; of an upstream of one endpoint none ever is. When it is over the endpoint is on [`Trial`].
//!
//! [`Tally`] counts, shared by threads; the rest is pure.

mod interval;
#[cfg(all(test, tidegate_loom))]
mod loom;
mod tally;
mod trial;

pub use interval::{Sample, judge};
pub use tally::{Outcome, Sign, Tally};
pub use trial::{CALLS as TRIAL_CALLS, Trial};

use crate::share::Share;
use std::fmt;
use std::time::Duration;

/// When an endpoint is ejected, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Failures in a row; `None` is off.
    pub consecutive_errors: Option<u32>,
    /// Of a service that could not be asked; `None` is off.
    pub consecutive_gateway_errors: Option<u32>,
    /// `None` is off.
    pub success_rate: Option<SuccessRate>,
    /// So many times as slow as the others; `None` is off.
    pub slow: Option<u32>,
    /// How often success rates and latencies are looked at.
    pub interval: Duration,
    /// How long the first ejection lasts.
    pub ejection: Duration,
    /// The longest.
    pub ejection_max: Duration,
    /// The share of endpoints that may be ejected.
    pub max_ejected: Share,
}

/// When a success rate stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessRate {
    /// Thousandths of a standard deviation below the mean.
    pub deviations: u32,
    /// With fewer endpoints that have enough calls each is compared with the others taken together.
    pub min_endpoints: u32,
    /// With fewer calls in an interval an endpoint is not judged.
    pub min_calls: u32,
}

/// Why an endpoint is ejected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// Calls in a row that failed.
    Errors(u32),
    /// Calls in a row that the service could not be asked.
    GatewayErrors(u32),
    /// It fails more than the others.
    SuccessRate {
        /// Its calls in the interval.
        calls: u32,
        /// Those of them that failed.
        failed: u32,
        /// The share of calls that succeed of the other endpoints.
        others: f64,
    },
    /// It failed while it was on [`Trial`].
    Again,
    /// It is slower than the others.
    Slow {
        /// The mean of its calls in the interval.
        took: Duration,
        /// The median of the others' means.
        others: Duration,
    },
}

/// What is held against an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Ejections that count for the length of the next one.
    pub times: u32,
    /// It is ejected, and till when.
    pub until: Option<Duration>,
    /// When the last ejection ended.
    pub ended: Duration,
}

/// Settings that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nothing could ever be ejected.
    #[error("`max_ejected` is more than `0%`")]
    NothingEjected,
    /// An ejection would be over at once.
    #[error("`ejection` is at least `1ms`")]
    NoEjection,
    /// The first is longer than the longest.
    #[error("`ejection_max` is at least `ejection`")]
    ShortGrowth,
    /// Nothing would be counted.
    #[error("`interval` is at least `10ms`")]
    NoInterval,
    /// As quick as the others is not slow.
    #[error("`slow` is at least 2: so many times as slow as the others")]
    NotSlow,
}

impl SettingsError {
    /// The setting that is wrong, as the config calls it.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::NothingEjected => "max_ejected",
            Self::NoEjection => "ejection",
            Self::ShortGrowth => "ejection_max",
            Self::NoInterval => "interval",
            Self::NotSlow => "slow",
        }
    }
}

impl Default for SuccessRate {
    /// Envoy's defaults.
    fn default() -> Self {
        Self { deviations: 1900, min_endpoints: 5, min_calls: 100 }
    }
}

impl Default for Settings {
    /// Five failures in a row, for 30 s, at most half of the endpoints; success rates as Envoy's; nothing is too slow.
    fn default() -> Self {
        Self {
            consecutive_errors: Some(5),
            consecutive_gateway_errors: None,
            success_rate: Some(SuccessRate::default()),
            slow: None,
            interval: Duration::from_secs(2),
            ejection: Duration::from_secs(30),
            ejection_max: Duration::from_secs(300),
            max_ejected: Share::percent(50),
        }
    }
}

impl Settings {
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), SettingsError> {
        let error = match self {
            _ if self.max_ejected == Share::NONE => SettingsError::NothingEjected,
            _ if self.ejection < Duration::from_millis(1) => SettingsError::NoEjection,
            _ if self.ejection_max < self.ejection => SettingsError::ShortGrowth,
            _ if self.interval < Duration::from_millis(10) => SettingsError::NoInterval,
            _ if self.slow.is_some_and(|times| times < 2) => SettingsError::NotSlow,
            _ => return Ok(()),
        };
        Err(error)
    }

    /// Whether anything is looked at in intervals.
    #[must_use]
    pub fn has_intervals(&self) -> bool {
        self.success_rate.is_some() || self.slow.is_some()
    }

    /// Whether an end of a call is anything that endpoints are ejected for.
    fn looks_at(&self, outcome: Outcome) -> bool {
        let errors = self.consecutive_errors.is_some() || self.success_rate.is_some();
        match outcome {
            Outcome::Fine => false,
            Outcome::Failed => errors,
            Outcome::Unreached => errors || self.consecutive_gateway_errors.is_some(),
        }
    }

    /// How many of so many endpoints may be ejected.
    #[must_use]
    pub fn most(&self, endpoints: usize) -> usize {
        if endpoints < 2 {
            return 0;
        }
        let share = endpoints as u128 * u128::from(self.max_ejected.billionths());
        let whole = u128::from(Share::ALL.billionths());
        usize::try_from(share / whole).unwrap_or(endpoints).clamp(1, endpoints)
    }

    /// Ejects an endpoint, unless it is, or as many are as may. `chance` is 64 random bits.
    pub fn eject(&self, records: &mut [Record], at: usize, now: Duration, chance: u64) -> Option<Duration> {
        let ejected = records.iter().filter(|record| record.until.is_some()).count();
        if ejected >= self.most(records.len()) {
            return None;
        }
        let record = records.get_mut(at).filter(|record| record.until.is_none())?;
        let forgiven = now.saturating_sub(record.ended).as_nanos() / self.ejection.as_nanos().max(1);
        record.times = record.times.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        record.times = record.times.saturating_add(1);
        let length = self.ejection.saturating_mul(record.times).min(self.ejection_max);
        // Up to a tenth longer: gateways that ejected it together do not come back together.
        let spread = ((length.as_nanos() / 10) * u128::from(chance)) >> 64;
        let length = length + Duration::from_nanos(u64::try_from(spread).unwrap_or(0));
        record.until = Some(now + length);
        Some(length)
    }
}

impl Record {
    /// Ends an ejection whose time is over. Says whether it did.
    pub fn release(&mut self, now: Duration) -> bool {
        let over = self.until.is_some_and(|until| until <= now);
        if over {
            self.end(now);
        }
        over
    }

    /// Ends an ejection.
    pub fn end(&mut self, now: Duration) {
        self.until = None;
        self.ended = now;
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors(calls) => write!(f, "{calls} calls in a row failed"),
            Self::GatewayErrors(calls) => write!(f, "the service could not be asked {calls} times in a row"),
            Self::SuccessRate { calls, failed, others } => {
                write!(f, "{failed} of {calls} calls failed, and {:.1} % elsewhere", (1.0 - others) * 100.0)
            }
            Self::Again => f.write_str("a call failed again after its ejection"),
            Self::Slow { took, others } => {
                let ms = |time: &Duration| time.as_secs_f64() * 1e3;
                write!(f, "calls took {:.1} ms, and {:.1} ms elsewhere", ms(took), ms(others))
            }
        }
    }
}
