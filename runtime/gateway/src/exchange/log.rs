//! What the access log and the spans of a request tell.

use super::Exchange;
use super::attempts::Attempt;
use crate::breakers::Instead;
use crate::idle::Upload;
use crate::peer::Peer;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{Method, StatusCode, Uri, Version, request};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tidegate_telemetry::access_log::Record;
use tidegate_transcode::Code;

/// What only the access log and spans want to know.
#[derive(Debug)]
pub(super) struct LogFields {
    pub(super) began: SystemTime,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) host: Option<HeaderValue>,
    pub(super) version: Version,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) route: Option<Box<str>>,
    pub(super) rpc: Option<Arc<str>>,
    /// It came as gRPC.
    pub(super) native: bool,
    pub(super) upstream: Option<Box<str>>,
    pub(super) endpoint: Option<Box<str>>,
    pub(super) upstream_started: Option<Instant>,
    pub(super) upstream_took: Option<Duration>,
    /// How long it waited for a place among the calls in flight.
    pub(super) queued: Duration,
    /// The tries before the last one.
    pub(super) tries: Vec<Attempt>,
    /// How often it was sent again because it surely never reached the application.
    pub(super) resent: u32,
}

impl LogFields {
    pub(super) fn new(head: &request::Parts, peer: &Peer, began: SystemTime) -> Self {
        Self {
            began,
            method: head.method.clone(),
            uri: head.uri.clone(),
            host: head.headers.get(HOST).cloned(),
            version: head.version,
            user_agent: head.headers.get(USER_AGENT).cloned(),
            peer: peer.address,
            route: None,
            rpc: None,
            native: false,
            upstream: None,
            endpoint: None,
            upstream_started: None,
            upstream_took: None,
            queued: Duration::ZERO,
            tries: Vec::new(),
            resent: 0,
        }
    }

    /// How often the call was made.
    pub(super) fn made(&self) -> u32 {
        let last = usize::from(self.upstream_started.is_some());
        u32::try_from(self.tries.len() + last).unwrap_or(u32::MAX)
    }

    pub(super) fn record<'r>(
        &'r self,
        exchange: &'r Exchange,
        status: StatusCode,
        code: Code,
        reason: Option<&'r str>,
        took: Duration,
    ) -> Record<'r> {
        let host = self.uri.authority().map(|authority| authority.as_str().as_bytes());
        Record {
            began: self.began,
            request_id: exchange.request_id.to_str().unwrap_or_default(),
            trace_id: Some(exchange.trace.context.trace_id),
            span_id: Some(exchange.trace.context.span_id),
            peer: self.peer,
            host: host.or(self.host.as_ref().map(HeaderValue::as_bytes)),
            method: self.method.as_str(),
            path: self.uri.path_and_query().map_or("/", |path| path.as_str()),
            protocol: protocol(self.version),
            route: self.route.as_deref(),
            rpc: self.rpc.as_deref().map(|rpc| rpc.trim_start_matches('/')),
            upstream: self.upstream.as_deref(),
            canary: exchange.canary_rule(),
            fallback: exchange.instead.map(Instead::word),
            endpoint: self.endpoint.as_deref(),
            status: status.as_u16(),
            grpc_status: Some(code as u8),
            duration: took,
            upstream_duration: self.upstream_took,
            attempts: (!self.tries.is_empty()).then(|| self.made()),
            queued: (!self.queued.is_zero()).then_some(self.queued),
            bytes_in: exchange.bytes_in + exchange.upload.as_ref().map_or(0, Upload::bytes),
            bytes_out: exchange.bytes_out,
            reason,
            limit: exchange.limited_by(),
            user_agent: self.user_agent.as_ref().map(HeaderValue::as_bytes),
        }
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP",
    }
}
