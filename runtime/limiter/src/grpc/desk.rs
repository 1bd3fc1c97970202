//! Calls that wait for a store, one desk for each thread that serves.
//!
//! What a thread asks leaves when it has nothing else to do, or has asked much; answers of a batch wake it once. Both are
//! system calls, and what they cost is shared by all calls of a turn.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use parking_lot::Mutex;
use slab::Slab;
use tidegate_limit::front::Outcome;
use tidegate_limit::ports::{Inbox, SharedLimits};
use tokio::sync::Notify;

use super::call;
use crate::service::{Answer, Asking, Begun, Post, Replied, Service};
use crate::wire::DESCRIPTORS;

/// Numbers of a call, one for each of its descriptors.
const NUMBERS: u64 = 128;
const _: () = assert!(DESCRIPTORS < 128, "each descriptor has a number");

/// Calls that are asked for at most before their questions leave.
const UNSENT: usize = 128;

thread_local! {
    static DESK: Desk = Desk::default();
}

#[derive(Default)]
struct Desk {
    waiting: RefCell<Slab<Waiting>>,
    inbox: Arc<Letters>,
    unsent: RefCell<Option<Unsent>>,
}

/// A call that waits.
struct Waiting {
    asking: Asking,
    respond: SendResponse<Bytes>,
}

/// Questions that were posted and have not left.
struct Unsent {
    store: Arc<dyn SharedLimits>,
    calls: usize,
}

/// Answers that arrived.
#[derive(Default)]
struct Letters {
    arrived: Mutex<Vec<(u64, Option<Outcome>)>>,
    wake: Notify,
}

impl Inbox for Letters {
    fn take(&self, answers: Vec<(u64, Option<Outcome>)>) {
        {
            let mut arrived = self.arrived.lock();
            if arrived.is_empty() {
                *arrived = answers;
            } else {
                arrived.extend(answers);
            }
        }
        self.wake.notify_one();
    }
}

/// Answers a `RateLimitRequest`, at once or when the store has. `head` bytes before the reply are for its frame.
pub(super) fn ask(service: &Service, message: &[u8], head: usize, respond: SendResponse<Bytes>) {
    DESK.with(|desk| {
        let number = desk.waiting.borrow().vacant_key() as u64 * NUMBERS;
        let inbox: Arc<dyn Inbox> = Arc::clone(&desk.inbox) as Arc<dyn Inbox>;
        match service.should_rate_limit(message, head, Some(Post { inbox: &inbox, number })) {
            Begun::Answer(answer) => finish(answer, respond),
            Begun::Posted(asking) => {
                desk.posted(&asking);
                desk.waiting.borrow_mut().insert(Waiting { asking, respond });
            }
        }
    });
}

/// Sends what was asked: the thread has nothing else to do.
pub(crate) fn send() {
    // A thread that ends has nobody left who waits.
    let _ = DESK.try_with(Desk::send);
}

/// Takes answers as they arrive, for as long as the thread serves.
pub(crate) async fn answers() {
    let inbox = DESK.with(|desk| Arc::clone(&desk.inbox));
    loop {
        inbox.wake.notified().await;
        let arrived = std::mem::take(&mut *inbox.arrived.lock());
        for (number, outcome) in arrived {
            DESK.with(|desk| desk.take(number, outcome));
        }
    }
}

impl Desk {
    fn posted(&self, asking: &Asking) {
        let Some(store) = asking.store() else { return };
        let mut unsent = self.unsent.borrow_mut();
        match unsent.as_mut().filter(|unsent| Arc::ptr_eq(&unsent.store, store)) {
            Some(unsent) => unsent.calls += 1,
            None => {
                // Of a config that holds no more.
                if let Some(before) = unsent.replace(Unsent { store: Arc::clone(store), calls: 1 }) {
                    before.send();
                }
            }
        }
        if let Some(full) = unsent.take_if(|unsent| unsent.calls >= UNSENT) {
            full.send();
        }
    }

    fn send(&self) {
        if let Some(unsent) = self.unsent.take() {
            unsent.send();
        }
    }

    fn take(&self, number: u64, outcome: Option<Outcome>) {
        let place = usize::try_from(number / NUMBERS).unwrap_or(usize::MAX);
        let part = usize::try_from(number % NUMBERS).unwrap_or(usize::MAX);
        let done = {
            let mut waiting = self.waiting.borrow_mut();
            let ends = waiting.get_mut(place).is_some_and(|call| call.asking.take_posted(part, outcome));
            if ends { waiting.try_remove(place) } else { None }
        };
        if let Some(Waiting { asking, respond }) = done {
            finish(asking.finish(), respond);
        }
    }
}

impl Unsent {
    fn send(&self) {
        if let Some(outbox) = self.store.outbox() {
            outbox.send();
        }
    }
}

fn finish(answer: Answer<Replied>, mut respond: SendResponse<Bytes>) {
    match answer {
        Answer::Now(replied) => call::reply(&mut respond, replied),
        Answer::Later(waits) => {
            tokio::spawn(async move { call::reply(&mut respond, waits.await) });
        }
    }
}
