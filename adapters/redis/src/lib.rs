//! Counters that several gateways share, in Redis or Valkey.
//!
//! **Owns** the script that decides (`script.lua`), the conversation with servers (single, behind Sentinel, as a
//! cluster; TLS, users), noticing that a server lost its data or that its clock jumped ([`Redis`]), and a driver that
//! turns callers into batches and batches into answers within a budget of time ([`Driver`]).
//!
//! **Does not** know rules, requests or metrics, log, or read a node's clock for a decision: servers decide by theirs.
//! It never sends a batch again that could have been applied.
//!
//! **Invariant**: an answer is what [`Shared`](tidegate_limit::shared::Shared) would have said of the same state at the
//! same tick of the server's clock; what a server may have lost counts as used.
#![forbid(unsafe_code)]

mod address;
mod cluster;
mod config;
mod connection;
mod console;
mod driver;
mod failure;
mod handshake;
mod resp;
mod script;
mod server;
mod stats;
mod store;
mod talk;
mod tls;
mod watch;

pub use address::{Address, AddressError, Kind};
pub use config::{Clock, Config, Tls};
pub use console::{Console, Reply};
pub use driver::{Driver, DriverConfig};
pub use failure::Failure;
pub use stats::{Stats, Status};
pub use store::Redis;
