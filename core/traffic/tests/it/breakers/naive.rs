//! A breaker as one would write it first: it remembers every call.

use std::time::Duration;
use tidegate_traffic::breaker::{Change, Outcome, Refusal, Settings, State, Why, Window};

/// A call that has ended: when, and how.
type Ended = (Duration, bool, bool);

/// A breaker that remembers every call.
pub(super) struct Naive {
    pub(super) settings: Settings,
    pub(super) state: State,
    /// Calls of the present state.
    ended: Vec<Ended>,
    /// Probes under way.
    under_way: u32,
    last_probe: Duration,
    until: Duration,
    openings: u32,
    /// Counts states.
    pub(super) period: u64,
}

impl Naive {
    pub(super) fn new(settings: Settings) -> Self {
        let zero = Duration::ZERO;
        let (state, ended) = (State::Closed, Vec::new());
        Self { settings, state, ended, under_way: 0, last_probe: zero, until: zero, openings: 0, period: 0 }
    }

    /// `opened` is the interval that the machine told, which depends on chance.
    pub(super) fn admit(&mut self, now: Duration, opened: Option<Duration>) -> (Result<(), Refusal>, Option<Change>) {
        let mut change = None;
        if self.state == State::Open && now >= self.until {
            change = Some(self.go(State::HalfOpen, Why::Interval));
        } else if self.state == State::HalfOpen && self.full() && now >= self.last_probe + self.settings.probing {
            for _ in 0..self.under_way {
                self.ended.push((now, true, true));
            }
            change = Some(match self.verdict(self.ended.len()) {
                Some(_) => self.open(Why::ProbesHang, now, opened),
                None => self.go(State::Closed, Why::ProbesWell),
            });
        }
        let refused = |retry_after| Err(Refusal { state: self.state, retry_after });
        let admitted = match self.state {
            State::Open => refused(Some(self.until - now)),
            State::ForcedOpen => refused(None),
            State::HalfOpen if self.full() => refused(None),
            State::HalfOpen => {
                self.under_way += 1;
                self.last_probe = now;
                Ok(())
            }
            State::Closed | State::Disabled => Ok(()),
        };
        (admitted, change)
    }

    pub(super) fn settle(&mut self, outcome: Outcome, now: Duration, opened: Option<Duration>) -> Option<Change> {
        let slow = outcome.took >= self.settings.slow_call;
        match self.state {
            State::Closed => {
                self.ended.push((now, outcome.failed, slow));
                self.ended = self.in_window(now);
                let enough = self.ended.len() >= self.settings.min_calls as usize;
                let why = self.verdict(self.ended.len()).filter(|_| enough)?;
                Some(self.open(why, now, opened))
            }
            State::HalfOpen => {
                self.under_way -= 1;
                self.ended.push((now, outcome.failed, slow));
                if let Some(why) = self.verdict(self.settings.half_open as usize) {
                    return Some(self.open(why, now, opened));
                }
                let all = self.ended.len() == self.settings.half_open as usize;
                all.then(|| self.go(State::Closed, Why::ProbesWell))
            }
            _ => None,
        }
    }

    pub(super) fn release(&mut self) {
        if self.state == State::HalfOpen {
            self.under_way -= 1;
        }
    }

    pub(super) fn command(&mut self, to: State) -> Change {
        self.go(to, Why::Command)
    }

    fn full(&self) -> bool {
        self.under_way as usize + self.ended.len() == self.settings.half_open as usize
    }

    fn in_window(&self, now: Duration) -> Vec<Ended> {
        match self.settings.window {
            Window::Calls(most) => self.ended.iter().rev().take(most as usize).rev().copied().collect(),
            Window::Time(time) => {
                let tenth = |at: Duration| at.as_nanos() * 10 / time.as_nanos();
                self.ended.iter().filter(|(end, ..)| tenth(*end) + 10 > tenth(now)).copied().collect()
            }
        }
    }

    fn verdict(&self, of: usize) -> Option<Why> {
        let (calls, of) = (self.ended.len() as u64, of as u64);
        let failed = self.ended.iter().filter(|(_, failed, _)| *failed).count() as u64;
        let slow = self.ended.iter().filter(|(.., slow)| *slow).count() as u64;
        // Rates are those of whole per cents here.
        let reached =
            |part: u64, rate: tidegate_traffic::Share| part * 1_000_000_000 >= of * u64::from(rate.billionths());
        if reached(failed, self.settings.failure_rate) {
            return Some(Why::Failures { calls, failed });
        }
        reached(slow, self.settings.slow_rate).then_some(Why::Slowness { calls, slow })
    }

    fn open(&mut self, why: Why, now: Duration, opened: Option<Duration>) -> Change {
        let opened = opened.expect("the machine opens too");
        let mut least = self.settings.open;
        for _ in 0..self.openings {
            least = (least * 2).min(self.settings.open_max);
        }
        assert!(opened >= least && opened <= least + least / 10, "{opened:?} is {least:?} and up to a tenth more");
        self.openings += 1;
        self.until = now + opened;
        Change { open: Some(opened), ..self.go(State::Open, why) }
    }

    fn go(&mut self, to: State, why: Why) -> Change {
        let change = Change { from: self.state, to, why, open: None };
        if to == State::Closed {
            self.openings = 0;
        }
        self.state = to;
        self.period += 1;
        self.ended.clear();
        self.under_way = 0;
        change
    }
}
