//! The rigs of Tidegate's measurements: a cheap gRPC upstream, a load generator, and the floor.
//!
//! **Owns** the traffic that gateways are compared with ([`scenario`]), the upstream that answers
//! it from memory ([`upstream`]), the closed-loop client that counts and checks every answer
//! ([`load`]), a bare proxy without translation ([`floor`]), reading a process's cost
//! ([`process`]), the codec's work by itself ([`codec`]), decisions about limits by themselves ([`decide`]), a collector of
//! telemetry that keeps nothing ([`collector`]), calls of a rate limit service ([`rls`]), and traffic through what goes
//! wrong ([`faults`]).
//!
//! **Does not** start gateways or compare figures: that is `cargo xtask bench`.
//!
//! **Invariant**: every answer counts only if its status and length are right; all loops are
//! bounded in time.

pub mod codec;
pub mod collector;
pub mod decide;
pub mod faults;
pub mod floor;
pub mod load;
pub mod messages;
pub mod process;
pub mod rls;
pub mod scenario;
pub mod upstream;
