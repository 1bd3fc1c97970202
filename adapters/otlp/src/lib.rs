//! Spans and metrics to a collector, in OpenTelemetry's protocol (OTLP 1.x): over gRPC, or as protobuf over
//! HTTP/1.1.
//!
//! Owns the messages, made with OpenTelemetry's own protocol crate, and the conversation with the
//! collector: which answers mean that a batch may be sent again, and what it says of those it took in part.
//!
//! Does not queue, wait to try again, or read an environment variable: whoever calls the
//! [`Exporter`] does the first two, and everything it is told stands in [`Settings`].
//!
//! Invariant: a call ends within [`Settings::timeout`], and no message of an error has a header's value in it.
//!
//! The SDK's exporters are not used: its metrics can only come from its own instruments, and its spans would
//! be copied once more.
#![forbid(unsafe_code)]

mod encode;
mod error;
mod grpc;
mod http1;
mod tls;

use encode::Origin;
use std::fmt;
use std::time::Duration;
use tidegate_observe::metric::Family;
use tidegate_observe::ports::{Exporter, Sending};
use tidegate_observe::span::Span;

pub use error::SettingsError;

/// Where to send, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The collector: `http://host:port`, or `https://…` for TLS; of HTTP with the path that goes before `/v1/traces`, if any.
    pub endpoint: String,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Headers (or metadata) of each call. Their values are secret.
    pub headers: Vec<(String, String)>,
    /// With `https`: the certificates, in PEM, that sign that of the collector; without them those that the system
    /// believes.
    pub ca: Option<Vec<u8>>,
    /// How long one call may take.
    pub timeout: Duration,
    /// What is told of this process: `service.name` and the like.
    pub resource: Vec<(String, String)>,
    /// Our own version.
    pub version: &'static str,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC; collectors have it on port 4317.
    Grpc,
    /// Protobuf over HTTP/1.1; collectors have it on port 4318.
    Http,
}

/// An exporter to one collector. It connects when there is something to send.
#[derive(Debug)]
pub struct Otlp {
    origin: Origin,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Grpc(grpc::Client),
    Http(http1::Client),
}

impl Otlp {
    /// An exporter that is told all in `settings`. Must be called within a tokio runtime, on which it lives.
    ///
    /// # Errors
    /// The endpoint or a header cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let way = match settings.protocol {
            Protocol::Grpc => Way::Grpc(grpc::Client::new(settings)?),
            Protocol::Http => Way::Http(http1::Client::new(settings)?),
        };
        Ok(Self { origin: Origin::new(settings), way })
    }
}

impl Exporter for Otlp {
    fn spans<'a>(&'a mut self, spans: &'a [Span]) -> Sending<'a> {
        let request = self.origin.spans(spans);
        match &mut self.way {
            Way::Grpc(client) => Box::pin(client.spans(request)),
            Way::Http(client) => Box::pin(client.spans(request)),
        }
    }

    fn metrics<'a>(&'a mut self, families: &'a [Family], since: Duration, at: Duration) -> Sending<'a> {
        let request = self.origin.metrics(families, since, at);
        match &mut self.way {
            Way::Grpc(client) => Box::pin(client.metrics(request)),
            Way::Http(client) => Box::pin(client.metrics(request)),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| (name, "(secret)")).collect();
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("protocol", &self.protocol)
            .field("headers", &headers)
            .field("ca", &self.ca.is_some())
            .field("timeout", &self.timeout)
            .field("resource", &self.resource)
            .field("version", &self.version)
            .finish()
    }
}
