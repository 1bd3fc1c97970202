//! How the access log keeps up.

use std::fmt;

use parking_lot::Mutex;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::family::{self, level};
use crate::access_log;

/// The access log of the process, if it has one.
#[derive(Debug, Default)]
pub(super) struct AccessLog {
    log: Mutex<Option<access_log::Watch>>,
}

impl AccessLog {
    pub(super) fn register(&self, log: &access_log::AccessLog) {
        *self.log.lock() = Some(log.watch());
    }
}

impl Collector for AccessLog {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.log.lock().as_ref().and_then(access_log::Watch::figures);
        let Some(figures) = figures else { return Ok(()) };
        let encoder = &mut encoder;
        family::counter(encoder, ("access_log_lines", "Lines taken by the access log."), figures.taken)?;
        family::counter(
            encoder,
            ("access_log_dropped", "Lines dropped: the queue was full or the output failed."),
            figures.dropped,
        )?;
        family::gauge(
            encoder,
            ("access_log_queue_bytes", "Bytes that wait to be written."),
            level(figures.queued_bytes),
        )?;
        family::gauge(
            encoder,
            ("access_log_queue_limit_bytes", "Bytes that may wait to be written."),
            level(figures.queue_limit_bytes),
        )
    }
}
