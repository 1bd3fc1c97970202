//! The port behind which the access log, the export of traces and metrics and the stores of limits are opened: the
//! program knows how.

use crate::config::Loaded;
use crate::diagnostics::Report;
use std::fmt::Debug;
use tidegate_gateway::Sinks;

/// Opens what requests are told to, and what of their limits other gateways know.
pub trait Outlets: Debug + Send {
    /// What a config says. What it says as the one before it did stays open; what it says otherwise is closed when
    /// the last request that began before has ended.
    ///
    /// Nothing can fail after it when a config comes into force.
    ///
    /// # Errors
    /// Something cannot be opened. What is open stays.
    fn open(&mut self, loaded: &Loaded) -> Result<Sinks, Report>;
}
