//! Clients that misbehave, byte by byte: the attacks that a gateway has to bear.
//!
//! **Owns** raw HTTP/1.1 and HTTP/2 clients that send what no library would ([`h1`], [`h2`]), the
//! table of attacks ([`attack`]) and that of requests that two parsers could read in two ways
//! ([`smuggling`]).
//!
//! **Does not** start a gateway or judge one: `tidegate/tests/siege` asserts how each attack ends,
//! `cargo xtask siege` measures what the others notice of it. It links nothing but the standard
//! library, since a client library refuses to misbehave.
//!
//! **Invariant**: an attack ends by itself, whatever the gateway does: what it sends is bounded, and
//! so is each wait.

pub mod attack;
pub mod frame;
pub mod h1;
pub mod h2;
pub mod hpack;
mod load;
pub mod measure;
pub mod process;
pub mod raid;
pub mod smuggling;
pub mod upstream;
mod wire;

pub use wire::Sent;
