//! The port of whoever sends spans and metrics away.

use crate::metric::Family;
use crate::span::Span;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

/// The end of an export.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), ExportError>> + 'a>>;

/// Sends batches to a collector. One at a time: the next begins when the last has ended.
///
/// An implementation bounds the time of a call by itself, and tries once: whether and when again is
/// decided by [`crate::retry`].
pub trait Exporter: fmt::Debug + Send {
    /// Sends spans.
    ///
    /// # Errors
    /// They did not arrive, or not all of them.
    fn spans<'a>(&'a mut self, spans: &'a [Span]) -> Sending<'a>;

    /// Sends what the metrics are at `at`; what counts has counted since `since`. Both since the Unix epoch.
    ///
    /// # Errors
    /// They did not arrive, or not all of them.
    fn metrics<'a>(&'a mut self, families: &'a [Family], since: Duration, at: Duration) -> Sending<'a>;
}

/// Why a batch did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportError {
    /// In words, without a secret.
    pub message: String,
    /// What may help.
    pub again: Again,
}

/// Whether the same batch may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It would fail again. So many of its items were not taken; `None` is all.
    No(Option<u64>),
    /// Not before this time has passed, if the collector said one.
    After(Option<Duration>),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ExportError {}
