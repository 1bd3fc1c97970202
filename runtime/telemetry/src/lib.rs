//! What the runtime observes, and the two things it must not read anywhere else: the clock and
//! random bits.
//!
//! Owns the [clock](mod@clock), the [random generator](random), the
//! [Prometheus metrics](metrics), the [access log](access_log),
//! [W3C trace context](trace_context), [request ids](request_id), the [queue](tracer) of spans and
//! [whoever sends](export) them and the metrics away.
//!
//! Does not decide anything about a request, or know a protocol of telemetry: what is measured
//! elsewhere is handed in as plain numbers ([`metrics::upstreams::Source`]), and what is exported goes
//! through the port of `core/observe`.
//!
//! Invariant: nothing here makes a request wait. Observing is a handful of atomic additions on a
//! shard of the calling thread; the access log formats into a bounded buffer, spans go into a
//! bounded queue, and both count what does not fit; scraping, writing and sending happen on other
//! threads.
#![forbid(unsafe_code)]

pub mod access_log;
pub mod clock;
pub mod export;
pub mod metrics;
pub mod random;
pub mod request_id;
pub mod trace_context;
pub mod tracer;

mod shard;
