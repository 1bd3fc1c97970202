//! Who goes where: which plain route a request takes, which side of a canary, and how far a canary has come.
//!
//! **Owns** the normal form of paths ([`NormalPath`]), value matchers ([`ValueMatch`]), the conditions of a
//! route and the table that finds one ([`Table`]), canary rules ([`Canary`]), the machine that walks a
//! canary through its steps ([`plan`]), alone, together with other gateways ([`together`]) or cut off
//! from them ([`apart`]), the choice of an endpoint ([`balance`]), what checks say of it ([`health`]) and what its
//! calls do ([`outlier`]); and what keeps calls from a service that cannot take them: circuit breakers
//! ([`breaker`]), whether a call that failed is made again ([`retry`]) and how many may be ([`budget`]), bulkheads with
//! their queues ([`bulkhead`]), limits that are found by how long calls take ([`gradient`]), and who is refused first
//! ([`priority`]); and the port of those who find endpoints ([`discovery`]).
//!
//! **Does not** do I/O, look at a clock, draw random numbers (both are arguments), own upstreams, or know http
//! rules: those are `tidegate-transcode`'s.
//!
//! **Invariant**: a decision is a function of what is passed in. The path that was matched is the path that is
//! forwarded; a name is matched as HTTP compares names; the same value always falls on the same side of a
//! split, and a larger share only adds to it.
//!
//! ```text
//! /a/./b//c ──NormalPath──► /a/b/c ──Table::find──► route ──Canary::decide──► upstream, rule
//!                                                              ▲
//!                      counts of both sides ──plan::step──► share of the split
//! ```

#![forbid(unsafe_code)]

pub mod apart;
pub mod balance;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
mod canary;
mod conditions;
pub mod discovery;
pub mod gradient;
pub mod health;
pub mod outlier;
pub mod path;
mod pattern;
pub mod plan;
pub mod ports;
pub mod priority;
mod request;
pub mod retry;
mod share;
mod split;
mod sync;
mod table;
pub mod together;
mod value;

pub use canary::{Canary, Choice, Rule, Shares, Verdict};
pub use conditions::{Conditions, Unmet};
pub use path::{NormalPath, PathRefusal};
pub use pattern::{PathPattern, PatternError};
pub use request::{RequestView, cookie, header_value, query_value};
pub use share::{Share, ShareError};
pub use split::{Split, SplitKey};
pub use table::{Entry, Missed, Shadow, Table};
pub use value::{ValueMatch, ValueMatchError};
