//! Deadlines of many calls over one timer.
//!
//! A timer of the runtime for each call would cost more than the call's bookkeeping: it is entered
//! into and taken out of a shared wheel, and an entry that comes due before what the runtime sleeps
//! for wakes it with a system call. Calls almost never reach their deadline, and the deadline of a
//! new call is almost always later than the earliest one known; so an entry here is a slot in a
//! slab, and one task sleeps until the earliest deadline that was ever entered since it last woke,
//! then looks what is due. It wakes at most once for each distinct earliest deadline.

#[cfg(test)]
mod tests;

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use parking_lot::Mutex;
use slab::Slab;
use tidegate_telemetry::clock;

/// The deadlines of one pool. Dropping it ends the task.
#[derive(Debug)]
pub(crate) struct Deadlines(Arc<Mutex<State>>);

/// The deadline of one call: costs nothing until it is first waited for.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: Instant,
    entry: Option<usize>,
    all: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    entries: Slab<Entry>,
    /// What the task sleeps for; never later than the earliest entry.
    armed: Option<Instant>,
    /// The task, waiting to be told of an earlier deadline or of the end.
    task: Option<Waker>,
    running: bool,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    due: bool,
    waker: Waker,
}

// === impl Deadlines ===

impl Deadlines {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn at(&self, at: Instant) -> Deadline {
        Deadline { at, entry: None, all: Arc::clone(&self.0) }
    }
}

impl Drop for Deadlines {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        if let Some(task) = state.task.take() {
            task.wake();
        }
    }
}

// === impl Deadline ===

impl Deadline {
    /// The same call's, at another time; `None` is never.
    pub(crate) fn moved(self, at: Option<Instant>) -> Option<Self> {
        let all = Arc::clone(&self.all);
        Some(Self { at: at?, entry: None, all })
    }

    /// Whether the time is over, even if whoever waits was not woken yet.
    pub(crate) fn has_passed(&self) -> bool {
        self.at <= clock::now()
    }

    /// Ready once the deadline has passed; until then `cx` is woken when it does.
    pub(crate) fn poll_passed(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.all.lock();
        if let Some(entry) = self.entry {
            let entry = &mut state.entries[entry];
            if entry.due {
                return Poll::Ready(());
            }
            if !entry.waker.will_wake(cx.waker()) {
                entry.waker.clone_from(cx.waker());
            }
            return Poll::Pending;
        }
        let entry = Entry { at: self.at, due: false, waker: cx.waker().clone() };
        self.entry = Some(state.entries.insert(entry));
        if state.armed.is_none_or(|armed| self.at < armed) {
            state.armed = Some(self.at);
            if let Some(task) = state.task.take() {
                task.wake();
            } else if !std::mem::replace(&mut state.running, true) {
                drop(state);
                tokio::spawn(run(Arc::clone(&self.all)));
            }
        }
        Poll::Pending
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            self.all.lock().entries.remove(entry);
        }
    }
}

/// Sleeps until the earliest deadline, and wakes whoever is due; ends when the pool is dropped.
async fn run(all: Arc<Mutex<State>>) {
    loop {
        let Some(next) = next(&all).await else { return };
        let mut sleep = pin!(tokio::time::sleep_until(next.into()));
        std::future::poll_fn(|cx| poll_sleep(&all, next, sleep.as_mut(), cx)).await;
        all.lock().wake_due(clock::now());
    }
}

/// The next instant to sleep for; `None` at the end.
async fn next(all: &Mutex<State>) -> Option<Instant> {
    std::future::poll_fn(|cx| {
        let mut state = all.lock();
        match state.armed {
            _ if state.closed => Poll::Ready(None),
            Some(armed) => Poll::Ready(Some(armed)),
            None => {
                state.task = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}

/// Ready when `next` has come, or has ceased to be what to sleep for.
fn poll_sleep(
    all: &Mutex<State>,
    next: Instant,
    sleep: Pin<&mut tokio::time::Sleep>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    {
        let mut state = all.lock();
        if state.closed || state.armed != Some(next) {
            return Poll::Ready(());
        }
        state.task = Some(cx.waker().clone());
    }
    sleep.poll(cx)
}

// === impl State ===

impl State {
    fn wake_due(&mut self, now: Instant) {
        if self.armed.is_some_and(|armed| armed > now) {
            return;
        }
        let mut earliest = None;
        for (_, entry) in self.entries.iter_mut().filter(|(_, entry)| !entry.due) {
            if entry.at <= now {
                entry.due = true;
                entry.waker.wake_by_ref();
            } else if earliest.is_none_or(|earliest| entry.at < earliest) {
                earliest = Some(entry.at);
            }
        }
        self.armed = earliest;
    }
}
