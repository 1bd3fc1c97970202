//! Which keys callers ask for.

use super::decider::Quota;
use clap::ValueEnum;

/// Which keys callers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Keys {
    /// One.
    Hot,
    /// Ten thousand, each as often.
    Uniform,
    /// A hundred thousand, the n-th of them 1/n as often as the first.
    Zipf,
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "keys are drawn, and shares are small numbers"
)]
impl Keys {
    /// How many there are.
    pub(crate) const fn count(self) -> usize {
        match self {
            Self::Hot => 1,
            Self::Uniform => 10_000,
            Self::Zipf => 100_000,
        }
    }

    /// A key, from a random number.
    pub(crate) fn pick(self, random: u64) -> usize {
        match self {
            Self::Hot => 0,
            Self::Uniform => random as usize % self.count(),
            // The inverse of the harmonic numbers' integral.
            Self::Zipf => {
                let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
                (((self.count() as f64).powf(share) - 1.0) as usize).min(self.count() - 1)
            }
        }
    }

    /// The part of all questions that are about a key.
    fn share(self, key: usize) -> f64 {
        match self {
            Self::Hot | Self::Uniform => 1.0 / self.count() as f64,
            Self::Zipf => (1.0 / (key as f64 + 1.0)).ln_1p() / (self.count() as f64).ln(),
        }
    }

    /// The limit on each key that refuses this part of so many questions a second.
    pub(crate) fn quota(self, asked: f64, refused: f64) -> Quota {
        let beyond = |rate: f64| (0..self.count()).map(|key| (self.share(key) * asked - rate).max(0.0)).sum::<f64>();
        let (mut low, mut high) = (0.0, asked);
        for _ in 0..40 {
            let rate = f64::midpoint(low, high);
            (low, high) = if beyond(rate) > refused * asked { (rate, high) } else { (low, rate) };
        }
        Quota::of(high)
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn a_limit_refuses_the_part_that_it_is_made_for() {
        for (keys, rate) in [(Keys::Hot, 700.0), (Keys::Uniform, 0.07)] {
            let found = keys.quota(1000.0, 0.3).rate;
            assert!((found - rate).abs() < rate / 100.0, "{keys:?}: {found}");
        }
    }

    #[test]
    fn shares_are_those_of_the_keys_that_are_drawn() {
        let mut random = 1_u64;
        let mut counts = [0_u32; 4];
        for _ in 0..100_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if let Some(count) = counts.get_mut(Keys::Zipf.pick(random)) {
                *count += 1;
            }
        }
        for (key, count) in counts.into_iter().enumerate() {
            let expected = Keys::Zipf.share(key) * 100_000.0;
            assert!((f64::from(count) - expected).abs() < expected / 10.0, "{key}: {count}, not {expected}");
        }
    }
}
