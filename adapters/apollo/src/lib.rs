//! Configs that are kept in Apollo: one namespace or several of an app.
//!
//! **Owns** the conversation with Apollo's config service: finding it, the long poll that waits for releases,
//! reading namespaces, the signature of an access key, and the way to another server ([`Apollo`]).
//!
//! **Does not** know what a config is, publish anything, keep the time, or pause between attempts after an
//! error: its caller does.
//!
//! **Invariant**: each namespace is one release of it, whole. Apollo has no releases over several namespaces.
#![forbid(unsafe_code)]

mod address;
mod config;
mod failure;
mod http;
mod messages;
mod namespace;
mod requests;
mod servers;
mod signature;
mod source;
mod tls;

pub use config::{Config, Secret, Tls};
pub use source::{Apollo, WallClock};
