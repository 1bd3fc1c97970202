//! Limits that a rate limit service keeps: `envoy.service.ratelimit.v3.RateLimitService`, as its client.
//!
//! **Owns** the conversation with a service (one HTTP/2 connection, TLS, what its answers mean), and an answer for
//! every question within a budget of time ([`Service`]).
//!
//! **Does not** know rules, requests or metrics, log, or decide: the service does, and while it does not answer each
//! limit's failure policy. It puts no requests together, for a call is charged whole, and sends none twice.
//!
//! **Invariant**: a request is asked about in one call at most, and whoever asked has an answer when the budget is over.
#![forbid(unsafe_code)]

mod address;
mod config;
mod exchange;
mod failure;
mod link;
mod messages;
mod service;
mod tls;

pub use address::{Address, AddressError};
pub use config::{Clock, Config, Tls};
pub use failure::Failure;
pub use service::Service;
