//! Whether a server's clock jumps, as seen from the answers.

use std::time::Duration;

/// A clock is taken to have jumped ahead if it is off by more than this, beside 1/32 of the time between two answers
/// and the time that they took.
const JUMP: Duration = Duration::from_millis(20);

/// What a clock did since the last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It went on.
    None,
    /// It jumped ahead: limits refill by that much at once.
    Forward,
    /// It went back: limits stand still for so long.
    Back,
}

/// The server's tick at the last answer, and the node's clock when that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Watch(Option<(u64, Duration)>);

impl Watch {
    /// An answer of the server's tick `now`, between `asked` and `answered` of the node's clock.
    pub(crate) fn look(&mut self, now: u64, asked: Duration, answered: Duration) -> Step {
        let before = self.0.replace((now, asked));
        let Some((then, then_asked)) = before else { return Step::None };
        if now < then {
            return Step::Back;
        }
        let theirs = Duration::from_micros((now - then) / 16);
        let most = answered.saturating_sub(then_asked);
        if theirs > most + most / 32 + JUMP { Step::Forward } else { Step::None }
    }
}

#[cfg(test)]
mod tests;
