//! What a line says, in one place for both formats.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use super::{
    format::{Format, Line},
    timestamp,
};
use crate::{
    clock,
    trace_context::{SpanId, TraceId},
};

/// The most bytes of a value that a client chooses (path, host, user agent). What is longer is cut
/// and ends in `…`.
pub const FIELD_MAX_BYTES: usize = 2_048;

/// One request, as the log shows it. Fields that are `None` are left out.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When the request began; shown as `ts`, RFC 3339 in UTC with milliseconds.
    pub began: SystemTime,
    /// The request id.
    pub request_id: &'a str,
    /// The trace of the request.
    pub trace_id: Option<TraceId>,
    /// The gateway's own span.
    pub span_id: Option<SpanId>,
    /// The address of the connection.
    pub peer: Option<SocketAddr>,
    /// The host the client asked for.
    pub host: Option<&'a [u8]>,
    /// The HTTP method.
    pub method: &'a str,
    /// The path and query as they came.
    pub path: &'a str,
    /// `HTTP/1.1`, `HTTP/2`, …
    pub protocol: &'a str,
    /// The name of the route.
    pub route: Option<&'a str>,
    /// The RPC, as `pkg.Service/Method`.
    pub rpc: Option<&'a str>,
    /// The name of the upstream.
    pub upstream: Option<&'a str>,
    /// The canary rule that took the request.
    pub canary: Option<&'a str>,
    /// The address of the endpoint.
    pub endpoint: Option<&'a str>,
    /// The HTTP status; 499 if the client left.
    pub status: u16,
    /// The gRPC code.
    pub grpc_status: Option<u8>,
    /// From the head of the request to the end of its answer; shown in milliseconds.
    pub duration: Duration,
    /// The part of it that was spent waiting for the upstream's first answer.
    pub upstream_duration: Option<Duration>,
    /// Bytes of the request's body as they came.
    pub bytes_in: u64,
    /// Bytes of the answer's body as they went.
    pub bytes_out: u64,
    /// Why the gateway itself ended the request: `no_route`, `deadline`, `client_gone`, …
    pub reason: Option<&'a str>,
    /// The `user-agent` header.
    pub user_agent: Option<&'a [u8]>,
}

impl Record<'_> {
    /// Appends the line, its end included.
    pub(super) fn format(&self, format: Format, out: &mut Vec<u8>) {
        let mut line = Line::begin(format, out);
        line.plain("ts", |out| timestamp::push(clock::unix_ms(self.began), out));
        line.plain("level", |out| out.extend_from_slice(self.level().as_bytes()));
        line.plain("msg", |out| out.extend_from_slice(b"request"));
        string(&mut line, "request_id", Some(self.request_id.as_bytes()));
        if let Some(trace_id) = self.trace_id {
            line.plain("trace_id", |out| out.extend_from_slice(&trace_id.to_hex()));
        }
        if let Some(span_id) = self.span_id {
            line.plain("span_id", |out| out.extend_from_slice(&span_id.to_hex()));
        }
        if let Some(peer) = self.peer {
            line.plain("peer", |out| push_peer(peer, out));
        }
        string(&mut line, "host", self.host);
        string(&mut line, "method", Some(self.method.as_bytes()));
        string(&mut line, "path", Some(self.path.as_bytes()));
        string(&mut line, "protocol", Some(self.protocol.as_bytes()));
        string(&mut line, "route", self.route.map(str::as_bytes));
        string(&mut line, "rpc", self.rpc.map(str::as_bytes));
        string(&mut line, "upstream", self.upstream.map(str::as_bytes));
        string(&mut line, "canary", self.canary.map(str::as_bytes));
        string(&mut line, "endpoint", self.endpoint.map(str::as_bytes));
        line.number("status", u64::from(self.status));
        if let Some(grpc_status) = self.grpc_status {
            line.number("grpc_status", u64::from(grpc_status));
        }
        line.thousandths("duration_ms", micros(self.duration));
        if let Some(duration) = self.upstream_duration {
            line.thousandths("upstream_ms", micros(duration));
        }
        line.number("bytes_in", self.bytes_in);
        line.number("bytes_out", self.bytes_out);
        string(&mut line, "reason", self.reason.map(str::as_bytes));
        string(&mut line, "user_agent", self.user_agent);
        line.end();
    }

    /// A failure of the gateway or of a service is a warning; anything else is ordinary.
    fn level(&self) -> &'static str {
        if self.status >= 500 { "warn" } else { "info" }
    }
}

fn string(line: &mut Line<'_>, key: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        line.string(key, value, FIELD_MAX_BYTES);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// An address needs no escaping, and IPv4 is common enough not to go through the formatter.
fn push_peer(peer: SocketAddr, out: &mut Vec<u8>) {
    use std::io::Write;

    match peer {
        SocketAddr::V4(peer) => {
            for (i, octet) in peer.ip().octets().into_iter().enumerate() {
                if i > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
            }
            out.push(b':');
            out.extend_from_slice(itoa::Buffer::new().format(peer.port()).as_bytes());
        }
        SocketAddr::V6(peer) => {
            write!(out, "{peer}").expect("invariant: writing to a Vec does not fail");
        }
    }
}
