//! What can go wrong with a service, in the words of the one on call.

use std::time::Duration;

use tidegate_limit::ports::StoreError;

/// Why a service did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No connection.
    #[error("no connection to {address}: {reason}")]
    Unreachable {
        /// `host:port`
        address: String,
        /// What the system, TLS or HTTP/2 said.
        reason: String,
    },
    /// Certificates or keys that cannot be used.
    #[error("TLS cannot be used: {0}")]
    Certificates(String),
    /// The connection broke while an answer was awaited.
    #[error("the connection to {address} broke before the answer: {reason}")]
    Broken {
        /// `host:port`
        address: String,
        /// What HTTP/2 said.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer from {address} within {}ms", within.as_millis())]
    NoAnswer {
        /// `host:port`
        address: String,
        /// How long was waited.
        within: Duration,
    },
    /// A status of HTTP that is not 200: it is something else that listens there.
    #[error("{address} is no rate limit service: it answers with HTTP {status}")]
    Http {
        /// `host:port`
        address: String,
        /// The status.
        status: u16,
    },
    /// An error of gRPC.
    #[error("{address} answers with the gRPC code {code}{message}")]
    Status {
        /// `host:port`
        address: String,
        /// The code, from 1 to 16.
        code: u32,
        /// `: ` and what it said, up to 256 characters.
        message: String,
    },
    /// An answer that is not what the protocol says.
    #[error("the answer of {address} is not understood: {reason}")]
    Strange {
        /// `host:port`
        address: String,
        /// What was wrong.
        reason: String,
    },
}

/// `INVALID_ARGUMENT`
const INVALID_ARGUMENT: u32 = 3;
/// `UNIMPLEMENTED`
const UNIMPLEMENTED: u32 = 12;
/// `UNAUTHENTICATED`
const UNAUTHENTICATED: u32 = 16;
/// `PERMISSION_DENIED`
const PERMISSION_DENIED: u32 = 7;

impl From<&Failure> for StoreError {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Unreachable { .. } | Failure::Certificates(_) | Failure::Http { .. } => Self::Unreachable,
            Failure::Status { code: INVALID_ARGUMENT, .. } => Self::Declined,
            Failure::Status { code: UNIMPLEMENTED | UNAUTHENTICATED | PERMISSION_DENIED, .. } => Self::Unreachable,
            Failure::Broken { .. } | Failure::NoAnswer { .. } | Failure::Status { .. } | Failure::Strange { .. } => {
                Self::Unanswered
            }
        }
    }
}
