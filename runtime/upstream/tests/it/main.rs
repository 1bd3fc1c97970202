//! The pool against real HTTP/2 servers on the loopback, most of them scripted to misbehave.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod ahead;
mod balance;
mod cancel;
mod checks;
mod connect;
mod goaway;
mod h1;
mod in_process;
mod outliers;
mod parting;
mod pool;
mod quiet;
mod streaming;
mod support;
mod tonic;
mod unary;
