//! Turns of tasks that share a thread.
//!
//! A task that wakes itself is polled again before the thread looks at its sockets, so that whoever has become ready
//! meanwhile waits. Whoever reads much from one peer takes a [`Pause`] now and then instead.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

/// A pause of a task, until its thread has looked at its sockets. Must be taken within a runtime.
#[derive(Debug)]
pub struct Pause(Arc<Over>);

#[derive(Debug)]
struct Over {
    over: AtomicBool,
    task: Waker,
}

impl Pause {
    /// Begins one; `context` is of the task that is woken at its end.
    #[must_use]
    pub fn begin(context: &Context<'_>) -> Self {
        let over = Arc::new(Over { over: AtomicBool::new(false), task: context.waker().clone() });
        let waker = Waker::from(Arc::clone(&over));
        // Polled once it has the runtime wake the waker behind its next look at sockets.
        let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
        Self(over)
    }

    /// Whether it is. A task can be polled before that for other reasons.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.over.load(Relaxed)
    }

    /// Whether its end wakes the task of `context`: what is polled can have been given to another since.
    #[must_use]
    pub fn wakes(&self, context: &Context<'_>) -> bool {
        self.0.task.will_wake(context.waker())
    }
}

impl Wake for Over {
    fn wake(self: Arc<Self>) {
        self.over.store(true, Relaxed);
        self.task.wake_by_ref();
    }
}

/// A pause that is waited for.
pub async fn pause() {
    let mut pause = None;
    poll_fn(|context| {
        let pause = pause.get_or_insert_with(|| Pause::begin(context));
        if pause.is_over() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests;
