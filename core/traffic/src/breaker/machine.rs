//! The states, and what leads from one to the other.

use super::window::{Calls, Counts};
use super::{Outcome, Settings};
use std::fmt;
use std::time::Duration;

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// They pass, and are counted.
    Closed,
    /// None passes.
    Open,
    /// A few pass, to see how they end.
    HalfOpen,
    /// None passes, by command.
    ForcedOpen,
    /// They pass and are not counted, by command.
    Disabled,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Closed, Self::Open, Self::HalfOpen, Self::ForcedOpen, Self::Disabled];

    /// The word for it in metrics and in the admin API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
        }
    }
}

/// Why a breaker is in another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Enough calls failed.
    Failures {
        /// Calls that were judged.
        calls: u64,
        /// How many of them failed.
        failed: u64,
    },
    /// Enough calls were slow.
    Slowness {
        /// Calls that were judged.
        calls: u64,
        /// How many of them were slow.
        slow: u64,
    },
    /// The probes did not end in time.
    ProbesHang,
    /// The open interval is over, and a call came.
    Interval,
    /// The probes ended well.
    ProbesWell,
    /// Somebody said so.
    Command,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failures { calls, failed } => write!(f, "{failed} of {calls} calls failed"),
            Self::Slowness { calls, slow } => write!(f, "{slow} of {calls} calls were slow"),
            Self::ProbesHang => f.write_str("the probes did not end"),
            Self::Interval => f.write_str("the open interval is over"),
            Self::ProbesWell => f.write_str("the probes ended well"),
            Self::Command => f.write_str("by command"),
        }
    }
}

/// A breaker came into another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The state that it left.
    pub from: State,
    /// The state that it is in.
    pub to: State,
    /// Why.
    pub why: Why,
    /// How long it is open, if it opened by itself.
    pub open: Option<Duration>,
}

/// A call may be made. To be given back once, by [`Machine::settle`] or [`Machine::release`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a ticket that is not given back keeps the place of a probe"]
pub struct Ticket {
    /// Of the state that it was admitted in.
    period: u64,
}

/// A call must not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The state: open, by itself or forced, or half-open with all places of probes taken.
    pub state: State,
    /// After which time asking again may help, where that is known.
    pub retry_after: Option<Duration>,
}

/// How a breaker does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// It is closed: calls pass whether it is there or not.
    Closed,
    /// Nobody has called for as long as it kept calls away: its interval is over, or nobody probed lately.
    Due,
}

/// The probes of a half-open breaker.
#[derive(Clone, Copy, Debug, Default)]
struct Probes {
    /// Under way.
    taken: u32,
    ended: Counts,
    /// When the last place was taken.
    since: Duration,
}

/// The states of one breaker. Times are those of any clock that goes forward.
#[derive(Clone, Debug)]
pub struct Machine {
    settings: Settings,
    state: State,
    /// Counts the states that it has been in: what belongs to another one is not counted.
    period: u64,
    calls: Calls,
    probes: Probes,
    /// When it may be asked again, if it is open.
    until: Duration,
    /// How often it opened since it was closed last.
    openings: u32,
}

// === impl Machine ===

