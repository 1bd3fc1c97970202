//! Giving up a call that the peer has not begun to answer.
//!
//! Streams that are opened and reset at once are how servers are attacked (CVE-2023-44487), and servers
//! defend themselves by closing the connection: h2, and so hyper and tonic, once it has found 20 such streams
//! that it had not looked at yet. On a connection that many clients share it would be the others who pay for
//! one that leaves with a hundred requests. So few resets may be on their way to a peer that might find them
//! early; streams that are given up beyond that linger, silently, until it has surely looked at them.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use h2::client::ResponseFuture;
use parking_lot::Mutex;
use tidegate_telemetry::clock;
use tokio::{runtime::Handle, sync::Notify, time::sleep};

use crate::{endpoint::Slot, upload::Upload};

/// Resets that a peer may find before it has looked at their streams: half of what the least patient
/// server that we know of bears.
const EARLY_MAX: usize = 10;

/// By then a peer has looked at a stream, if it looks at anything.
const LOOKED_AFTER: Duration = Duration::from_millis(500);

/// What a connection knows of the streams that were given up on it.
#[derive(Debug, Default)]
pub(crate) struct Partings {
    /// The newest stream with an answer: peers take streams in their order, so they have looked at all
    /// before it.
    answered: AtomicU32,
    /// Streams that were reset early, and when.
    early: Mutex<Vec<(u32, Instant)>>,
    /// Streams that linger.
    lingering: AtomicU32,
    /// An answer came while some lingered.
    looked: Notify,
}

/// Counts a stream as lingering until dropped.
struct Lingering<'a>(&'a Partings);

impl Partings {
    /// The peer has begun to answer on this stream.
    pub(crate) fn answered(&self, stream: u32) {
        if stream > self.answered.load(Relaxed) {
            self.answered.store(stream, Relaxed);
            if self.lingering.load(Relaxed) > 0 {
                self.looked.notify_waiters();
            }
        }
    }

    /// Whether a stream may be reset now; it counts as reset if it may.
    fn may_reset(&self, stream: u32) -> bool {
        let answered = self.answered.load(Relaxed);
        if stream <= answered {
            return true;
        }
        let now = clock::now();
        let mut early = self.early.lock();
        early.retain(|(stream, at)| *stream > answered && now.saturating_duration_since(*at) < LOOKED_AFTER);
        let may = early.len() < EARLY_MAX;
        if may {
            early.push((stream, now));
        }
        may
    }

    /// Ready once the peer has looked at a stream.
    async fn looked_at(&self, stream: u32) {
        let _lingering = Lingering::begin(self);
        loop {
            let looked = self.looked.notified();
            if stream <= self.answered.load(Relaxed) {
                return;
            }
            looked.await;
        }
    }
}

impl<'a> Lingering<'a> {
    fn begin(partings: &'a Partings) -> Self {
        partings.lingering.fetch_add(1, Relaxed);
        Self(partings)
    }
}

impl Drop for Lingering<'_> {
    fn drop(&mut self) {
        self.0.lingering.fetch_sub(1, Relaxed);
    }
}

/// Resets the stream of an answer that nobody waits for any more, now or as soon as that does no harm.
/// Until then it keeps its place on the connection.
pub(crate) fn part(response: ResponseFuture, upload: Option<Upload>, slot: Slot) {
    drop(upload);
    if slot.connection.state.partings.may_reset(response.stream_id().as_u32()) {
        // In this order: the stream ends before its place is given away.
        drop(response);
        drop(slot);
    } else if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(linger(response, slot));
    }
}

async fn linger(mut response: ResponseFuture, slot: Slot) {
    let stream = response.stream_id().as_u32();
    tokio::select! {
        _ = &mut response => {}
        () = slot.connection.state.partings.looked_at(stream) => {}
        () = sleep(LOOKED_AFTER) => {}
    }
    // As above.
    drop(response);
    drop(slot);
}
