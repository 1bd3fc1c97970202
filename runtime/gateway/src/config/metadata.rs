//! How HTTP headers become gRPC metadata, and metadata headers.

use super::Template;
use http::{HeaderName, HeaderValue};

/// Which request headers become gRPC metadata under which names, beside the request id and the trace
/// headers, which always do; and back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataPolicy {
    /// Headers that keep their names. Lower-case; a trailing or leading `*` matches any ending or
    /// beginning, `*` alone all.
    pub allow: Vec<String>,
    /// Headers that have other names as metadata.
    pub map: Vec<Mapping>,
    /// Metadata that the gateway says itself, whatever the client says.
    pub set: Vec<(HeaderName, Template)>,
    /// The ways of another gateway.
    pub preset: Option<Preset>,
    /// Zipkin's trace headers, said to upstreams beside W3C's. Plain routes go by the config's own policy.
    pub b3: Option<B3>,
}

/// The form of Zipkin's trace headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum B3 {
    /// `b3`, one for all.
    Single,
    /// `X-B3-TraceId` and so on.
    Multi,
}

/// A header and the metadata that it is, in both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The name of the header.
    pub header: HeaderName,
    /// The key of the metadata.
    pub metadata: HeaderName,
    /// What a request has that does not say it, or says nothing.
    pub default: Option<HeaderValue>,
    /// How its value is written to the upstream.
    pub case: Case,
}

/// How letters are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Case {
    /// As they came.
    #[default]
    AsItIs,
    /// In lower case.
    Lower,
    /// In upper case.
    Upper,
}

/// The ways of another gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// grpc-gateway's: `Grpc-Metadata-X` is the metadata `x`, HTTP's own headers are `grpcgateway-x`;
    /// what the service says is `Grpc-Metadata-X`, in its trailers `Grpc-Trailer-X`.
    GrpcGateway,
    /// Envoy's transcoder: every header is metadata, and so is the path as it came.
    Envoy,
}

impl Preset {
    /// What passes under its own name unless the config says so itself.
    #[must_use]
    pub fn allow(self) -> Vec<String> {
        match self {
            Self::GrpcGateway => vec!["authorization".into()],
            Self::Envoy => vec!["*".into()],
        }
    }
}

impl MetadataPolicy {
    /// What passes under its own name where nothing else is said.
    #[must_use]
    pub fn allowed_by_default() -> Vec<String> {
        ["authorization", "accept-language", "x-*", "*-bin"].map(String::from).to_vec()
    }
}

impl Default for MetadataPolicy {
    fn default() -> Self {
        Self { allow: Self::allowed_by_default(), map: Vec::new(), set: Vec::new(), preset: None, b3: None }
    }
}
