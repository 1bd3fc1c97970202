//! The store and its driver against real servers.

mod driver;
mod flood;
mod outbox;
mod store;
mod support;
mod topologies;
