//! What can go wrong with a member, in the words of the one on call.

use std::error::Error;
use std::time::Duration;
use tonic::{Code, Status};

/// Why a member could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The address is none.
    #[error("the address is wrong: {0}")]
    Address(String),
    /// Certificate or key are none, or do not belong together.
    #[error("the certificates are wrong: {0}")]
    Certificates(String),
    /// No connection.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// Nothing came back in time.
    #[error("no answer to {asked} within {}s", .within.as_secs())]
    NoAnswer { asked: &'static str, within: Duration },
    /// The stream of changes says nothing any more, not even when asked.
    #[error("the watch is silent: no sign of life for {}s", .0.as_secs())]
    Silent(Duration),
    /// The stream of changes ended.
    #[error("the watch ended")]
    Ended,
    /// The stream of changes was ended by etcd.
    #[error("the watch was cancelled: {0}")]
    Cancelled(String),
    /// User and password are wrong, or missing.
    #[error("{user} is not let in: {reason}")]
    Login { user: String, reason: String },
    /// The user may not do this with these keys.
    #[error("{user} may not {what} {key}: {reason}")]
    Forbidden { user: String, what: &'static str, key: String, reason: String },
    /// Any other answer.
    #[error("{asked} failed: {reason}")]
    Other { asked: &'static str, reason: String },
    /// More than anybody's config.
    #[error("the keys below {key} have more than {most} bytes")]
    TooLarge { key: String, most: usize },
}

// === impl Failure ===

impl Failure {
    /// A connection that could not be made.
    pub(crate) fn unreachable(error: &dyn Error) -> Self {
        Self::Unreachable(innermost(error))
    }

    /// An answer that is an error. `user` and `key` are what the request was about.
    pub(crate) fn of(status: &Status, asked: &'static str, user: &str, key: &str) -> Self {
        let reason = why(status);
        match status.code() {
            Code::Unauthenticated => Self::Login { user: user.into(), reason },
            // Wrong passwords come this way, and a login without need.
            Code::InvalidArgument if status.message().contains("auth") => Self::Login { user: user.into(), reason },
            Code::InvalidArgument if status.message().contains("user name is empty") => {
                Self::Login { user: user.into(), reason: "etcd wants a user and a password".into() }
            }
            Code::PermissionDenied => {
                let what = if matches!(asked, "reading" | "watching") { "read" } else { "read and write" };
                Self::Forbidden { user: user.into(), what, key: key.into(), reason }
            }
            _ => Self::Other { asked, reason },
        }
    }

    /// The end of the stream of changes.
    pub(crate) fn of_watch(status: &Status) -> Self {
        Self::Cancelled(why(status))
    }
}

/// The reason of an answer that is an error.
fn why(status: &Status) -> String {
    status.source().map_or_else(|| reason(status.message()), innermost)
}

/// What etcd says, without its name before it.
pub(crate) fn reason(message: &str) -> String {
    let message = message.rsplit("desc = ").next().unwrap_or(message);
    message.strip_prefix("etcdserver: ").unwrap_or(message).to_owned()
}

/// The cause at the end of the chain: `connection refused` rather than `transport error`.
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
