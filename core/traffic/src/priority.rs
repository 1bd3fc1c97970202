//! Classes of priority: who is refused first when there is too much.

use std::fmt;

/// How much it matters that a call is made. The order is that in which calls are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Batch work, prefetching: what can be done later.
    Low,
    /// All that nobody says anything of.
    #[default]
    Normal,
    /// What people wait for.
    High,
    /// The last to be refused: health checks, those who must not fail.
    Critical,
}

/// Which part of a limit each class may fill, in per cent. The difference to the whole is kept free for the classes
/// above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares([u8; 4]);

impl Class {
    /// All, the first to be refused first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// The word for it in the config, in logs and in metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The class of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Shares {
    /// Where nobody has a class: all of it for everybody.
    pub const EVEN: Self = Self([100; 4]);
    /// Where there are classes.
    pub const CLASSES: Self = Self([70, 90, 95, 100]);

    /// What calls of a class may fill of `limit`: at least one place.
    #[must_use]
    pub fn of(self, class: Class, limit: u32) -> u32 {
        let part = u64::from(limit) * u64::from(self.0[class.index()]);
        u32::try_from(part.div_ceil(100)).unwrap_or(u32::MAX).max(1)
    }
}
