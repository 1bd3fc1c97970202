//! What goes wrong on purpose: gateways that stop, upstreams that die, clients that do not read.
//!
//! [`upstream`] answers late, streams as much as it is asked for, and writes down every request that
//! reaches it; [`traffic`] sends requests at a fixed rate and knows of each what became of it; the
//! clients in [`quiet`] hold connections and read next to nothing. `cargo xtask faults` starts them.

pub mod quiet;
pub mod traffic;
pub mod upstream;

mod h1;
mod h2;
mod ledger;
mod native;

pub use ledger::Ledger;
