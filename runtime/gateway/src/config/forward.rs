//! What is done with the requests of a plain route.

use super::HeaderEdits;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use std::time::Duration;

/// What is done with the requests of a plain route.
#[derive(Clone, Debug)]
pub enum Action {
    /// They are sent on.
    Forward(Forward),
    /// They are told to go elsewhere.
    Redirect(Redirect),
    /// They are answered here.
    Respond(Respond),
}

/// How requests are sent on.
#[derive(Clone, Debug, Default)]
pub struct Forward {
    /// Name of the upstream.
    pub upstream: String,
    /// What becomes of the path; `None` leaves it, in normal form.
    pub rewrite: Option<Rewrite>,
    /// What becomes of the request's headers, after those of this hop are gone.
    pub request_headers: HeaderEdits,
    /// What becomes of the headers of the upstream's reply.
    pub response_headers: HeaderEdits,
    /// The protocols that a connection may be handed over to.
    pub upgrades: Vec<Upgrade>,
    /// How long a reply or a tunnel may be silent; `None` is [`super::DEFAULT_IDLE_TIMEOUT`].
    pub idle_timeout: Option<Duration>,
}

/// What a path becomes. The query stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// Stands in place of what the route's path says: of `/assets/*` this is `/assets/`.
    Prefix(Box<str>),
    /// The whole path.
    Path(Box<str>),
}

/// What HTTP/1.1 connections may be handed over to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Upgrade {
    /// RFC 6455.
    WebSocket,
}

/// A reply that says where to go.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// `http` or `https`; `None` leaves it to the client.
    pub scheme: Option<Box<str>>,
    /// Host, with a port if there is one; `None` is that of the request.
    pub host: Option<Box<str>>,
    /// What becomes of the path.
    pub rewrite: Option<Rewrite>,
    /// The query is left out.
    pub drop_query: bool,
    /// What becomes of the headers of the reply.
    pub response_headers: HeaderEdits,
}

/// A reply of the gateway's own.
#[derive(Clone, Debug)]
pub struct Respond {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
    /// Its type.
    pub content_type: Option<HeaderValue>,
    /// What becomes of the headers of the reply.
    pub response_headers: HeaderEdits,
}

impl Action {
    /// The upstream that requests are sent to, if they are sent on.
    #[must_use]
    pub fn upstream(&self) -> Option<&str> {
        match self {
            Self::Forward(forward) => Some(&forward.upstream),
            Self::Redirect(_) | Self::Respond(_) => None,
        }
    }
}

impl Rewrite {
    /// What `path` becomes, of which the route's pattern says the first `matched` bytes.
    pub(crate) fn apply(&self, path: &str, matched: usize) -> String {
        match self {
            Self::Path(whole) => whole.to_string(),
            Self::Prefix(prefix) => {
                let rest = path.get(matched..).unwrap_or_default();
                // One slash between the two, whichever has it.
                match (prefix.ends_with('/'), rest.strip_prefix('/')) {
                    (true, Some(rest)) => format!("{prefix}{rest}"),
                    _ => format!("{prefix}{rest}"),
                }
            }
        }
    }
}

impl Upgrade {
    /// As `Upgrade` headers have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
        }
    }
}
