//! What a line says, in one place for all forms.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use super::{format::Line, layout::Field, timestamp};
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
    /// What answered in place of the upstream that was chosen, whose breaker did not let the call pass: `answer` or
    /// `upstream`.
    pub fallback: Option<&'a str>,
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
    /// How often the call was made, if more than once.
    pub attempts: Option<u32>,
    /// How long the call waited for a place among those in flight, if it did; shown in milliseconds.
    pub queued: Option<Duration>,
    /// Bytes of the request's body as they came.
    pub bytes_in: u64,
    /// Bytes of the answer's body as they went.
    pub bytes_out: u64,
    /// Why the gateway itself ended the request: `no_route`, `deadline`, `client_gone`, …
    pub reason: Option<&'a str>,
    /// The rate limit that refused the request, or that would have if it were enforced.
    pub limit: Option<&'a str>,
    /// The `user-agent` header.
    pub user_agent: Option<&'a [u8]>,
}

impl Record<'_> {
    /// Adds a field to the line, if it is known.
    #[inline]
    pub(super) fn write(&self, field: Field, line: &mut Line<'_>) {
        let key = field.name();
        match field {
            Field::Ts => line.plain(key, |out| timestamp::push(clock::unix_ms(self.began), out)),
            Field::Level => line.plain(key, |out| out.extend_from_slice(self.level().as_bytes())),
            Field::Msg => line.plain(key, |out| out.extend_from_slice(b"request")),
            Field::RequestId => string(line, key, Some(self.request_id.as_bytes())),
            Field::TraceId => {
                if let Some(trace_id) = self.trace_id {
                    line.plain(key, |out| out.extend_from_slice(&trace_id.to_hex()));
                }
            }
            Field::SpanId => {
                if let Some(span_id) = self.span_id {
                    line.plain(key, |out| out.extend_from_slice(&span_id.to_hex()));
                }
            }
            Field::Peer => {
                if let Some(peer) = self.peer {
                    line.plain(key, |out| push_peer(peer, out));
                }
            }
            Field::Host => string(line, key, self.host),
            Field::Method => string(line, key, Some(self.method.as_bytes())),
            Field::Path => string(line, key, Some(self.path.as_bytes())),
            Field::Protocol => string(line, key, Some(self.protocol.as_bytes())),
            Field::Route => string(line, key, self.route.map(str::as_bytes)),
            Field::Rpc => string(line, key, self.rpc.map(str::as_bytes)),
            Field::Upstream => string(line, key, self.upstream.map(str::as_bytes)),
            Field::Canary => string(line, key, self.canary.map(str::as_bytes)),
            Field::Fallback => string(line, key, self.fallback.map(str::as_bytes)),
            Field::Endpoint => string(line, key, self.endpoint.map(str::as_bytes)),
            Field::Status => line.number(key, u64::from(self.status)),
            Field::GrpcStatus => {
                if let Some(grpc_status) = self.grpc_status {
                    line.number(key, u64::from(grpc_status));
                }
            }
            Field::DurationMs => line.thousandths(key, micros(self.duration)),
            Field::UpstreamMs => {
                if let Some(duration) = self.upstream_duration {
                    line.thousandths(key, micros(duration));
                }
            }
            Field::Attempts => {
                if let Some(attempts) = self.attempts {
                    line.number(key, u64::from(attempts));
                }
            }
            Field::QueuedMs => {
                if let Some(queued) = self.queued {
                    line.thousandths(key, micros(queued));
                }
            }
            Field::BytesIn => line.number(key, self.bytes_in),
            Field::BytesOut => line.number(key, self.bytes_out),
            Field::Reason => string(line, key, self.reason.map(str::as_bytes)),
            Field::Limit => string(line, key, self.limit.map(str::as_bytes)),
            Field::UserAgent => string(line, key, self.user_agent),
        }
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
