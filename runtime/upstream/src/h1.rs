//! HTTP/1.1: one request at a time on a connection, which is kept for the next.
//!
//! hyper reads and writes; a connection has no task of its own. Whoever waits for the reply drives it,
//! so that a request wakes nobody but its caller. Only a body that is still being sent when the reply
//! begins gets a task: neither side then waits for the other.

mod body;
mod call;
mod io;
mod sending;
mod tunnel;
mod wire;

pub(crate) use body::ReplyBody;
pub(crate) use call::{call, request};
pub use tunnel::Tunnel;
pub(crate) use wire::{Wire, establish};
