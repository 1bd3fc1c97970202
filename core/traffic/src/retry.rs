//! Retries: whether a call that failed is made again, and after which pause.
//!
//! ```text
//! try 1 fails ──Settings::decide──► Stop(why)                       the caller gets the failure
//!                     │
//!                     └──► Again { after } ──Budget::withdraw──► refused: the caller gets the failure
//!                                                 │
//!                                                 └──► try 2, after the pause
//! ```
//!
//! A request that surely never reached the application is made again whatever it asks for. Of any other the
//! application may have acted: it is made again only if doing it twice is the same as doing it once (RFC 9110,
//! section 9.2.2). Nothing is made again once the reply has begun, and no try begins that could not end by the
//! deadline.
//!
//! The pause is a random part of a bound that doubles ("full jitter": AWS Architecture Blog, "Exponential Backoff
//! And Jitter"), unless the service says when to come back: gRPC's `grpc-retry-pushback-ms` (gRFC A6) and
//! `Retry-After` (RFC 9110, section 10.2.3) in seconds.

use http::{Method, StatusCode};
use std::time::Duration;

/// With less left of the deadline than this behind the pause, a try is not begun: a hop there and back in a data
/// centre takes about as long.
pub const LEAST_TRY: Duration = Duration::from_millis(1);

/// A service that asks for more patience than this is not waited for: what waits costs memory here.
pub const PATIENCE_MAX: Duration = Duration::from_secs(5);

/// Tries of a call that fails, at most.
pub const ATTEMPTS_MAX: u32 = 10;

/// When a failed call is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// How long one try may wait for the head of its reply, a connection included; `None` is as long as the call.
    pub per_try_timeout: Option<Duration>,
    /// The bound of the first pause. Doubles with each.
    pub base: Duration,
    /// The most that it doubles to.
    pub max: Duration,
    /// Which failures.
    pub on: Conditions,
    /// All requests may be made twice, whatever their method.
    pub idempotent: bool,
}

/// Which failures a call is made again for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// The request surely never reached the application: no connection, a refused stream.
    pub connect: bool,
    /// The call was broken off before its reply began.
    pub reset: bool,
    /// A try took longer than it may.
    pub timeout: bool,
    /// `UNAVAILABLE`, 502, 503 and 504.
    pub unavailable: bool,
    /// Further gRPC codes, as bits: 1 << code.
    pub codes: u32,
    /// Further HTTP statuses.
    pub statuses: Vec<u16>,
}

/// Settings that make no retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not even the first try would be made.
    #[error("`attempts` is at least 1: it counts the first try")]
    NoAttempts,
    /// A failure would be multiplied.
    #[error("`attempts` is at most {ATTEMPTS_MAX}")]
    ManyAttempts,
    /// No try would have time.
    #[error("`per_try_timeout` is at least `1ms`")]
    NoTry,
    /// All would come back at once.
    #[error("`base` is at least `1ms`")]
    NoBase,
    /// The first pause is longer than the longest.
    #[error("`max` is at least `base`")]
    ShortMax,
}

/// What a try ended with, before its reply began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request surely never reached the application.
    NotSent,
    /// The call was broken off; the application may have seen it.
    Reset,
    /// The time of this try passed.
    Timeout,
    /// The application answered with this gRPC code, and nothing else.
    Code(u8),
    /// The application answered with this HTTP status.
    Status(StatusCode),
    /// Something that is the same the next time.
    Final,
}

/// When the service wants to see the call again, if it says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pushback {
    /// It does not say.
    #[default]
    None,
    /// In so long, and not before.
    After(Duration),
    /// Not at all.
    Never,
}

/// A call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Tries that were made, this one included.
    pub made: u32,
    /// How this one ended.
    pub failure: Failure,
    /// Whether the request may be made twice: by its method, by what its descriptor says, or by the route.
    pub idempotent: bool,
    /// What the service said.
    pub pushback: Pushback,
    /// What is left of the deadline; `None` is no deadline.
    pub left: Option<Duration>,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The caller gets the failure.
    Stop(Stop),
    /// It is made again, after this pause, if the budget allows.
    Again {
        /// How long to wait.
        after: Duration,
    },
}

/// Why a call is not made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is no failure that is tried again, or the request must not be made twice.
    Final,
    /// All tries were made.
    Exhausted,
    /// The service said so, or wants more patience than there is.
    Pushback,
    /// The next try could not end by the deadline.
    Deadline,
}

// === impl Settings ===

