//! What the runtime observes, and the two things it must not read anywhere else: the clock and
//! random bits.
//!
//! Owns the [clock](mod@clock), the [random generator](random), the
//! [Prometheus metrics](metrics), the [access log](access_log),
//! [W3C trace context](trace_context) and [request ids](request_id).
//!
//! Does not decide anything about a request, export spans, or know any other crate of the
//! workspace: what is measured elsewhere is handed in as plain numbers
//! ([`metrics::upstreams::Source`]).
//!
//! Invariant: nothing here makes a request wait. Observing is a handful of atomic additions on a
//! shard of the calling thread; the access log formats into a bounded buffer and counts what does
//! not fit; scraping and writing happen on other threads.
#![forbid(unsafe_code)]

pub mod access_log;
pub mod clock;
pub mod metrics;
pub mod random;
pub mod request_id;
pub mod trace_context;

mod shard;
