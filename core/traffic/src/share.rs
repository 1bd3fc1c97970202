//! A part of all that comes, exactly.

use std::fmt;
use std::str::FromStr;

/// A part of a whole, from 0 to 100 %, in steps of 0.0000001 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

/// A text that is no share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// It is not a number with a `%` behind it.
    #[error("write for example `10%` or `0.5%`")]
    NoPercentage,
    /// It is above 100 %.
    #[error("it can be at most `100%`")]
    MoreThanAll,
    /// It has more than seven decimals.
    #[error("it can have seven decimals")]
    TooFine,
}

/// Parts of the whole, and of one per cent.
const WHOLE: u32 = 1_000_000_000;
const PER_CENT: u32 = WHOLE / 100;

impl Share {
    /// Nobody.
    pub const NONE: Self = Self(0);
    /// Everybody.
    pub const ALL: Self = Self(WHOLE);

    /// So many per cent.
    ///
    /// # Panics
    /// More than 100.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        assert!(percent <= 100, "a share is at most 100 %");
        Self(percent * PER_CENT)
    }

    /// Whether a number that is uniform in 0..2⁶⁴ is within the share. Exact: of a larger share everything that
    /// was within a smaller one is.
    #[must_use]
    pub fn takes(self, uniform: u64) -> bool {
        u128::from(uniform) * u128::from(WHOLE) < (u128::from(self.0) << 64)
    }

    /// Whether `part` of `whole` is more than this share.
    #[must_use]
    pub fn is_exceeded(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(WHOLE) > u128::from(self.0) * u128::from(whole)
    }

    /// Whether `part` of `whole` is this share or more. Of nothing, nothing is reached.
    #[must_use]
    pub fn is_reached(self, part: u64, whole: u64) -> bool {
        whole > 0 && u128::from(part) * u128::from(WHOLE) >= u128::from(self.0) * u128::from(whole)
    }

    /// In billionths; [`from_billionths`](Self::from_billionths) gives it back.
    #[must_use]
    pub const fn billionths(self) -> u32 {
        self.0
    }

    /// So many billionths; more than all of them are all.
    #[must_use]
    pub const fn from_billionths(parts: u32) -> Self {
        if parts > WHOLE { Self::ALL } else { Self(parts) }
    }

    /// As a number from 0 to 1.
    #[must_use]
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    /// `10%`, `0.5%`.
    fn from_str(text: &str) -> Result<Self, ShareError> {
        const DECIMALS: usize = 7;
        let number = text.strip_suffix('%').ok_or(ShareError::NoPercentage)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(ShareError::NoPercentage);
        }
        if fraction.len() > DECIMALS {
            return Err(ShareError::TooFine);
        }
        let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 100).ok_or(ShareError::MoreThanAll)?;
        let fraction: u32 = format!("{fraction:0<DECIMALS$}").parse().map_err(|_| ShareError::TooFine)?;
        let parts = whole * PER_CENT + fraction;
        if parts > WHOLE { Err(ShareError::MoreThanAll) } else { Ok(Self(parts)) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / PER_CENT, self.0 % PER_CENT);
        if fraction == 0 {
            return write!(f, "{whole}%");
        }
        let fraction = format!("{fraction:07}");
        write!(f, "{whole}.{}%", fraction.trim_end_matches('0'))
    }
}
