//! The port behind which the access log and the export of traces and metrics are opened: the program knows how.

use crate::config::Telemetry;
use crate::diagnostics::{Report, Source};
use std::fmt::Debug;
use std::sync::Arc;
use tidegate_gateway::Sinks;

/// Opens what requests are told to.
pub trait Outlets: Debug + Send {
    /// What a config says. What it says as the one before it did stays open; what it says otherwise is closed when
    /// the last request that began before has ended.
    ///
    /// Nothing can fail after it when a config comes into force.
    ///
    /// # Errors
    /// Something cannot be opened. What is open stays.
    fn open(&mut self, telemetry: &Telemetry, source: &Arc<Source>) -> Result<Sinks, Report>;
}
