//! What an upstream is made from: plain, validated, no parsing of files.

#[cfg(test)]
mod tests;

use std::{fmt, net::SocketAddr, time::Duration};

use tidegate_traffic::{balance::Policy, health, outlier};

/// One SYN is sent again after 1 s; a neighbour that answers neither is not there.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections to one endpoint, from one worker. With [`STREAMS_MAX`] it bounds the requests in
/// flight to 6 400 per endpoint and worker; more wait.
pub const CONNECTIONS_MAX: usize = 64;

/// Streams on one connection, whatever more the peer allows: what servers announce by default, and
/// a bound on how many calls share the fate of one TCP connection.
pub const STREAMS_MAX: u32 = 100;

/// Requests that may wait for a stream of one endpoint, from one worker.
pub const WAITING_MAX: usize = 1_024;

/// HTTP/1.1 connections to one endpoint, from one worker: each carries one request at a time.
pub const H1_CONNECTIONS_MAX: usize = 1_024;

/// How long an HTTP/1.1 connection may be unused. Whoever closes it while a request is on its way leaves
/// open whether the request was seen, so that the pool had better be the first: below the 5 s of Node.js
/// and of uvicorn, the shortest of common servers. A `Keep-Alive: timeout=…` that a reply has shortens it.
pub const H1_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a connection may be unused: below the 5 min of common load balancers and NATs.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The default keepalive; see [`Keepalive`].
pub const KEEPALIVE: Keepalive = Keepalive { interval: Duration::from_secs(30), timeout: Duration::from_secs(10) };

/// What a peer may send on one stream before the caller has read it. 128 KiB keeps a stream busy at
/// 1 Gbit/s over 1 ms; the protocol's 64 KiB would halve that.
pub const STREAM_WINDOW_BYTES: u32 = 128 * 1024;

/// What a peer may send on one connection before the callers have read it: the windows of all its
/// streams together, so that callers that do not read never hold up one that does.
pub const CONNECTION_WINDOW_BYTES: u32 = STREAMS_MAX * STREAM_WINDOW_BYTES;

/// The largest header section of a response, decoded. `grpc-status-details-bin` is the large one.
pub const HEADER_LIST_MAX_BYTES: u32 = 64 * 1024;

/// What HTTP/2 allows a flow-control window to be (RFC 9113, section 6.9.1).
const WINDOW_MAX_BYTES: u32 = (1 << 31) - 1;
/// What HTTP/2 gives a connection that says nothing.
const WINDOW_MIN_BYTES: u32 = 65_535;

const _: () = assert!(CONNECTION_WINDOW_BYTES >= STREAM_WINDOW_BYTES);
const _: () = assert!(CONNECTION_WINDOW_BYTES <= WINDOW_MAX_BYTES);

/// An upstream: a named set of endpoints, and how to connect to them.
///
/// [`Config::new`] sets every default; [`Config::problems`] says what is wrong with a changed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The name, for errors, logs and figures.
    pub name: String,
    /// The endpoints, at least one; none if they are found ([`discovery`](Self::discovery)).
    pub endpoints: Vec<Endpoint>,
    /// The weights of the endpoints, in the same order; one that is missing is 1. An endpoint of weight 0 takes no calls.
    pub weights: Vec<u32>,
    /// Where the endpoints are found, if they are not listed.
    pub discovery: Option<Discovery>,
    /// How one of several is chosen. Default [`Policy::LeastRequest`].
    pub balance: Policy,
    /// How long an endpoint that has come takes to get its whole part of the calls. Default zero: at once.
    pub slow_start: Duration,
    /// How endpoints are checked; `None`, the default, is not at all.
    pub health: Option<Check>,
    /// When one is left alone because its calls fail. `None` is never; on by default.
    pub outlier: Option<outlier::Settings>,
    /// What they speak. Default [`Protocol::H2`].
    pub protocol: Protocol,
    /// How long an attempt to connect may take: name lookup, TCP and the HTTP/2 handshake together.
    /// Default [`CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
    /// Connections to one endpoint, at least 1. Default [`CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// Connections of each worker to each endpoint that are opened before a call asks for them, and again when they are
    /// lost; not more than [`connections_max`](Self::connections_max). Default 0.
    pub connections_ahead: usize,
    /// Streams on one connection, at least 1; the peer may allow fewer. Default [`STREAMS_MAX`]. Of
    /// HTTP/1.1 it is always 1.
    pub streams_max: u32,
    /// Requests that may wait for a stream of one endpoint. Default [`WAITING_MAX`].
    pub waiting_max: usize,
    /// How long a connection without requests is kept; `None` keeps it as long as the peer does.
    /// Default [`IDLE_TIMEOUT`].
    pub idle_timeout: Option<Duration>,
    /// Whether silent connections with requests in flight are probed. Default [`KEEPALIVE`].
    pub keepalive: Option<Keepalive>,
    /// Default [`STREAM_WINDOW_BYTES`]; 65 535 to 2³¹−1.
    pub stream_window_bytes: u32,
    /// Default [`CONNECTION_WINDOW_BYTES`]; not below the stream's.
    pub connection_window_bytes: u32,
    /// Default [`HEADER_LIST_MAX_BYTES`].
    pub header_list_max_bytes: u32,
}

