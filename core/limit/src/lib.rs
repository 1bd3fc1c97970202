//! Rate limits that never let more through than they say.
//!
//! **Owns** the algorithms ([`gcra`], [`window`], [`log`], [`fixed`], [`concurrency`]), the state of keys in this
//! process ([`local`]), a node's side of limits that nodes share ([`front`]: combining, leases, the refusal cache),
//! what the shared store does ([`shared`], behind [`ports::CounterStore`]), rules ([`rules`]: which limits a request
//! must pass), what callers are told ([`fields`]), what an edge tells those behind it ([`spent`]), and exact judges of
//! what was admitted ([`contract`]).
//!
//! **Does not** do I/O, read a clock, draw random bits, read YAML, know requests or HTTP: `now`, random bits and
//! values are arguments.
//!
//! **Invariant**: whatever is asked, in whatever order and from however many threads, a bucket admits at most
//! `burst + rate × T` units in every interval `T`, and a window at most its limit in every window. What is not
//! exact errs on the side of refusing.

#![forbid(unsafe_code)]

mod algorithm;
mod ask;
pub mod concurrency;
pub mod contract;
pub mod fields;
pub mod fixed;
pub mod front;
pub mod gcra;
mod key;
pub mod local;
pub mod log;
pub mod ports;
mod quota;
pub mod rules;
pub mod shared;
pub mod spent;
pub mod window;

pub use algorithm::{Algorithm, Kind, Policy};
pub use ask::{Ask, Decision, Mode, Receipt, Retry};
pub use key::{Key, KeyBuilder, Keys, KeysOfLimit};
pub use quota::{LONGEST_PERIOD, QuotaError, Rate, Scale};
