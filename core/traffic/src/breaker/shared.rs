//! A breaker that threads share.

use super::machine::{Change, Idle, Machine, Refusal, State, Ticket};
use super::{Outcome, Settings};
use crate::sync::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// A breaker that threads share. A lock is held for the few instructions of a step.
#[derive(Debug)]
pub struct Breaker(Mutex<Machine>);

/// A call may be made. Dropped, it gives its place back; [`end`](Self::end) says how the call ended.
#[derive(Debug)]
#[must_use = "dropped at once it admits nothing"]
pub struct Permit {
    breaker: Arc<Breaker>,
    ticket: Option<Ticket>,
}

// === impl Breaker ===

impl Breaker {
    /// Closed, with no calls counted.
    #[must_use]
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Machine::new(settings))))
    }

    /// As [`Machine::admit`], with a permit that cannot be lost.
    pub fn admit(self: &Arc<Self>, now: Duration, chance: u64) -> (Result<Permit, Refusal>, Option<Change>) {
        let (admitted, change) = self.0.lock().admit(now, chance);
        (admitted.map(|ticket| Permit { breaker: Arc::clone(self), ticket: Some(ticket) }), change)
    }

    /// What it does with calls.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.lock().state()
    }

    pub(super) fn idle(&self, now: Duration) -> Option<Idle> {
        self.0.lock().idle(now)
    }

    /// See [`Machine::force_open`].
    pub fn force_open(&self) -> Option<Change> {
        self.0.lock().force_open()
    }

    /// See [`Machine::disable`].
    pub fn disable(&self) -> Option<Change> {
        self.0.lock().disable()
    }

    /// See [`Machine::reset`].
    pub fn reset(&self) -> Change {
        self.0.lock().reset()
    }

    /// When it opens and closes.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.lock().settings()
    }

    /// See [`Machine::set`].
    pub fn set(&self, settings: Settings) {
        self.0.lock().set(settings);
    }
}

// === impl Permit ===

impl Permit {
    /// Says how the call ended. See [`Machine::settle`].
    pub fn end(mut self, outcome: Outcome, now: Duration, chance: u64) -> Option<Change> {
        let ticket = self.ticket.take()?;
        self.breaker.0.lock().settle(ticket, outcome, now, chance)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.0.lock().release(ticket);
        }
    }
}
