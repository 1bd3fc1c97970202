//! The source against Apollo's own server for tests, and against what that one does not do.

mod mock;
mod protocol;
mod scripted;
mod support;
mod tls;
