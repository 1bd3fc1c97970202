//! How far the process is with serving and leaving.

use std::sync::atomic::{AtomicU8, Ordering};

/// How far the process is. It only ever goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Everything is served.
    #[default]
    Serving = 0,
    /// Everything is still served, but whoever asks is told that it will not be for long: load
    /// balancers have time to look elsewhere.
    Leaving = 1,
    /// No new connections; those that are open are told to go with their next answer.
    Draining = 2,
    /// The time is over: what is still in flight is ended, with a status.
    Over = 3,
}

/// The phase of a gateway, shared by all its workers.
#[derive(Debug, Default)]
pub(crate) struct SharedPhase(AtomicU8);

impl SharedPhase {
    pub(crate) fn get(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Serving,
            1 => Phase::Leaving,
            2 => Phase::Draining,
            _ => Phase::Over,
        }
    }

    /// Goes forward to `phase`; an earlier one than the present one changes nothing.
    pub(crate) fn advance(&self, phase: Phase) {
        self.0.fetch_max(phase as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Phase, SharedPhase};

    #[test]
    fn a_phase_never_goes_back() {
        let shared = SharedPhase::default();
        let seen = [Phase::Leaving, Phase::Over, Phase::Draining, Phase::Serving].map(|phase| {
            shared.advance(phase);
            shared.get()
        });
        assert_eq!(seen, [Phase::Leaving, Phase::Over, Phase::Over, Phase::Over]);
    }
}