impl Machine {
    /// Closed, with no calls counted.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let calls = Calls::new(settings.window);
        let probes = Probes::default();
        Self { settings, state: State::Closed, period: 0, calls, probes, until: Duration::ZERO, openings: 0 }
    }

    /// What it does with calls. An open breaker whose interval is over is open until a call comes.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// How little would be lost if it were forgotten at `now`; `None` if that let calls through that it keeps away.
    pub(super) fn idle(&self, now: Duration) -> Option<Idle> {
        match self.state {
            State::Closed => Some(Idle::Closed),
            State::Open if now >= self.until => Some(Idle::Due),
            State::HalfOpen if now >= self.probes.since + self.settings.probing => Some(Idle::Due),
            State::Open | State::HalfOpen | State::ForcedOpen | State::Disabled => None,
        }
    }

    /// No further probe can begin, and those under way had their time.
    fn hangs(&self, now: Duration) -> bool {
        self.places() == 0 && now >= self.probes.since + self.settings.probing
    }

    /// Whether a call may be made at `now`. A change comes with the call that is the first to probe, or with
    /// one that finds that probes hang; `chance` is that of [`settle`](Self::settle).
    pub fn admit(&mut self, now: Duration, chance: u64) -> (Result<Ticket, Refusal>, Option<Change>) {
        let change = match self.state {
            State::Open if now >= self.until => {
                self.probes = Probes::default();
                Some(self.enter(State::HalfOpen, Why::Interval))
            }
            State::HalfOpen if self.hangs(now) => Some(self.give_up(now, chance)),
            _ => None,
        };
        (self.place(now), change)
    }

    /// Probes that may still begin.
    fn places(&self) -> u64 {
        let begun = u64::from(self.probes.taken) + self.probes.ended.calls;
        u64::from(self.settings.half_open).saturating_sub(begun)
    }

    /// Judges probes that have not all ended: those under way have failed.
    fn give_up(&mut self, now: Duration, chance: u64) -> Change {
        let Counts { calls, failed, slow } = self.probes.ended;
        let (all, hang) = (calls + u64::from(self.probes.taken), u64::from(self.probes.taken));
        match self.reached(Counts { calls: all, failed: failed + hang, slow: slow + hang }, all) {
            Some(_) => self.trip(Why::ProbesHang, now, chance),
            None => self.close(Why::ProbesWell),
        }
    }

    fn place(&mut self, now: Duration) -> Result<Ticket, Refusal> {
        let state = self.state;
        match state {
            State::Closed | State::Disabled => {}
            State::ForcedOpen => return Err(Refusal { state, retry_after: None }),
            State::Open => return Err(Refusal { state, retry_after: Some(self.until.saturating_sub(now)) }),
            State::HalfOpen => {
                if self.places() == 0 {
                    return Err(Refusal { state, retry_after: None });
                }
                self.probes.taken += 1;
                self.probes.since = now;
            }
        }
        Ok(Ticket { period: self.period })
    }

    /// Takes back the ticket of a call that ended. `chance` is uniform in 0..2⁶⁴: it spreads the ends of open
    /// intervals, so that many breakers do not probe at once.
    pub fn settle(
        &mut self,
        Ticket { period }: Ticket,
        outcome: Outcome,
        now: Duration,
        chance: u64,
    ) -> Option<Change> {
        if period != self.period {
            return None;
        }
        let slow = outcome.took >= self.settings.slow_call;
        match self.state {
            State::Closed => {
                self.calls.add(outcome.failed, slow, now);
                let counts = self.calls.counts(now);
                if counts.calls < u64::from(self.settings.min_calls) {
                    return None;
                }
                self.reached(counts, counts.calls).map(|why| self.trip(why, now, chance))
            }
            State::HalfOpen => {
                self.probes.taken -= 1;
                self.probes.ended.add(outcome.failed, slow);
                let (ended, all) = (self.probes.ended, u64::from(self.settings.half_open));
                // As soon as a rate is reached whatever the rest does.
                if let Some(why) = self.reached(ended, all) {
                    return Some(self.trip(why, now, chance));
                }
                (ended.calls >= all).then(|| self.close(Why::ProbesWell))
            }
            State::Open | State::ForcedOpen | State::Disabled => None,
        }
    }

    /// Takes back the ticket of a call that has no outcome: its caller left, or it was not made at all.
    pub fn release(&mut self, Ticket { period }: Ticket) {
        if period == self.period && self.state == State::HalfOpen {
            self.probes.taken -= 1;
        }
    }

    /// Opens it until it is told otherwise.
    pub fn force_open(&mut self) -> Option<Change> {
        (self.state != State::ForcedOpen).then(|| self.enter(State::ForcedOpen, Why::Command))
    }

    /// Lets everything pass until it is told otherwise.
    pub fn disable(&mut self) -> Option<Change> {
        (self.state != State::Disabled).then(|| self.enter(State::Disabled, Why::Command))
    }

    /// Closes it with nothing counted, whatever it is: from now on it works by itself.
    pub fn reset(&mut self) -> Change {
        self.close(Why::Command)
    }

    /// When it opens and closes.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Goes on with other settings. Another window begins empty, and probing begins anew; the state stays.
    pub fn set(&mut self, settings: Settings) {
        if settings == self.settings {
            return;
        }
        if settings.window != self.settings.window {
            self.calls = Calls::new(settings.window);
        }
        if self.state == State::HalfOpen {
            self.probes = Probes::default();
            self.period += 1;
        }
        self.settings = settings;
    }

    /// Which rate is reached by these counts among `all` calls.
    fn reached(&self, counts: Counts, all: u64) -> Option<Why> {
        let Counts { failed, slow, .. } = counts;
        if self.settings.failure_rate.is_reached(failed, all) {
            return Some(Why::Failures { calls: counts.calls, failed });
        }
        self.settings.slow_rate.is_reached(slow, all).then_some(Why::Slowness { calls: counts.calls, slow })
    }

    fn trip(&mut self, why: Why, now: Duration, chance: u64) -> Change {
        let doubled = 1_u32.checked_shl(self.openings).and_then(|times| self.settings.open.checked_mul(times));
        let open = doubled.unwrap_or(Duration::MAX).min(self.settings.open_max);
        let open = spread(open, chance);
        self.openings = self.openings.saturating_add(1);
        self.until = now + open;
        Change { open: Some(open), ..self.enter(State::Open, why) }
    }

    fn close(&mut self, why: Why) -> Change {
        self.openings = 0;
        self.enter(State::Closed, why)
    }

    fn enter(&mut self, state: State, why: Why) -> Change {
        let change = Change { from: self.state, to: state, why, open: None };
        self.state = state;
        self.period += 1;
        self.calls.clear();
        change
    }
}

/// The interval and up to a tenth of it more: never shorter than what was asked for.
fn spread(interval: Duration, chance: u64) -> Duration {
    let more = ((interval.as_nanos() / 10) * u128::from(chance)) >> 64;
    interval.saturating_add(Duration::from_nanos(u64::try_from(more).unwrap_or(u64::MAX)))
}
