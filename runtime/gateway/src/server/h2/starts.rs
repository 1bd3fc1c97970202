//! When the requests of a connection begin.
//!
//! A hundred requests are a packet, and a hundred replies are megabytes on their way through the gateway before anybody
//! knows that their client takes none of them; the requests of others wait behind those, in the services and on
//! the connections to them. So a few requests of a connection begin at once. Each reply that the client takes lets two more
//! begin, so that a client which takes its replies soon has as many streams as it may. One begins now and then
//! in any case: a reply can be long in coming.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};
use tidegate_telemetry::clock;
use tokio::time::Sleep;

/// Requests of a new connection that begin at once.
pub(super) const FIRST: u32 = 16;
/// How many more a reply that was taken lets begin. One would only replace itself.
const FOR_A_REPLY: u32 = 2;
/// One more begins after so long, whatever happens.
const EVERY: Duration = Duration::from_millis(5);

/// How many requests may begin at once, as the replies before them were taken.
#[derive(Debug)]
pub(super) struct Credit {
    left: Cell<u32>,
    /// There may be no more than this.
    most: u32,
    /// Since when there is none.
    none_since: Cell<Instant>,
    /// Whoever waits for some.
    waiting: RefCell<Option<Waker>>,
}

/// The requests of a connection that have not begun, oldest first.
#[derive(Debug)]
pub(super) struct Starts<T> {
    queue: VecDeque<T>,
    credit: Rc<Credit>,
    /// While there is one that had to wait: for the oldest.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// A request that begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Start<T> {
    pub(super) request: T,
    /// It had to wait for others.
    pub(super) late: bool,
}

impl Credit {
    /// For a connection that may have so many streams.
    pub(super) fn new(streams: u32) -> Rc<Self> {
        let left = Cell::new(FIRST.min(streams));
        Rc::new(Self { left, most: streams, none_since: Cell::new(clock::now()), waiting: RefCell::default() })
    }

    /// A client took the reply to one request.
    pub(super) fn earn(&self) {
        self.left.set(self.left.get().saturating_add(FOR_A_REPLY).min(self.most));
        if let Some(waiting) = self.waiting.borrow_mut().take() {
            waiting.wake();
        }
    }

    fn spend(&self) -> bool {
        if self.left.get() == 0 {
            // What time has brought since.
            let brought = clock::now().saturating_duration_since(self.none_since.get()).as_nanos() / EVERY.as_nanos();
            self.left.set(u32::try_from(brought).map_or(FIRST, |brought| brought.min(FIRST)));
        }
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        if left == 1 {
            self.none_since.set(clock::now());
        }
        left > 0
    }
}

impl<T> Starts<T> {
    pub(super) fn new(credit: Rc<Credit>) -> Self {
        Self { queue: VecDeque::new(), credit, alarm: None }
    }

    /// One more has come.
    pub(super) fn push(&mut self, request: T) {
        self.queue.push_back(request);
    }

    /// The next that may begin. One that has to wait is asked whether it is over: then nothing more is heard of it.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut is_over: impl FnMut(&mut T, &mut Context<'_>) -> bool,
    ) -> Poll<Start<T>> {
        while let Some(mut request) = self.queue.pop_front() {
            if self.credit.spend() {
                return Poll::Ready(Start { request, late: self.alarm.is_some() });
            }
            if is_over(&mut request, context) {
                continue;
            }
            self.queue.push_front(request);
            *self.credit.waiting.borrow_mut() = Some(context.waker().clone());
            let due = (self.credit.none_since.get() + EVERY).into();
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
            if alarm.deadline() != due {
                alarm.as_mut().reset(due);
            }
            ready!(alarm.as_mut().poll(context));
        }
        self.alarm = None;
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
