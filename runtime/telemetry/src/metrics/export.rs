//! How the export of spans and metrics keeps up.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::family::{self, level};
use crate::tracer;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
}

/// The exports of the process, if it has any.
#[derive(Debug, Default)]
pub struct Export {
    tracer: Mutex<Option<tracer::Watch>>,
    succeeded: [AtomicU64; 2],
    failed: [AtomicU64; 2],
}

// === impl Signal ===

impl Signal {
    /// As OpenTelemetry calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }
}

// === impl Export ===

impl Export {
    /// A batch was sent, with or without success.
    pub fn attempted(&self, signal: Signal, ok: bool) {
        let counts = if ok { &self.succeeded } else { &self.failed };
        counts[signal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many batches were sent with and without success: of traces, of metrics.
    #[must_use]
    pub fn figures(&self) -> [(u64, u64); 2] {
        let of = |counts: &[AtomicU64; 2], at: usize| counts[at].load(Ordering::Relaxed);
        [0, 1].map(|at| (of(&self.succeeded, at), of(&self.failed, at)))
    }

    pub(super) fn register(&self, tracer: &tracer::Tracer) {
        *self.tracer.lock() = Some(tracer.watch());
    }
}

impl Collector for Export {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.tracer.lock().as_ref().and_then(tracer::Watch::figures);
        let Some(figures) = figures else { return Ok(()) };
        let encoder = &mut encoder;
        family::counters(
            encoder,
            ("otlp_spans", "Spans that reached the collector, and such that were dropped on the way to it."),
            [
                ([("outcome", "exported")], figures.exported),
                ([("outcome", "queue_full")], figures.queue_full),
                ([("outcome", "failed")], figures.failed),
            ],
        )?;
        family::gauge(encoder, ("otlp_queue", "Spans that wait to be exported."), level(figures.queued))?;
        family::gauge(encoder, ("otlp_queue_limit", "Spans that may wait."), level(figures.queue_limit))?;
        let attempts = [Signal::Traces, Signal::Metrics].into_iter().flat_map(|signal| {
            [("ok", &self.succeeded), ("failed", &self.failed)].map(|(result, counts)| {
                ([("signal", signal.name()), ("result", result)], counts[signal as usize].load(Ordering::Relaxed))
            })
        });
        family::counters(encoder, ("otlp_exports", "Batches sent to the collector, repeated ones included."), attempts)
    }
}
