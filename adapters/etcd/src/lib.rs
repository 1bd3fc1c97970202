//! Configs that are kept in etcd, below a prefix.
//!
//! **Owns** the conversation with etcd: reading a prefix, watching it, and finding the way back after
//! anything that interrupts it ([`EtcdSource`]).
//!
//! **Does not** know what a config is, or write anything.
//!
//! **Invariant**: what is told is the prefix as it was at one revision of etcd.
#![forbid(unsafe_code)]

mod address;
mod client;
mod source;
mod wire;

pub use address::{Address, AddressError};
pub use source::EtcdSource;
