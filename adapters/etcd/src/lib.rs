//! Configs that are kept in etcd: one key, or all keys below a prefix.
//!
//! **Owns** the conversation with etcd's v3 API: reading all keys at one revision, watching from there,
//! authentication, noticing that a connection is dead, and the way to another member ([`Etcd`]).
//!
//! **Does not** know what a config is, write to etcd, or pause between attempts: its caller does.
//!
//! **Invariant**: what is given is the state of one revision of etcd; writes of one transaction come together.
#![forbid(unsafe_code)]

mod client;
mod config;
mod failure;
mod known;
mod messages;
mod source;
mod watching;

pub use config::{Config, Credentials, Tls};
pub use source::Etcd;
