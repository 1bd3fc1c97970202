//! What a limit is asked and what it answers.

use std::time::Duration;

/// How a cost is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// All of it, or nothing.
    Spend,
    /// Whether all of it would fit; nothing is spent.
    Check,
    /// As much of it as fits.
    Partial,
}

/// One question to one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Units to take. Zero always fits and spends nothing.
    pub cost: u64,
    /// How.
    pub mode: Mode,
}

impl Ask {
    /// All of `cost`, or nothing.
    #[must_use]
    pub const fn spend(cost: u64) -> Self {
        Self { cost, mode: Mode::Spend }
    }

    /// Whether `cost` would fit.
    #[must_use]
    pub const fn check(cost: u64) -> Self {
        Self { cost, mode: Mode::Check }
    }

    /// As much of `cost` as fits.
    #[must_use]
    pub const fn partial(cost: u64) -> Self {
        Self { cost, mode: Mode::Partial }
    }

    /// Units that are granted when `room` units are free.
    #[inline]
    pub(crate) const fn granted(self, room: u64) -> u64 {
        match self.mode {
            Mode::Spend | Mode::Check if self.cost > room => 0,
            Mode::Spend | Mode::Check => self.cost,
            Mode::Partial if self.cost > room => room,
            Mode::Partial => self.cost,
        }
    }
}

/// When the same question can be answered with yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// At once: it was granted.
    Now,
    /// Not before this time has passed, and then if nobody else spends.
    After(Duration),
    /// Unknown: when somebody gives back.
    OnRelease,
    /// The cost is beyond what the limit ever holds.
    Never,
}

/// What was spent, to be given back at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Receipt {
    /// Units spent; zero: there is nothing to give back.
    pub cost: u64,
    /// The algorithm's own mark of when: a tick or an epoch.
    pub at: u64,
    /// The algorithm's own measure of what was spent.
    pub worth: u64,
    /// The era of the shared store; zero elsewhere. What was spent in another era is not given back: clocks of two
    /// servers differ, so how much of it has come back by itself is not known.
    pub era: u64,
    /// Spent in the bucket that keys share while the table is full.
    pub shared: bool,
}

impl Receipt {
    /// For all that a key ever spent: in a shared store, what is given back for it makes the budget whole.
    pub const ALL: Self = Self { cost: u64::MAX, at: u64::MAX, worth: u64::MAX, era: 0, shared: false };
}

/// The answer of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decision {
    /// Units asked for.
    pub asked: u64,
    /// Units granted: those asked for, or 0, or in between if [`Mode::Partial`] was asked.
    pub granted: u64,
    /// Units that would be granted right after this answer.
    pub remaining: u64,
    /// When what was not granted could be.
    pub retry: Retry,
    /// Until the limit is as if it had never been used.
    pub reset: Duration,
    /// How long to hold what was granted back (shaping); zero otherwise.
    pub wait: Duration,
    /// What was spent.
    pub receipt: Receipt,
}

impl Decision {
    /// Whether all that was asked for was granted.
    #[inline]
    #[must_use]
    pub const fn is_admitted(&self) -> bool {
        self.granted == self.asked
    }

    /// After how long the caller should ask again, if that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.retry {
            Retry::After(time) => Some(time),
            Retry::Now | Retry::OnRelease | Retry::Never => None,
        }
    }
}
