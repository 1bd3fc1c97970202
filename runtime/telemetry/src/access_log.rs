//! The access log: one line for each request, as JSON, as `key=value` text, or as a template says.
//!
//! ```text
//! workers ──format──▶ buffer per thread (bounded) ──swap──▶ writer thread ──▶ output
//! ```
//!
//! A worker formats its line straight into a buffer of its own thread; the writer thread swaps the
//! buffers out and writes them. So a line costs its formatting and an uncontended lock, a slow
//! output never holds up a request, and what finds its buffer full is dropped and counted.
//!
//! Lines of different threads may be written out of order by up to [`FLUSH_EVERY`].

mod format;
mod layout;
mod record;
#[cfg(test)]
mod tests;
mod timestamp;

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, Thread},
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

pub use self::{
    format::Format,
    layout::{Field, Layout, Template},
    record::{FIELD_MAX_BYTES, Record},
};
use crate::{clock, shard};

/// A wall time as `2026-11-23T04:05:06.789Z` (RFC 3339), as access logs and the admin port write it.
#[must_use]
pub fn rfc3339(at: SystemTime) -> String {
    let mut text = Vec::with_capacity(24);
    timestamp::push(clock::unix_ms(at), &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// How long a line may wait before it is written: long enough to write hundreds at once under
/// load, short enough that nobody who follows the log notices.
pub const FLUSH_EVERY: Duration = Duration::from_millis(50);

/// A buffer of this size is written at once.
const FLUSH_AT_BYTES: usize = 64 * 1024;

/// What the buffers of all threads may hold by default: about 20 000 lines, a second of them at
/// full load, which an output must be behind before a line is lost.
pub const QUEUE_LIMIT_BYTES: usize = 8 * 1024 * 1024;

/// The access log, as those who write to it hold it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AccessLog(Arc<Shared>);

/// The writer thread of an access log. Dropping it writes what is queued and ends the thread.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// How an access log keeps up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Lines that were taken.
    pub taken: u64,
    /// Lines that were dropped: the buffer was full, the output failed, or the log was closed.
    pub dropped: u64,
    /// Bytes that wait to be written.
    pub queued_bytes: u64,
    /// Bytes that may wait to be written.
    pub queue_limit_bytes: u64,
}

/// A view of an access log that does not keep it alive.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Weak<Shared>);

#[derive(Debug)]
struct Shared {
    layout: Layout,
    /// What one shard may hold before it refuses a further line.
    shard_limit_bytes: usize,
    shards: Box<[Shard]>,
    dropped: AtomicU64,
    /// Whether the writer sleeps until it is woken, not just until the next flush.
    idle: AtomicBool,
    closed: AtomicBool,
    writer: std::sync::OnceLock<Thread>,
}

/// The buffer of one thread, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Buffer>);

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// Lines that `bytes` holds.
    lines: u64,
    /// Lines ever put into `bytes`.
    taken: u64,
}

// === impl AccessLog ===

