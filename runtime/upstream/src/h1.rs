//! HTTP/1.1: one request at a time on a connection, which is kept for the next.
//!
//! `httparse` reads heads; what follows from them is decided here, strictly. A connection has no task of
//! its own: whoever waits for the reply reads and writes, so that a request wakes nobody but its caller, and costs
//! one system call for each way. Only what is still to be sent when the reply begins gets a task: neither side
//! then waits for the other.

mod body;
mod call;
mod decode;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod head;
mod out;
mod reader;
mod sending;
mod tunnel;
mod upload;
mod wire;

pub(crate) use body::ReplyBody;
pub(crate) use call::call;
pub use tunnel::Tunnel;
pub(crate) use wire::Wire;
