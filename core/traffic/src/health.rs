//! Whether an endpoint is well, as checks find it.
//!
//! The first check decides. After that, so many in a row must say otherwise: [`Settings::unhealthy`] that failed, or
//! [`Settings::healthy`] that passed. While checks say otherwise and are not enough yet, the next one comes after a fifth of
//! the interval, so that what has just happened is known soon.

use std::time::Duration;

/// How an endpoint is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// From the end of a check to the next one, give or take a tenth.
    pub interval: Duration,
    /// How long a check may take. One that takes longer has failed.
    pub timeout: Duration,
    /// Checks that fail in a row until an endpoint counts as dead. At least 1.
    pub unhealthy: u32,
    /// Checks that pass in a row until it is well again. At least 1.
    pub healthy: u32,
}

/// What is known of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// It was not checked yet, and is used.
    #[default]
    Unknown,
    /// It is well.
    Healthy,
    /// It is dead.
    Unhealthy,
}

/// The machine: one for each endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    health: Health,
    /// Checks in a row that said otherwise.
    otherwise: u32,
}

impl Default for Settings {
    /// Every 5 s, within 1 s; dead after two that fail, well after one that passes.
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), timeout: Duration::from_secs(1), unhealthy: 2, healthy: 1 }
    }
}

impl Health {
    /// In a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl Machine {
    /// What is known.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health
    }

    /// A check has ended. Gives what is known if that is something else than before.
    pub fn step(&mut self, settings: &Settings, passed: bool) -> Option<Health> {
        let (says, needed) =
            if passed { (Health::Healthy, settings.healthy) } else { (Health::Unhealthy, settings.unhealthy) };
        if says == self.health {
            self.otherwise = 0;
            return None;
        }
        self.otherwise += 1;
        if self.health != Health::Unknown && self.otherwise < needed {
            return None;
        }
        *self = Self { health: says, otherwise: 0 };
        Some(says)
    }

    /// When the next check comes. `chance` is 64 random bits.
    #[must_use]
    pub fn pause(&self, settings: &Settings, chance: u64) -> Duration {
        let interval = if self.otherwise > 0 { settings.interval / 5 } else { settings.interval };
        let nanos = interval.as_nanos();
        // From nine tenths to eleven: checks of many gateways do not come together.
        let spread = ((nanos / 5) * u128::from(chance)) >> 64;
        Duration::from_nanos(u64::try_from(nanos - nanos / 10 + spread).unwrap_or(u64::MAX))
    }
}
