//! What is observed, as plain values that leave the process: spans and metric families.
//!
//! Owns the [`Span`](span::Span), the [`Family`](metric::Family), the [sampler](sampler::Sampler) that says
//! which traces are kept, the [order](retry) in which an export is tried again, and the
//! [`Exporter`](ports::Exporter), the port that an adapter implements.
//!
//! Does not measure, queue, or know a protocol: the runtime fills these values in and hands batches of
//! them to an exporter.
//!
//! Invariant: a decision is a function of its arguments; random bits and time are among them.
#![forbid(unsafe_code)]

pub mod metric;
pub mod ports;
pub mod retry;
pub mod sampler;
pub mod span;
