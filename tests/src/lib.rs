//! What tests of the whole share: checks of the workspace's own rules, and oracles for the codec.
//!
//! **Owns** the layer rules ([`layers`]) and house rules ([`tidy`]) as functions that can be
//! tested themselves, random schemas and messages ([`random`]), and the Python oracle ([`oracle`]).
//!
//! **Does not** hold code that a product crate links.
//!
//! **Invariant**: a check answers with every violation, each naming the place and what to do.

pub mod difference;
pub mod layers;
pub mod oracle;
pub mod random;
pub mod source;
pub mod tidy;
pub mod workspace;
