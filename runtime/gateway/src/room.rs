//! Room for the large replies of one connection.
//!
//! A client that asks a hundred times for much and takes nothing would have it all here, a hundred
//! messages at a time. So of one connection only so much is taken from the upstreams as there is room
//! for; what has no room waits there, where flow control bounds it.

use crate::answer::{Answer, Refusal};
use crate::gateway::Gateway;
use crate::memory::Held;
use crate::pipeline::overloaded;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the large replies of one connection may hold, in KiB. One that is larger has it all for itself.
const TOTAL_KIB: u32 = 2048;
/// A message as it came, and as JSON.
const TIMES: usize = 3;
/// A compressed message is mostly that much larger.
const TIMES_COMPRESSED: usize = 20;

/// What comes of a message that has no room yet: as much as its stream's window, which the upstream has filled
/// before anybody knows that it should not.
const WAITING_BYTES: usize = tidegate_upstream::config::STREAM_WINDOW_BYTES as usize;

/// The room of one connection. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

/// A part of the room, given back when dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    _permit: OwnedSemaphorePermit,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(TOTAL_KIB as usize)))
    }

    /// Waits for room for a message of so many bytes, in its turn.
    ///
    /// # Errors
    /// The deadline passed before.
    pub(crate) async fn take(&self, len: usize, compressed: bool, deadline: Option<Instant>) -> Result<Taken, Refusal> {
        let bytes = len.saturating_mul(if compressed { TIMES_COMPRESSED } else { TIMES });
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).clamp(1, TOTAL_KIB);
        let taken = Arc::clone(&self.0).acquire_many_owned(kib);
        let permit = match deadline {
            Some(at) => tokio::time::timeout_at(at.into(), taken).await.map_err(|_| too_late())?,
            None => taken.await,
        };
        permit.map(|permit| Taken { _permit: permit }).map_err(|_| too_late())
    }
}

/// Counts what is in memory of a message that waits for room.
///
/// # Errors
/// There is no memory for it: one that many clients ask for and do not take is refused before the process is
/// too large, as requests are once it is.
pub(crate) fn wait_for_room(gateway: &Gateway, len: usize) -> Result<Held, Refusal> {
    let mut held = gateway.memory().hold();
    held.add(len.min(WAITING_BYTES));
    if gateway.memory().is_short() { Err(overloaded()) } else { Ok(held) }
}

/// The room for one message after the other of a stream, and the memory that it takes.
pub(crate) struct Turn {
    room: Room,
    gateway: Arc<Gateway>,
    /// A stream that has begun waits where another would be refused.
    begun: bool,
    waiting: Option<Pin<Box<dyn Future<Output = Result<Taken, Refusal>> + Send>>>,
    taken: Option<(Taken, Held)>,
}

impl Turn {
    pub(crate) fn new(room: Room, gateway: Arc<Gateway>) -> Self {
        Self { room, gateway, begun: false, waiting: None, taken: None }
    }

    /// Ready when there is room for a message of so many bytes.
    pub(crate) fn poll(
        &mut self,
        len: usize,
        compressed: bool,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Refusal>> {
        if self.taken.is_some() {
            return Poll::Ready(Ok(()));
        }
        let waiting = match &mut self.waiting {
            Some(waiting) => waiting,
            None => {
                let held = wait_for_room(&self.gateway, len);
                if !self.begun && held.is_err() {
                    return Poll::Ready(held.map(drop));
                }
                let room = self.room.clone();
                self.waiting.insert(Box::pin(async move {
                    let taken = room.take(len, compressed, None).await;
                    drop(held);
                    taken
                }))
            }
        };
        let taken = ready!(waiting.as_mut().poll(context));
        self.waiting = None;
        self.begun = true;
        let mut held = self.gateway.memory().hold();
        held.add(len);
        Poll::Ready(taken.map(|taken| self.taken = Some((taken, held))))
    }

    /// The message was taken by the client.
    pub(crate) fn give_back(&mut self) {
        self.taken = None;
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("taken", &self.taken).finish_non_exhaustive()
    }
}

fn too_late() -> Refusal {
    let message = "the deadline passed before the client took the answers that it had asked for earlier";
    Refusal::new(Answer::Deadline, message)
}

#[cfg(test)]
mod tests;
