//! What can go wrong with a server, in the words of the one on call.

use std::time::Duration;

/// Why a server could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No connection.
    #[error("no connection: {reason}")]
    Unreachable { reason: String },
    /// Nobody can be believed.
    #[error("the certificates are wrong: {reason}")]
    Certificates { reason: String },
    /// The connection broke.
    #[error("{asked} failed: {reason}")]
    Broken { asked: &'static str, reason: String },
    /// Nothing came back in time.
    #[error("no answer to {asked} within {}s", .within.as_secs())]
    NoAnswer { asked: &'static str, within: Duration },
    /// Apollo wants a signature, or another one.
    #[error("{}", if *.signed {
        "the access key is refused (or the clocks differ by more than a minute)"
    } else {
        "an access key is needed"
    })]
    Unauthorized { signed: bool },
    /// Another status.
    #[error("the answer to {asked} was HTTP {status}")]
    Status { asked: &'static str, status: u16 },
    /// An answer that is none of Apollo's.
    #[error("the answer to {asked} is not Apollo's: {reason}")]
    Strange { asked: &'static str, reason: String },
    /// A meta server that knows no config service.
    #[error("it knows no config service with an {scheme}:// address")]
    NoService { scheme: &'static str },
    /// More than anybody's config.
    #[error("{namespace} has more than {most} bytes")]
    TooLarge { namespace: String, most: usize },
}
