//! A bulkhead that threads share.

use super::Settings;
use super::machine::{Entry, Figures, Machine, Refusal, Told, Why};
use crate::priority::Class;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A bulkhead that threads share. A lock is held for the few instructions of a step.
#[derive(Debug)]
pub struct Bulkhead(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    machine: Machine,
    waiters: HashMap<u64, Waiter>,
    /// By reason and class, in the order of [`Why::ALL`] and [`Class::ALL`].
    refused: [[u64; Class::ALL.len()]; Why::ALL.len()],
}

/// One who waits, or who has been told and has not looked.
#[derive(Debug)]
struct Waiter {
    class: Class,
    waker: Option<Waker>,
    told: Option<Told>,
}

/// What becomes of a call that comes.
#[derive(Debug)]
pub enum Admission {
    /// It is in flight.
    Admitted(Permit),
    /// It waits.
    Queued(Queued),
    /// It is not made.
    Refused(Refusal),
}

/// A call in flight. Dropped, it gives its place back; [`end`](Self::end) says how long the call took.
#[derive(Debug)]
#[must_use = "dropped at once it admits nothing"]
pub struct Permit(Option<Arc<Bulkhead>>);

/// A call that waits: ready when it is in flight, or refused. Dropped, it leaves the queue. It has no timer: who waits
/// looks at the clock, and [gives up](Self::give_up) at [`until`](Self::until).
#[derive(Debug)]
#[must_use = "dropped at once it does not wait"]
pub struct Queued {
    bulkhead: Arc<Bulkhead>,
    id: u64,
    until: Duration,
    over: bool,
}

// === impl Bulkhead ===

impl Bulkhead {
    /// One with all places free.
    #[must_use]
    pub fn new(settings: Settings, now: Duration) -> Arc<Self> {
        let refused = [[0; Class::ALL.len()]; Why::ALL.len()];
        Arc::new(Self(Mutex::new(Inner { machine: Machine::new(settings, now), waiters: HashMap::new(), refused })))
    }

    /// As [`Machine::enter`], with a permit that cannot be lost.
    pub fn enter(self: &Arc<Self>, class: Class, deadline: Option<Duration>, now: Duration) -> Admission {
        let mut inner = self.0.lock();
        match inner.machine.enter(class, deadline, now) {
            Entry::Admitted => Admission::Admitted(Permit(Some(Arc::clone(self)))),
            Entry::Queued(place) => {
                inner.waiters.insert(place.id, Waiter { class, waker: None, told: None });
                inner.tell();
                Admission::Queued(Queued { bulkhead: Arc::clone(self), id: place.id, until: place.until, over: false })
            }
            Entry::Refused(refusal) => {
                inner.count(refusal.why, class);
                Admission::Refused(refusal)
            }
        }
    }

    /// Its levels.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.0.lock().machine.figures()
    }

    /// Calls that were refused, by reason and class, in the order of [`Why::ALL`] and [`Class::ALL`].
    #[must_use]
    pub fn refused(&self) -> [[u64; Class::ALL.len()]; Why::ALL.len()] {
        self.0.lock().refused
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.lock().machine.settings()
    }

    /// See [`Machine::set`].
    pub fn set(&self, settings: Settings) {
        let mut inner = self.0.lock();
        inner.machine.set(settings);
        inner.tell();
    }

    fn release(&self, sample: Option<(Duration, Duration)>, now: Duration, chance: u64) {
        let mut inner = self.0.lock();
        inner.machine.release(sample, now, chance);
        inner.tell();
    }
}

// === impl Inner ===

impl Inner {
    /// Hands on what the machine says to those who wait.
    fn tell(&mut self) {
        if !self.machine.has_told() {
            return;
        }
        for (id, told) in self.machine.told() {
            let Some(waiter) = self.waiters.get_mut(&id) else { continue };
            waiter.told = Some(told);
            if let Told::Refused(Refusal { why, .. }) = told {
                self.refused[why as usize][waiter.class.index()] += 1;
            }
            if let Some(waker) = waiter.waker.take() {
                waker.wake();
            }
        }
    }

    fn count(&mut self, why: Why, class: Class) {
        self.refused[why as usize][class.index()] += 1;
    }
}

// === impl Permit ===

impl Permit {
    /// The call has ended. `took` is when it began and when it ended, if it says how long calls take: it went well, or
    /// took as long as it might. `chance` is that of [`Machine::release`].
    pub fn end(mut self, took: Option<(Duration, Duration)>, now: Duration, chance: u64) {
        if let Some(bulkhead) = self.0.take() {
            bulkhead.release(took, now, chance);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(bulkhead) = self.0.take() {
            // Nobody says what time it is: the last that was heard of.
            bulkhead.release(None, Duration::ZERO, 0);
        }
    }
}

// === impl Queued ===

impl Queued {
    /// When it has waited long enough.
    #[must_use]
    pub fn until(&self) -> Duration {
        self.until
    }

    /// It has waited long enough. It may have been told something at the last moment.
    ///
    /// # Errors
    /// Why it is not made.
    pub fn give_up(mut self, now: Duration) -> Result<Permit, Refusal> {
        let bulkhead = Arc::clone(&self.bulkhead);
        let mut inner = bulkhead.0.lock();
        self.over = true;
        let Some(waiter) = inner.waiters.remove(&self.id) else {
            return Err(Refusal { why: Why::Waited, retry_after: None });
        };
        if let Some(told) = waiter.told {
            return self.become_of(told);
        }
        let refusal = inner.machine.leave(self.id, now).unwrap_or(Refusal { why: Why::Waited, retry_after: None });
        inner.count(refusal.why, waiter.class);
        inner.tell();
        Err(refusal)
    }

    fn become_of(&self, told: Told) -> Result<Permit, Refusal> {
        match told {
            Told::Admitted => Ok(Permit(Some(Arc::clone(&self.bulkhead)))),
            Told::Refused(refusal) => Err(refusal),
        }
    }
}

impl Future for Queued {
    type Output = Result<Permit, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let bulkhead = Arc::clone(&self.bulkhead);
        let mut inner = bulkhead.0.lock();
        let Some(waiter) = inner.waiters.get_mut(&self.id) else {
            return Poll::Ready(Err(Refusal { why: Why::Waited, retry_after: None }));
        };
        let Some(told) = waiter.told else {
            waiter.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        inner.waiters.remove(&self.id);
        self.over = true;
        Poll::Ready(self.become_of(told))
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut inner = self.bulkhead.0.lock();
        match inner.waiters.remove(&self.id).and_then(|waiter| waiter.told) {
            Some(Told::Admitted) => inner.machine.release(None, Duration::ZERO, 0),
            Some(Told::Refused(_)) => {}
            None => drop(inner.machine.leave(self.id, Duration::ZERO)),
        }
        inner.tell();
    }
}