impl AccessLog {
    /// Starts the writer thread of a log that writes to `output` for `threads` threads and holds
    /// up to `limit_bytes` ([`QUEUE_LIMIT_BYTES`]) that are not yet written.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(
        layout: impl Into<Layout>,
        output: Box<dyn Write + Send>,
        threads: usize,
        limit_bytes: usize,
    ) -> io::Result<(Self, Writer)> {
        let shards = shard::count_for(threads);
        let shared = Arc::new(Shared {
            layout: layout.into(),
            shard_limit_bytes: limit_bytes / shards,
            shards: (0..shards).map(|_| Shard::default()).collect(),
            dropped: AtomicU64::new(0),
            idle: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            writer: std::sync::OnceLock::new(),
        });
        let run = Arc::clone(&shared);
        let thread = thread::Builder::new().name("access-log".into()).spawn(move || run.write_all(output))?;
        shared.writer.get_or_init(|| thread.thread().clone());
        Ok((Self(Arc::clone(&shared)), Writer { shared, thread: Some(thread) }))
    }

    /// Takes a line. Never blocks on the output; a line that does not fit is dropped and counted.
    pub fn write(&self, record: &Record<'_>) {
        let shared = &*self.0;
        let mut buffer = shared.shards[shard::of_this_thread(shared.shards.len())].0.lock();
        let before = buffer.bytes.len();
        if before >= shared.shard_limit_bytes || shared.closed.load(Ordering::Relaxed) {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        shared.layout.write(record, &mut buffer.bytes);
        buffer.lines += 1;
        buffer.taken += 1;
        let crossed = before < FLUSH_AT_BYTES && buffer.bytes.len() >= FLUSH_AT_BYTES;
        drop(buffer);
        // The writer says that it is idle before it looks at the buffers one last time under their
        // locks; so either it saw this line there, or we see here that it is idle.
        let was_idle = shared.idle.load(Ordering::Relaxed) && shared.idle.swap(false, Ordering::Relaxed);
        if crossed || was_idle {
            shared.wake();
        }
    }

    /// How the log keeps up.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.0.figures()
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch(Arc::downgrade(&self.0))
    }
}

// === impl Watch ===

impl Watch {
    pub(crate) fn figures(&self) -> Option<Figures> {
        self.0.upgrade().map(|shared| shared.figures())
    }
}

// === impl Writer ===

impl Writer {
    /// Writes what is queued and ends the thread. Lines that come later are dropped.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.closed.store(true, Ordering::Relaxed);
        self.shared.wake();
        // A panic of the writer has been reported by the panic hook; there is nothing to add.
        drop(thread.join());
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}

// === impl Shared ===

impl Shared {
    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    fn figures(&self) -> Figures {
        let mut figures = Figures {
            taken: 0,
            dropped: self.dropped.load(Ordering::Relaxed),
            queued_bytes: 0,
            queue_limit_bytes: (self.shard_limit_bytes * self.shards.len()) as u64,
        };
        for shard in &self.shards {
            let buffer = shard.0.lock();
            figures.taken += buffer.taken;
            figures.queued_bytes += buffer.bytes.len() as u64;
        }
        figures
    }

    /// The writer thread.
    fn write_all(&self, mut output: Box<dyn Write + Send>) {
        let mut spare = Buffer::default();
        loop {
            // Read first: whoever wrote a line before closing finds it written.
            let closing = self.closed.load(Ordering::Relaxed);
            if self.drain(&mut spare, &mut output) {
                thread::park_timeout(FLUSH_EVERY);
            } else if closing {
                return;
            } else {
                self.idle.store(true, Ordering::Relaxed);
                if !self.drain(&mut spare, &mut output) && !self.closed.load(Ordering::Relaxed) {
                    thread::park();
                    self.idle.store(false, Ordering::Relaxed);
                    // Let lines gather; a full buffer ends the wait.
                    thread::park_timeout(FLUSH_EVERY);
                }
                self.idle.store(false, Ordering::Relaxed);
            }
        }
    }

    /// Writes what the buffers hold; says whether they held anything.
    fn drain(&self, spare: &mut Buffer, output: &mut Box<dyn Write + Send>) -> bool {
        let mut any = false;
        for shard in &self.shards {
            {
                let mut buffer = shard.0.lock();
                std::mem::swap(&mut buffer.bytes, &mut spare.bytes);
                spare.lines = std::mem::take(&mut buffer.lines);
            }
            if spare.bytes.is_empty() {
                continue;
            }
            any = true;
            let written = output.write_all(&spare.bytes).and_then(|()| output.flush());
            if written.is_err() {
                // There is nowhere to report it but the count of lines that were lost.
                self.dropped.fetch_add(spare.lines, Ordering::Relaxed);
            }
            spare.bytes.clear();
        }
        any
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("bytes", &self.bytes.len()).field("lines", &self.lines).finish()
    }
}
