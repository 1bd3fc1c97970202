//! What gateways keep in etcd: their config, one key or all keys below a prefix; and the board on which several walk the
//! plans of their canaries together; and the endpoints that register themselves there.
//!
//! **Owns** the conversation with etcd's v3 API: reading all keys at one revision, watching from there,
//! authentication, noticing that a connection is dead, and the way to another member ([`Etcd`]); leases and
//! transactions of the board ([`EtcdBoard`]); what the values of endpoints mean ([`EtcdEndpoints`]).
//!
//! **Does not** know what a config is, decide anything about a plan, or pause between attempts: its caller does. The
//! config is only read.
//!
//! **Invariant**: what is given is the state of one revision of etcd; writes of one transaction come together. A state
//! of a plan is written over the one that it was made from, or not at all.
#![forbid(unsafe_code)]

mod board;
mod client;
mod config;
mod endpoints;
mod failure;
mod known;
mod messages;
mod source;
mod watching;

pub use board::EtcdBoard;
pub use config::{Config, Credentials, Tls};
pub use endpoints::EtcdEndpoints;
pub use source::Etcd;
