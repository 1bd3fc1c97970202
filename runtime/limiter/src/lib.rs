//! Limits for others: Envoy's rate limit service, and `CL.THROTTLE` for any client of Redis.
//!
//! **Owns** the protocols ([`Server`]: `envoy.service.ratelimit.v3.RateLimitService` and health over gRPC, RESP), the
//! rules of envoyproxy/ratelimit as plain values and compiled ([`Config`], [`Service`]), which descriptors count for
//! what, and what is counted of them.
//!
//! **Does not** decide by itself (that is [`tidegate_limit`], here or behind
//! [`SharedLimits`](tidegate_limit::ports::SharedLimits)), read YAML or files, or serve anything else.
//!
//! **Invariant**: a call is answered from one state of the rules; what a refused call had taken is given back; memory
//! and time for a call are bounded whatever it says.
#![forbid(unsafe_code)]

pub mod config;
mod counts;
mod grpc;
#[cfg(test)]
#[path = "../tests/it/messages.rs"]
mod messages;
mod resp;
mod rules;
mod server;
mod service;
mod wire;

pub use config::Config;
pub use server::{Server, Settings};
pub use service::{Limits, Service};
