//! When a call of which a side is a stream has been silent for too long, whichever side it is that
//! should have sent something.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tidegate_telemetry::clock;
use tokio::time::Sleep;

/// What the upload of a call tells those who wait for its reply.
#[derive(Clone, Debug)]
pub(crate) struct Upload(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    began: Instant,
    /// Milliseconds from `began` to the last piece.
    last: AtomicU64,
    bytes: AtomicU64,
    over: AtomicBool,
}

/// Watches over a stream: its deadline, and how long it may be silent.
///
/// Costs no timer until the stream has to wait.
#[derive(Debug)]
pub(crate) struct Watch {
    limit: Duration,
    /// The same while the client still sends.
    while_sending: Duration,
    deadline: Option<Instant>,
    /// When the last piece of the reply came.
    active: Instant,
    upload: Option<Upload>,
    alarm: Option<Pin<Box<Sleep>>>,
}

/// Why a stream is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// The deadline passed.
    Deadline,
    /// Neither side sent anything for this long.
    Silent(Duration),
}

// === impl Upload ===

impl Upload {
    pub(crate) fn begin() -> Self {
        Self(Arc::new(Shared {
            began: clock::now(),
            last: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }))
    }

    /// The client sent so many bytes.
    pub(crate) fn received(&self, bytes: usize) {
        let since = clock::now().saturating_duration_since(self.0.began);
        self.0.last.store(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.0.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// How many bytes the client has sent.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }

    /// The client has sent all.
    pub(crate) fn over(&self) {
        self.0.over.store(true, Relaxed);
    }

    fn is_over(&self) -> bool {
        self.0.over.load(Relaxed)
    }

    fn last(&self) -> Instant {
        self.0.began + Duration::from_millis(self.0.last.load(Relaxed))
    }
}

// === impl Watch ===

impl Watch {
    pub(crate) fn new(limit: Duration, deadline: Option<Instant>, upload: Option<Upload>) -> Self {
        Self { limit, while_sending: limit, deadline, active: clock::now(), upload, alarm: None }
    }

    /// The same, with this limit as long as the client still sends.
    pub(crate) fn with_patience(self, while_sending: Duration) -> Self {
        Self { while_sending, ..self }
    }

    /// A piece of the reply came.
    pub(crate) fn moved(&mut self) {
        self.active = clock::now();
    }

    /// Ready when the deadline passed or the stream was silent for too long.
    pub(crate) fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<Over> {
        loop {
            let uploaded = self.upload.as_ref().map(Upload::last);
            let sends = self.upload.as_ref().is_some_and(|upload| !upload.is_over());
            let limit = if sends { self.while_sending } else { self.limit };
            let silent_at = uploaded.map_or(self.active, |uploaded| uploaded.max(self.active)) + limit;
            let next = self.deadline.map_or(silent_at, |deadline| deadline.min(silent_at));
            let now = clock::now();
            // When the client is done the limit becomes another, and nobody tells: looked at in time.
            let next = if sends { next.min(now + self.limit) } else { next };
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next.into())));
            // It may ring early, as the stream moved since it was set, but not late.
            if alarm.deadline() > next.into() {
                alarm.as_mut().reset(next.into());
            }
            ready!(alarm.as_mut().poll(context));
            let now = clock::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(Over::Deadline);
            }
            if silent_at <= now {
                return Poll::Ready(Over::Silent(limit));
            }
            alarm.as_mut().reset(next.into());
        }
    }

    /// Waits for the first sign of a reply. The future is pinned by whoever has it: taken by value it would
    /// have room here too.
    pub(crate) async fn first<F: Future>(mut self, mut future: Pin<&mut F>) -> Result<F::Output, Over> {
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll_over(context).map(Err),
        })
        .await
    }
}
