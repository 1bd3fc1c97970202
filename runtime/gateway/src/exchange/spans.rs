//! The spans of a request that is traced: its own, and that of the call to the upstream.
//!
//! Source: OpenTelemetry's semantic conventions 1.42 for HTTP and RPC. Queries are left out: they may hold
//! secrets.

#[cfg(test)]
mod tests;

use super::Exchange;
use super::log::LogFields;
use http::{Method, StatusCode, Version};
use std::time::Duration;
use tidegate_observe::span::{Attribute, Event, Kind, Outcome, Parent, Span, Text, Value};
use tidegate_telemetry::access_log::FIELD_MAX_BYTES;
use tidegate_telemetry::clock;
use tidegate_telemetry::trace_context::SpanId;
use tidegate_transcode::Code;

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) status: StatusCode,
    pub(super) code: Code,
    /// Why the gateway itself ended it.
    pub(super) reason: Option<&'static str>,
    pub(super) took: Duration,
}

// === impl End ===

impl End {
    /// A failure of the gateway or of a service. A client that left or asked for what is not there is none.
    pub(super) fn is_error(&self) -> bool {
        let failed = matches!(
            self.code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        );
        self.status.is_server_error() || (failed && self.status.is_success())
    }

    /// `error.type`: in a word why it did not go well, whoever's fault that is.
    fn error_type(&self) -> Option<Text> {
        match self.reason {
            Some(reason) => Some(reason.into()),
            None if self.status.is_client_error() || self.status.is_server_error() => {
                Some(self.status.as_str().to_owned().into())
            }
            None if self.code != Code::Ok => Some(self.code.name().into()),
            None => None,
        }
    }
}

/// The spans of a request that has ended: first its own, then that of the call, if one was made.
pub(super) fn of(exchange: &Exchange, log: &LogFields, end: End) -> impl Iterator<Item = Span> {
    let began = clock::unix(log.began);
    [Some(server(exchange, log, end, began)), client(exchange, log, end, began)].into_iter().flatten()
}

fn server(exchange: &Exchange, log: &LogFields, end: End, began: Duration) -> Span {
    let trace = &exchange.trace;
    let native = log.native.then_some(log.rpc.as_deref()).flatten().map(|rpc| rpc.trim_start_matches('/'));
    let method = method_name(&log.method);
    let mut attributes: Vec<Attribute> = Vec::with_capacity(20);
    attributes.push(("http.request.method", method.unwrap_or("_OTHER").into()));
    if method.is_none() {
        attributes.push(("http.request.method_original", cut(log.method.as_str()).into()));
    }
    attributes.push(("url.scheme", "http".into()));
    attributes.push(("url.path", cut(log.uri.path()).into()));
    attributes.push(("http.response.status_code", end.status.as_u16().into()));
    attributes.push(("network.protocol.version", version(log.version).into()));
    let host = log.uri.authority().map(|authority| authority.as_str().as_bytes());
    let host = host.or(log.host.as_ref().map(|host| host.as_bytes())).and_then(|host| str::from_utf8(host).ok());
    push_address(&mut attributes, host);
    if let Some(peer) = log.peer {
        let address = peer.ip().to_canonical().to_string();
        attributes.push(("client.address", address.clone().into()));
        attributes.push(("network.peer.address", address.into()));
        attributes.push(("network.peer.port", peer.port().into()));
    }
    if let Some(agent) = log.user_agent.as_ref().and_then(|agent| agent.to_str().ok()) {
        attributes.push(("user_agent.original", cut(agent).into()));
    }
    if let Some(route) = log.route.as_deref() {
        let route = route.trim_start_matches(if log.native { "/" } else { "" });
        if !log.native {
            attributes.push(("http.route", route.to_owned().into()));
        }
        attributes.push(("tidegate.route", route.to_owned().into()));
    }
    if let Some(rpc) = native {
        push_rpc(&mut attributes, rpc, end.code);
    }
    push_choice(&mut attributes, exchange, log);
    attributes.push(("tidegate.request_id", exchange.request_id.to_str().unwrap_or_default().to_owned().into()));
    let error = end.error_type();
    if let Some(error) = &error {
        attributes.push(("error.type", Value::Text(error.clone())));
    }
    let name = match (native, log.route.as_deref(), method) {
        (Some(rpc), ..) => rpc.to_owned().into(),
        (None, Some(route), method) => format!("{} {route}", method.unwrap_or("HTTP")).into(),
        (None, None, method) => method.unwrap_or("HTTP").into(),
    };
    Span {
        trace_id: trace.context.trace_id.to_bytes(),
        span_id: trace.context.span_id.to_bytes(),
        parent: trace.parent.map(|parent| Parent { span_id: parent.to_bytes(), remote: true }),
        kind: Kind::Server,
        name,
        start: began,
        end: began + end.took,
        sampled: trace.context.sampled,
        attributes,
        events: Vec::new(),
        outcome: error.filter(|_| end.is_error()).map_or(Outcome::Unset, Outcome::Error),
    }
}

