//! Where a request stands in its trace, and what the upstream is told of it.

use crate::metadata::TRACEPARENT;
use http::HeaderMap;
use tidegate_observe::sampler::Caller;
use tidegate_telemetry::random;
use tidegate_telemetry::trace_context::{SpanId, TraceContext};
use tidegate_telemetry::tracer::Tracer;

/// The trace of a request. Nothing of it is allocated, so that a request that nobody traces pays for a few
/// random bits alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    /// The gateway's own place in it; if it takes no part, the caller's.
    pub(super) context: TraceContext,
    /// The caller's span; `None` if the trace begins here.
    pub(super) parent: Option<SpanId>,
    /// The span of the call to the upstream; `None` if the gateway takes no part.
    pub(super) attempt: Option<SpanId>,
}

impl Trace {
    /// The trace that the caller sent, if it is valid, else a new one. Without a `tracer` the gateway takes no part in it:
    /// what came goes on as it is.
    pub(super) fn begin(tracer: Option<&Tracer>, headers: Option<&HeaderMap>, trusted: bool) -> Self {
        let sent = sent(headers);
        let Some(tracer) = tracer else {
            let context = sent.unwrap_or_else(|| TraceContext::generate(random::u128(), random::u64()));
            return Self { context, parent: sent.map(|sent| sent.span_id), attempt: None };
        };
        let caller = match sent {
            None => Caller::None,
            Some(sent) if trusted => Caller::Trusted(sent.sampled),
            Some(_) => Caller::Untrusted,
        };
        let mut context = match sent {
            Some(sent) => sent.child(random::u64()),
            None => TraceContext::generate(random::u128(), random::u64()),
        };
        context.sampled = tracer.sampler().keeps(caller, random::u64());
        let attempt = Some(SpanId::from_random(random::u64()));
        Self { context, parent: sent.map(|sent| sent.span_id), attempt }
    }

    /// What the upstream is told: the span of the call to it.
    pub(super) fn onward(&self) -> TraceContext {
        TraceContext { span_id: self.attempt.unwrap_or(self.context.span_id), ..self.context }
    }
}

/// The caller's context, if it sent a valid one.
fn sent(headers: Option<&HeaderMap>) -> Option<TraceContext> {
    TraceContext::parse(headers?.get(&TRACEPARENT)?.as_bytes()).ok()
}