impl Settings {
    /// # Errors
    /// What makes no retries.
    pub fn check(&self) -> Result<(), SettingsError> {
        let millisecond = Duration::from_millis(1);
        let error = match self {
            Self { attempts: 0, .. } => SettingsError::NoAttempts,
            Self { attempts, .. } if *attempts > ATTEMPTS_MAX => SettingsError::ManyAttempts,
            Self { per_try_timeout: Some(timeout), .. } if *timeout < millisecond => SettingsError::NoTry,
            Self { base, .. } if *base < millisecond => SettingsError::NoBase,
            Self { base, max, .. } if max < base => SettingsError::ShortMax,
            _ => return Ok(()),
        };
        Err(error)
    }

    /// Whether an answer with this HTTP status might be tried again, for requests that may be made twice.
    #[must_use]
    pub fn doubts_status(&self, status: StatusCode) -> bool {
        self.on.includes(Failure::Status(status))
    }

    /// Whether an answer with this gRPC code might be tried again, for requests that may be made twice.
    #[must_use]
    pub fn doubts_code(&self, code: u8) -> bool {
        self.on.includes(Failure::Code(code))
    }

    /// Whether a call that failed is made again. `chance` is uniform in 0..2⁶⁴.
    #[must_use]
    pub fn decide(&self, failed: &Failed, chance: u64) -> Verdict {
        let twice = failed.idempotent || self.idempotent || failed.failure == Failure::NotSent;
        if !twice || !self.on.includes(failed.failure) {
            return Verdict::Stop(Stop::Final);
        }
        if failed.made >= self.attempts {
            return Verdict::Stop(Stop::Exhausted);
        }
        let after = match failed.pushback {
            Pushback::None => self.pause(failed.made, chance),
            Pushback::After(after) if after <= PATIENCE_MAX => after,
            Pushback::After(_) | Pushback::Never => return Verdict::Stop(Stop::Pushback),
        };
        match failed.left {
            Some(left) if left < after.saturating_add(LEAST_TRY) => Verdict::Stop(Stop::Deadline),
            _ => Verdict::Again { after },
        }
    }

    /// The pause after so many tries: a random part of a bound that doubles.
    fn pause(&self, made: u32, chance: u64) -> Duration {
        let doublings = made.saturating_sub(1).min(20);
        let bound = self.base.saturating_mul(1 << doublings).min(self.max);
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        let part = (u128::from(nanos) * u128::from(chance)) >> 64;
        Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

impl Default for Settings {
    /// Up to three tries, for what is safe to be made again; pauses of up to 25 ms, then up to 50 ms.
    fn default() -> Self {
        Self {
            attempts: 3,
            per_try_timeout: None,
            base: Duration::from_millis(25),
            max: Duration::from_millis(250),
            on: Conditions::default(),
            idempotent: false,
        }
    }
}

// === impl Conditions ===

impl Conditions {
    /// None of all.
    pub const NONE: Self =
        Self { connect: false, reset: false, timeout: false, unavailable: false, codes: 0, statuses: Vec::new() };

    fn includes(&self, failure: Failure) -> bool {
        const UNAVAILABLE: u8 = 14;
        match failure {
            Failure::NotSent => self.connect,
            Failure::Reset => self.reset,
            Failure::Timeout => self.timeout,
            Failure::Code(code) => {
                (self.unavailable && code == UNAVAILABLE) || (code < 32 && self.codes & (1 << code) != 0)
            }
            Failure::Status(status) => {
                (self.unavailable && matches!(status.as_u16(), 502..=504)) || self.statuses.contains(&status.as_u16())
            }
            Failure::Final => false,
        }
    }
}

impl Default for Conditions {
    /// What says that the service could not be reached, or was not there.
    fn default() -> Self {
        Self { connect: true, reset: true, timeout: true, unavailable: true, ..Self::NONE }
    }
}

// === impl Pushback ===

impl Pushback {
    /// What an answer says by `grpc-retry-pushback-ms`, else by `Retry-After`. Of gRPC a negative number is never,
    /// and so is what is no number (gRFC A6); a date in `Retry-After` is at least a second away and is not waited
    /// for.
    #[must_use]
    pub fn of(grpc: Option<&[u8]>, retry_after: Option<&[u8]>) -> Self {
        let number = |bytes: &[u8]| str::from_utf8(bytes).ok()?.trim().parse::<u64>().ok();
        if let Some(grpc) = grpc {
            return number(grpc).map_or(Self::Never, |millis| Self::After(Duration::from_millis(millis)));
        }
        match retry_after {
            Some(after) => number(after).map_or(Self::Never, |seconds| Self::After(Duration::from_secs(seconds))),
            None => Self::None,
        }
    }
}

/// Whether doing it twice is the same as doing it once, by what the method means (RFC 9110, section 9.2.2).
#[must_use]
pub fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE)
}