fn client(exchange: &Exchange, log: &LogFields, end: End, began: Duration) -> Option<Span> {
    let trace = &exchange.trace;
    let (attempt, started): (SpanId, _) = trace.attempt.zip(log.upstream_started)?;
    let rpc = log.rpc.as_deref().map(|rpc| rpc.trim_start_matches('/'));
    let mut attributes: Vec<Attribute> = Vec::with_capacity(10);
    let method = method_name(&log.method).unwrap_or("_OTHER");
    match rpc {
        Some(rpc) => push_rpc(&mut attributes, rpc, end.code),
        None => {
            attributes.push(("http.request.method", method.into()));
            if end.reason.is_none() {
                attributes.push(("http.response.status_code", end.status.as_u16().into()));
            }
        }
    }
    push_address(&mut attributes, log.endpoint.as_deref());
    push_choice(&mut attributes, exchange, log);
    let error = end.error_type().filter(|_| end.reason.is_some() || rpc.is_none());
    let error = error.or_else(|| rpc.filter(|_| end.code != Code::Ok).map(|_| end.code.name().into()));
    if let Some(error) = &error {
        attributes.push(("error.type", Value::Text(error.clone())));
    }
    let start = began + started.saturating_duration_since(exchange.started);
    // The reply of a stream, and one that passes through, ends with the request.
    let took = log.upstream_took.filter(|_| !exchange.streams && !log.native);
    let ended = took.map_or(began + end.took, |took| start + took);
    let mut events = Vec::new();
    if log.resent > 0 {
        attributes.push(("http.request.resend_count", u64::from(log.resent).into()));
        events.push(Event {
            name: "tidegate.resent".into(),
            at: ended,
            attributes: vec![("tidegate.resends", u64::from(log.resent).into())],
        });
    }
    Some(Span {
        trace_id: trace.context.trace_id.to_bytes(),
        span_id: attempt.to_bytes(),
        parent: Some(Parent { span_id: trace.context.span_id.to_bytes(), remote: false }),
        kind: Kind::Client,
        name: rpc.map_or(Text::Borrowed(method), |rpc| rpc.to_owned().into()),
        start,
        end: ended.max(start),
        sampled: trace.context.sampled,
        attributes,
        events,
        outcome: error.map_or(Outcome::Unset, Outcome::Error),
    })
}

/// What the gateway chose for the request.
fn push_choice(attributes: &mut Vec<Attribute>, exchange: &Exchange, log: &LogFields) {
    if let Some(upstream) = log.upstream.as_deref() {
        attributes.push(("tidegate.upstream", upstream.to_owned().into()));
    }
    if let Some(instead) = exchange.instead {
        attributes.push(("tidegate.fallback", instead.word().to_owned().into()));
    }
    if let Some(rule) = exchange.canary_rule() {
        attributes.push(("tidegate.canary.rule", rule.to_owned().into()));
    }
}

fn push_rpc(attributes: &mut Vec<Attribute>, rpc: &str, code: Code) {
    attributes.push(("rpc.system.name", "grpc".into()));
    attributes.push(("rpc.method", rpc.to_owned().into()));
    attributes.push(("rpc.response.status_code", code.name().into()));
}

/// A host and the port after it, if there is one.
fn push_address(attributes: &mut Vec<Attribute>, authority: Option<&str>) {
    let Some(authority) = authority else { return };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse::<u16>().ok()),
        _ => (authority, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    attributes.push(("server.address", cut(host).into()));
    if let Some(port) = port {
        attributes.push(("server.port", port.into()));
    }
}

/// The methods that the conventions know: RFC 9110's and PATCH.
fn method_name(method: &Method) -> Option<&'static str> {
    ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"]
        .into_iter()
        .find(|known| method.as_str() == *known)
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// What a client chooses is cut where the access log cuts it.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(FIELD_MAX_BYTES)].to_owned()
}