/// What an upstream speaks, over TCP without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1: a connection carries one request at a time.
    H1,
    /// HTTP/2 with prior knowledge, as gRPC servers do.
    #[default]
    H2,
}

/// One address of an upstream. A name is looked up whenever a connection is opened, and connections
/// are spread over its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// An IP address (IPv6 with or without brackets) or a name.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Where endpoints are found that come and go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Discovery {
    /// Every address (A and AAAA) of a name is an endpoint.
    Dns {
        /// The name, and the port of all of them.
        name: Endpoint,
        /// The DNS servers that are asked; none: those of the system.
        servers: Vec<SocketAddr>,
    },
    /// Every target of an SRV record (RFC 2782), with its port and weight; of the lowest priority alone.
    Srv {
        /// The name of the record.
        name: String,
        /// The DNS servers that are asked, for the addresses of the targets too; none: those of the system.
        servers: Vec<SocketAddr>,
    },
    /// Every key of etcd's below this one.
    Etcd(String),
}

/// How an endpoint is asked whether it is well, over connections of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it is asked.
    pub question: Question,
    /// How often, and how many answers count.
    pub settings: health::Settings,
}

/// What an endpoint is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// `GET` of this path; 200 to 299 is well.
    Http(String),
    /// gRPC's health protocol, `grpc.health.v1.Health/Check`, for this service (empty: the server as a whole); `SERVING` is
    /// well.
    Grpc(String),
}

/// PING frames on a connection that has requests in flight and from which nothing is heard, so that
/// a peer that vanished is noticed before every deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// The silence after which the peer is asked. grpc-go's default enforcement tolerates one PING
    /// in 5 min without data, and data resets that count.
    pub interval: Duration,
    /// How long it may take to answer; then the connection is closed and its requests fail.
    pub timeout: Duration,
}

