//! The tasks of h2 streams, to be woken when the drain is over. Those of h1 are their connection's.

use slab::Slab;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The streams of one worker that are in progress.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Rc<RefCell<Slab<Waker>>>);

/// A stream's place among them, until dropped.
struct Place {
    streams: Streams,
    key: usize,
}

impl Streams {
    /// Runs a stream to its end, on this thread.
    pub(super) fn spawn<F: Future<Output = ()> + 'static>(&self, stream: F) {
        let streams = self.clone();
        // In a box: a task's future is moved several times before it runs, and this is kilobytes.
        let stream = Box::pin(stream);
        tokio::task::spawn_local(async move {
            let _place = poll_fn(|context| Poll::Ready(streams.enter(context.waker()))).await;
            stream.await;
        });
    }

    /// Lets every stream look around.
    pub(super) fn wake(&self) {
        self.0.borrow().iter().for_each(|(_, waker)| waker.wake_by_ref());
    }

    fn enter(&self, waker: &Waker) -> Place {
        // A task's waker is the same for all its life.
        Place { streams: self.clone(), key: self.0.borrow_mut().insert(waker.clone()) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.0.borrow_mut().remove(self.key);
    }
}
