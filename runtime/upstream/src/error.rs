//! Why a call failed: what happened, whose fault it is, and whether it may be tried again.

use std::{fmt, io, sync::Arc};

use h2::Reason;

use crate::BodyError;

/// A call that failed, before its head or within its body.
///
/// Its `Display` is for logs: it may name an address. What a client is told is chosen by whoever
/// answers it, from [`class`](Self::class).
pub struct CallError(Box<Inner>);

struct Inner {
    kind: Kind,
    not_sent: bool,
    endpoint: Option<Arc<str>>,
}

/// What happened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Kind {
    /// No connection could be opened.
    #[error("cannot connect")]
    Connect(#[source] Arc<ConnectError>),
    /// Every endpoint is down, or answers too slowly for how long a call waits for one that was.
    #[error("no endpoint is up")]
    Down(#[source] Option<Arc<ConnectError>>),
    /// There are endpoints, and the request's [`Gate`](crate::Gate) lets it go to none.
    #[error("no endpoint may be called")]
    KeptAway,
    /// All streams are taken, and as many requests wait as may.
    #[error("too many requests wait for a stream")]
    Overloaded,
    /// The deadline passed.
    #[error("the deadline passed")]
    Deadline,
    /// The peer reset the stream.
    #[error("the peer reset the stream: {0}")]
    Reset(Reason),
    /// The peer closed the connection in an orderly way without having looked at the request.
    #[error("the peer is going away: {0}")]
    GoAway(Reason),
    /// The connection broke.
    #[error("the connection broke")]
    ConnectionLost(#[source] io::Error),
    /// The peer broke the protocol.
    #[error("the peer broke the protocol")]
    Protocol(#[source] BodyError),
    /// The source of the request's body failed.
    #[error("the request's body failed")]
    RequestBody(#[source] BodyError),
    /// The request cannot be sent as it is: a header that the protocol forbids, no path, …
    #[error("the request cannot be sent")]
    BadRequest(#[source] BodyError),
    /// The service in this process failed without an answer.
    #[error("the service failed")]
    Service(#[source] BodyError),
    /// The upstream is being closed.
    #[error("the upstream is closed")]
    Closed,
}

/// Why no connection was opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name could not be looked up.
    #[error("cannot look up the name")]
    Lookup(#[source] io::Error),
    /// The name has no address.
    #[error("the name has no address")]
    NoAddress,
    /// The connection was refused, or broke at once.
    #[error("cannot open the connection")]
    Tcp(#[source] io::Error),
    /// The peer does not speak HTTP/2.
    #[error("the peer does not speak HTTP/2")]
    Handshake(#[source] h2::Error),
    /// The peer closed the connection before it said anything.
    #[error("the peer closed the connection at once")]
    ClosedAtOnce,
    /// It took longer than the connect timeout.
    #[error("the connect timeout passed")]
    Timeout,
}

/// What kind of failure it is to whoever asked; each class has one gRPC code and one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nobody could answer now.
    Unavailable,
    /// Too much is asked at once.
    Exhausted,
    /// It took too long.
    Deadline,
    /// The request's sender stopped.
    Cancelled,
    /// A defect, on one side or the other.
    Internal,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Whoever sent the request.
    Downstream,
    /// The upstream, or the way to it.
    Upstream,
    /// Ourselves: a limit or a deadline.
    Gateway,
}

/// Whether the call may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// It would fail again, or there is no time.
    Never,
    /// The request never reached the application.
    Safe,
    /// The application may have acted on it.
    IfIdempotent,
}

// === impl CallError ===

impl CallError {
    /// A failure after which the application may have seen the request.
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Box::new(Inner { kind, not_sent: false, endpoint: None }))
    }

    /// A failure before the application could have seen the request.
    pub(crate) fn not_sent_because(kind: Kind) -> Self {
        Self(Box::new(Inner { kind, not_sent: true, endpoint: None }))
    }

    /// What a stream's failure means.
    pub(crate) fn from_stream(error: h2::Error) -> Self {
        let reason = error.reason();
        match reason {
            // RFC 9113, section 8.7: a refused stream was not processed, and neither was one above
            // the last stream of a GOAWAY, the only ones that see the peer's GOAWAY as an error.
            Some(reason) if error.is_remote() && error.is_go_away() => Self::not_sent_because(Kind::GoAway(reason)),
            Some(Reason::REFUSED_STREAM) if error.is_remote() => {
                Self::not_sent_because(Kind::Reset(Reason::REFUSED_STREAM))
            }
            Some(reason) if error.is_remote() => Self::new(Kind::Reset(reason)),
            _ if error.is_io() => {
                let error = error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
                Self::new(Kind::ConnectionLost(error))
            }
            _ => Self::new(Kind::Protocol(error.into())),
        }
    }

    /// The same failure, of a request of which nothing was written to the network.
    pub(crate) fn none_sent(mut self) -> Self {
        self.0.not_sent = true;
        self
    }

    /// The same failure, of a request that the application has begun to answer.
    pub(crate) fn after_head(mut self) -> Self {
        self.0.not_sent = false;
        self
    }

    /// The same failure, at this endpoint.
    pub(crate) fn at(mut self, endpoint: &Arc<str>) -> Self {
        self.0.endpoint.get_or_insert_with(|| Arc::clone(endpoint));
        self
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// Whether the request surely never reached the application: sending it again, anywhere, cannot
    /// do anything twice.
    #[must_use]
    pub fn not_sent(&self) -> bool {
        self.0.not_sent
    }

    /// The address of the endpoint that was called, if it came to that.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        self.0.endpoint.as_deref()
    }

    /// What kind of failure it is to whoever asked.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.kind() {
            Kind::Connect(_)
            | Kind::Down(_)
            | Kind::KeptAway
            | Kind::Overloaded
            | Kind::GoAway(_)
            | Kind::ConnectionLost(_)
            | Kind::Closed => Class::Unavailable,
            Kind::Deadline => Class::Deadline,
            Kind::RequestBody(_) => Class::Cancelled,
            Kind::Protocol(_) | Kind::BadRequest(_) | Kind::Service(_) => Class::Internal,
            // PROTOCOL-HTTP2 of gRPC, "Errors", except CANCEL: it was not our caller who cancelled.
            Kind::Reset(Reason::REFUSED_STREAM | Reason::CANCEL) => Class::Unavailable,
            Kind::Reset(Reason::ENHANCE_YOUR_CALM) => Class::Exhausted,
            Kind::Reset(_) => Class::Internal,
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self.kind() {
            Kind::RequestBody(_) => Origin::Downstream,
            Kind::KeptAway | Kind::Overloaded | Kind::Deadline | Kind::BadRequest(_) | Kind::Closed => Origin::Gateway,
            Kind::Connect(_)
            | Kind::Down(_)
            | Kind::Reset(_)
            | Kind::GoAway(_)
            | Kind::ConnectionLost(_)
            | Kind::Protocol(_)
            | Kind::Service(_) => Origin::Upstream,
        }
    }

    /// Whether the call may be made again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self.kind() {
            Kind::Deadline | Kind::KeptAway | Kind::RequestBody(_) | Kind::BadRequest(_) | Kind::Closed => Retry::Never,
            _ if self.not_sent() => Retry::Safe,
            Kind::Service(_) | Kind::Protocol(_) => Retry::Never,
            _ => Retry::IfIdempotent,
        }
    }

    /// A short name for logs and figures, one of [`Kind::REASONS`].
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.kind().reason()
    }

    /// Whether the deadline passed.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        matches!(self.kind(), Kind::Deadline)
    }

    /// Whether the peer broke the protocol.
    #[must_use]
    pub fn is_bad_reply(&self) -> bool {
        matches!(self.kind(), Kind::Protocol(_))
    }

    /// The error of the request's body, to be told from others by its type.
    ///
    /// # Errors
    /// The error itself, if it is something else.
    pub fn into_request_body_error(self) -> Result<BodyError, Self> {
        let Inner { kind, not_sent, endpoint } = *self.0;
        match kind {
            Kind::RequestBody(error) => Ok(error),
            kind => Err(Self(Box::new(Inner { kind, not_sent, endpoint }))),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.endpoint() {
            Some(endpoint) => write!(f, "{endpoint}: {}", self.kind()),
            None => fmt::Display::fmt(self.kind(), f),
        }
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallError")
            .field("kind", &self.0.kind)
            .field("not_sent", &self.0.not_sent)
            .field("endpoint", &self.0.endpoint)
            .finish()
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.kind.source()
    }
}

// === impl Kind ===

impl Kind {
    /// Every reason, in the order in which figures show them.
    pub const REASONS: [&'static str; 13] = [
        "connect",
        "down",
        "overloaded",
        "deadline",
        "reset",
        "goaway",
        "connection_lost",
        "protocol",
        "request_body",
        "bad_request",
        "service",
        "closed",
        "kept_away",
    ];

    /// The place of this kind in [`REASONS`](Self::REASONS).
    pub(crate) fn index(&self) -> usize {
        match self {
            Self::Connect(_) => 0,
            Self::Down(_) => 1,
            Self::Overloaded => 2,
            Self::Deadline => 3,
            Self::Reset(_) => 4,
            Self::GoAway(_) => 5,
            Self::ConnectionLost(_) => 6,
            Self::Protocol(_) => 7,
            Self::RequestBody(_) => 8,
            Self::BadRequest(_) => 9,
            Self::Service(_) => 10,
            Self::Closed => 11,
            Self::KeptAway => 12,
        }
    }

    fn reason(&self) -> &'static str {
        Self::REASONS[self.index()]
    }

    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self)
    }
}

/// An error and its sources, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        chain.push_str(": ");
        chain.push_str(&error.to_string());
        source = error.source();
    }
    chain
}
