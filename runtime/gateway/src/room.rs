//! Room for the large replies of one connection.
//!
//! A client that asks a hundred times for much and takes nothing would have it all here, a hundred
//! messages at a time. So of one connection only so much is taken from the upstreams as there is room
//! for; what has no room waits there, where flow control bounds it.

use crate::answer::{Answer, Refusal};
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

/// The room for one message after the other of a stream.
pub(crate) struct Turn {
    room: Room,
    waiting: Option<Pin<Box<dyn Future<Output = Result<Taken, Refusal>> + Send>>>,
    taken: Option<Taken>,
}

impl Turn {
    pub(crate) fn new(room: Room) -> Self {
        Self { room, waiting: None, taken: None }
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
        let waiting = self.waiting.get_or_insert_with(|| {
            let room = self.room.clone();
            Box::pin(async move { room.take(len, compressed, None).await })
        });
        let taken = ready!(waiting.as_mut().poll(context));
        self.waiting = None;
        Poll::Ready(taken.map(|taken| self.taken = Some(taken)))
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
mod tests {
    use super::{Room, TIMES, TOTAL_KIB};
    use std::time::Duration;
    use tidegate_telemetry::clock;

    #[tokio::test(start_paused = true)]
    async fn what_has_no_room_waits_until_there_is_or_its_deadline() {
        let room = Room::new();
        let half = TOTAL_KIB as usize * 1024 / 2 / TIMES;
        let first = room.take(half, false, None).await.expect("room");
        let second = room.take(half, false, None).await.expect("room");
        let began = clock::now();
        let late = room.take(half, false, Some(began + Duration::from_secs(5))).await;
        assert_eq!(late.expect_err("no room").http_status, 504);
        assert_eq!((clock::now() - began).as_secs(), 5);
        drop((first, second));
        // However large a message is, there is room for it alone.
        room.take(1 << 40, true, None).await.expect("room");
    }
}
