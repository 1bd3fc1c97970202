//! Plain values as OTLP's messages.
//!
//! Source: `opentelemetry/proto/{common,resource,trace,metrics}/v1`.

mod metrics;
mod spans;

use crate::Settings;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use std::time::Duration;
use tidegate_observe::metric::Family;
use tidegate_observe::span::Span;

/// The version of the semantic conventions whose names are used.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.42.0";

/// Where spans and metrics come from.
#[derive(Debug)]
pub(crate) struct Origin {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Origin {
    pub(crate) fn new(settings: &Settings) -> Self {
        let attributes = settings.resource.iter().map(|(name, value)| text(name, value));
        let resource = Resource { attributes: attributes.collect(), ..Resource::default() };
        let (name, version) = ("tidegate".to_owned(), settings.version.to_owned());
        Self { resource, scope: InstrumentationScope { name, version, ..InstrumentationScope::default() } }
    }

    pub(crate) fn spans(&self, spans: &[Span]) -> ExportTraceServiceRequest {
        let scope_spans = ScopeSpans {
            scope: Some(self.scope.clone()),
            spans: spans.iter().map(spans::span).collect(),
            schema_url: SCHEMA_URL.to_owned(),
        };
        let of_resource = ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: vec![scope_spans],
            schema_url: SCHEMA_URL.to_owned(),
        };
        ExportTraceServiceRequest { resource_spans: vec![of_resource] }
    }

    pub(crate) fn metrics(&self, families: &[Family], since: Duration, at: Duration) -> ExportMetricsServiceRequest {
        let scope_metrics = ScopeMetrics {
            scope: Some(self.scope.clone()),
            metrics: families.iter().map(|family| metrics::family(family, nanos(since), nanos(at))).collect(),
            schema_url: SCHEMA_URL.to_owned(),
        };
        let of_resource = ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: vec![scope_metrics],
            schema_url: SCHEMA_URL.to_owned(),
        };
        ExportMetricsServiceRequest { resource_metrics: vec![of_resource] }
    }
}

fn nanos(since_epoch: Duration) -> u64 {
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

fn text(name: &str, value: &str) -> KeyValue {
    key_value(name, any_value::Value::StringValue(value.to_owned()))
}

fn key_value(name: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
