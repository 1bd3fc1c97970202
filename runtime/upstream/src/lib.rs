//! How the gateway, and everything else that talks to an upstream, makes a call.
//!
//! Owns the endpoints of an upstream ([`Fleet`]: one for the process), what their calls and [`checks`] say of them, the
//! questions where they are ([`discovery`]), the HTTP/1.1 or HTTP/2 connections to them, and the one call
//! ([`Call::call`]): choose an endpoint, find or open a connection with a free stream, send, answer
//! with a body that is read as fast as the caller reads it, within one deadline. [`Upstream`] makes
//! it over the network; [`InProcess`] makes it into a `tower` service of the same process.
//!
//! Does not retry (but for a request that surely never reached the application, see [`Upstream`]),
//! decide which endpoint is picked or left alone (`tidegate-traffic` does), know a registry, break circuits,
//! translate, or choose deadlines; does not parse a config; names no metric.
//!
//! Invariant: every stream that is opened ends, whatever is dropped and when: a call or a body that
//! is dropped early resets its stream, or closes its connection of HTTP/1.1, and gives its place to the
//! next request. Connections, streams
//! of a connection and waiting requests are bounded, and [`Stats`] shows each level.
//!
//! ```text
//! call ──▶ fleet's table ──▶ endpoint: a slot on a connection, or wait for one ──▶ h2 stream ──▶ ResponseBody
//!               │                                                                  │
//!               └── connect (backoff) ──▶ driver task: reads, writes ◀── slot freed ┘
//! ```
//! Over HTTP/1.1 ([`Protocol::H1`]) a connection has one stream, and whoever reads the reply drives it.
#![forbid(unsafe_code)]

pub mod checks;
pub mod config;
pub mod discovery;
pub mod fleet;
pub mod turn;
pub mod verdict;

mod backoff;
mod body;
mod call;
mod connect;
mod connection;
mod deadline;
mod endpoint;
mod error;
mod exchange;
mod h1;
mod hints;
mod in_process;
mod kept;
mod parting;
mod probe;
mod reply;
mod stats;
mod upload;
mod upstream;

#[cfg(feature = "fuzz")]
pub use self::h1::fuzz;
pub use self::{
    body::{BodyError, RequestBody},
    call::Call,
    config::{Check, Config, Discovery, Endpoint, Keepalive, Problem, Protocol, Question},
    error::{CallError, Class, ConnectError, Kind, Origin, Retry},
    fleet::Fleet,
    h1::Tunnel,
    hints::{Affinity, ClientDeadline, Gate, Gated, Tried},
    in_process::{InProcess, InProcessBody},
    kept::Kept,
    reply::ResponseBody,
    stats::Stats,
    upstream::{Resent, Upstream},
};
pub use h2::Reason;
