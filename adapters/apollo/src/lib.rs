//! Configs that are kept in Apollo, in one namespace or several.
//!
//! **Owns** the conversation with an Apollo config service: the long poll, reading what was released, and
//! finding the way back after anything that interrupts it ([`ApolloSource`]).
//!
//! **Does not** know what a config is, find config services by a meta server, or sign its requests with an
//! access key.
//!
//! **Invariant**: each namespace that is told is one release of it. Apollo releases namespaces one by one, so
//! of several each may be of another moment.
#![forbid(unsafe_code)]

mod address;
mod http;
mod source;

pub use address::{Address, AddressError};
pub use source::ApolloSource;