/// What is wrong with a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is nowhere to connect to.
    #[error("an upstream needs at least one endpoint")]
    NoEndpoints,
    /// No endpoint takes calls.
    #[error("the weights of the endpoints sum to 0")]
    Weights,
    /// No endpoint could be ejected, or all for ever.
    #[error("outlier: {0}")]
    Outlier(outlier::SettingsError),
    /// An endpoint has an empty host or port 0.
    #[error("endpoint {0} has no host or no port")]
    Endpoint(usize),
    /// A duration that must pass before something happens is zero.
    #[error("{0} must be longer than zero")]
    Zero(&'static str),
    /// A limit would let nothing through.
    #[error("{0} must be at least 1")]
    Nothing(&'static str),
    /// A window that HTTP/2 does not allow, or a connection's that is below its streams'.
    #[error("{0} must be from 65535 to 2147483647, and the connection's not below the stream's")]
    Window(&'static str),
}

// === impl Config ===

impl Config {
    /// An upstream with the defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, endpoints: Vec<Endpoint>) -> Self {
        Self {
            name: name.into(),
            endpoints,
            weights: Vec::new(),
            discovery: None,
            balance: Policy::default(),
            slow_start: Duration::ZERO,
            health: None,
            outlier: Some(outlier::Settings::default()),
            protocol: Protocol::H2,
            connect_timeout: CONNECT_TIMEOUT,
            connections_max: CONNECTIONS_MAX,
            connections_ahead: 0,
            streams_max: STREAMS_MAX,
            waiting_max: WAITING_MAX,
            idle_timeout: Some(IDLE_TIMEOUT),
            keepalive: Some(KEEPALIVE),
            stream_window_bytes: STREAM_WINDOW_BYTES,
            connection_window_bytes: CONNECTION_WINDOW_BYTES,
            header_list_max_bytes: HEADER_LIST_MAX_BYTES,
        }
    }

    /// An upstream that speaks HTTP/1.1, with the defaults for that.
    #[must_use]
    pub fn h1(name: impl Into<String>, endpoints: Vec<Endpoint>) -> Self {
        Self {
            protocol: Protocol::H1,
            connections_max: H1_CONNECTIONS_MAX,
            streams_max: 1,
            idle_timeout: Some(H1_IDLE_TIMEOUT),
            keepalive: None,
            ..Self::new(name, endpoints)
        }
    }

    /// The weight of the endpoint at this place.
    #[must_use]
    pub fn weight(&self, at: usize) -> u32 {
        self.weights.get(at).copied().unwrap_or(1)
    }

    /// What a request to an endpoint says without an authority of its own: the name that was looked up, if one was.
    pub(crate) fn authority(&self, address: &Endpoint) -> String {
        match &self.discovery {
            Some(Discovery::Dns { name, .. }) => name.to_string(),
            _ => address.to_string(),
        }
    }

    /// Everything that is wrong with it; empty if it can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, problem| {
            if !ok {
                problems.push(problem);
            }
        };
        check(!self.endpoints.is_empty() || self.discovery.is_some(), Problem::NoEndpoints);
        let takes_calls = (0..self.endpoints.len()).any(|at| self.weight(at) > 0);
        check(self.endpoints.is_empty() || takes_calls, Problem::Weights);
        for (i, endpoint) in self.endpoints.iter().enumerate() {
            check(!endpoint.host.is_empty() && endpoint.port != 0, Problem::Endpoint(i));
        }
        check(!self.connect_timeout.is_zero(), Problem::Zero("connect_timeout"));
        check(self.idle_timeout != Some(Duration::ZERO), Problem::Zero("idle_timeout"));
        if let Some(keepalive) = self.keepalive {
            check(!keepalive.interval.is_zero(), Problem::Zero("keepalive.interval"));
            check(!keepalive.timeout.is_zero(), Problem::Zero("keepalive.timeout"));
        }
        if let Some(Check { settings, .. }) = &self.health {
            check(!settings.interval.is_zero(), Problem::Zero("health.interval"));
            check(!settings.timeout.is_zero(), Problem::Zero("health.timeout"));
            check(settings.unhealthy > 0, Problem::Nothing("health.unhealthy"));
            check(settings.healthy > 0, Problem::Nothing("health.healthy"));
        }
        if let Some(Err(error)) = self.outlier.map(|settings| settings.check()) {
            check(false, Problem::Outlier(error));
        }
        check(self.connections_max > 0, Problem::Nothing("connections_max"));
        check(self.streams_max > 0, Problem::Nothing("streams_max"));
        let windows = WINDOW_MIN_BYTES..=WINDOW_MAX_BYTES;
        check(windows.contains(&self.stream_window_bytes), Problem::Window("stream_window_bytes"));
        check(
            windows.contains(&self.connection_window_bytes) && self.connection_window_bytes >= self.stream_window_bytes,
            Problem::Window("connection_window_bytes"),
        );
        problems
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// The host without the brackets of an IPv6 address, as a resolver wants it.
    pub(crate) fn bare_host(&self) -> &str {
        let host = self.host.as_str();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }
}

/// As in a URI: an IPv6 address in brackets.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.bare_host();
        if host.contains(':') { write!(f, "[{host}]:{}", self.port) } else { write!(f, "{host}:{}", self.port) }
    }
}

/// As the config has it: `srv _grpc._tcp.shop.local`.
impl fmt::Display for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns { name, .. } => write!(f, "dns {name}"),
            Self::Srv { name, .. } => write!(f, "srv {name}"),
            Self::Etcd(key) => write!(f, "etcd {key}"),
        }
    }
}
