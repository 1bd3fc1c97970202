//! What can be wrong, and which of it passes.

use std::error::Error;
use std::fmt::{self, Write};
use std::time::Duration;
use tidegate_observe::ports::{Again, ExportError};

/// Settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub(crate) String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for SettingsError {}

/// It may work later, not before the collector says so.
pub(crate) fn later(message: String, asked: Option<Duration>) -> ExportError {
    ExportError { message, again: Again::After(asked) }
}

/// It would fail again.
pub(crate) fn never(message: String) -> ExportError {
    ExportError { message, again: Again::No(None) }
}

pub(crate) fn timed_out(timeout: Duration) -> ExportError {
    later(format!("the collector did not answer within {timeout:?}"), None)
}

/// What a collector that answers "success" did not take, if anything.
pub(crate) fn rejected(partial: Option<(i64, String)>) -> Result<(), ExportError> {
    let Some((count, why)) = partial.filter(|(count, _)| *count > 0) else { return Ok(()) };
    let why: String = why.chars().take(256).collect();
    let message = format!("the collector refused {count} of what it was sent: {why}");
    Err(ExportError { message, again: Again::No(u64::try_from(count).ok()) })
}

/// An error and what is behind it, in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            let _ = write!(text, ": {cause}");
        }
        next = error.source();
    }
    text
}
