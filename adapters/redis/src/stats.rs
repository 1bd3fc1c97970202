//! What happened, as plain numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Calls of the script that were sent.
    pub calls: u64,
    /// Of those, calls again with the script's text, because the server did not know it.
    pub texts: u64,
    /// Connections made.
    pub connections: u64,
    /// Batches without an answer of which nothing was taken.
    pub unreachable: u64,
    /// Batches without an answer that may have been taken.
    pub unanswered: u64,
    /// Eras that began: servers that had lost their data, or were new, or took over.
    pub eras: u64,
    /// Times that a server's clock was seen to jump ahead: each admits at most one burst of a limit more.
    pub clock_forward: u64,
    /// Times that a server's clock was seen to go back: limits admit less for so long.
    pub clock_back: u64,
}

/// How it stands with the servers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Servers that are connected, each `host:port` and the version it tells.
    pub connected: Vec<(String, String)>,
    /// The last failure of a server that no answer came after, in words.
    pub failure: Option<String>,
    /// What happened so far.
    pub stats: Stats,
}

macro_rules! counts {
    ($($name:ident),*) => {
        /// [`Stats`] that are being counted.
        #[derive(Debug, Default)]
        pub(crate) struct Counts { $(pub(crate) $name: AtomicU64),* }

        impl Counts {
            pub(crate) fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Relaxed)),* }
            }
        }
    };
}

counts!(calls, texts, connections, unreachable, unanswered, eras, clock_forward, clock_back);

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
