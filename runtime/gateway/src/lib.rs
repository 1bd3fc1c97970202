//! The data plane: from a client's request to an upstream's reply and back.
//!
//! **Owns** the listeners and workers ([`server`]), the compiled config ([`snapshot`]) and the
//! request pipeline ([`pipeline`]), which is one function: without a socket it serves the embedded
//! mode and the tests.
//!
//! **Does not** read config files, know YAML, open upstream connections by itself, or name an adapter.
//!
//! **Invariant**: a request sees one [`snapshot::Snapshot`] from begin to end; every request ends
//! exactly once, with a status, in metrics and access log, 499 if the client left.

#![expect(clippy::result_large_err, reason = "a refusal ends its request: boxing it would allocate to save one move")]

pub mod answer;
mod b3;
mod body_limits;
pub mod breakers;
pub mod canary;
pub mod config;
mod deadline;
mod exchange;
pub mod gates;
mod gateway;
mod gathered;
mod headers;
mod hints;
mod idle;
pub mod limits;
mod local;
mod memory;
mod metadata;
mod peer;
mod phase;
pub mod pipeline;
mod policies;
mod retries;
mod room;
mod sent;
pub mod server;
mod sinks;
pub mod snapshot;
mod trust;
mod upstreams;

pub use gateway::{Gateway, Instruments, Telemetry};
pub use hints::SchemaHints;
pub use memory::Budget;
pub use peer::Peer;
pub use phase::Phase;
pub use sinks::{InUse, OpenStore, Sinks, Stores, Unused};
pub use snapshot::Snapshot;
pub use upstreams::{Pools, Single, Upstreams};
