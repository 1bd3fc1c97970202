//! OTLP over gRPC.
//!
//! Source: the OTLP specification, "OTLP/gRPC".

use crate::Settings;
use crate::error::{SettingsError, chain, later, never, rejected, timed_out};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use std::time::Duration;
use tidegate_observe::ports::ExportError;
use tokio::time::timeout;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

#[derive(Debug)]
pub(crate) struct Client {
    traces: TraceServiceClient<Channel>,
    metrics: MetricsServiceClient<Channel>,
    metadata: MetadataMap,
    timeout: Duration,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let endpoint = Endpoint::from_shared(settings.endpoint.clone())
            .and_then(|endpoint| endpoint.user_agent(format!("tidegate/{}", settings.version)))
            .map_err(|error| SettingsError(format!("`{}` is no endpoint: {error}", settings.endpoint)))?
            .connect_timeout(settings.timeout)
            // What is idle for the interval of the metrics must be known to live before it is used.
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(settings.timeout)
            .keep_alive_while_idle(true);
        let channel = if settings.endpoint.starts_with("https://") {
            let trusted = match &settings.ca {
                Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)),
                None => ClientTlsConfig::new().with_native_roots(),
            };
            let wrong = |error| SettingsError(format!("the certificates cannot be used: {}", chain(&error)));
            endpoint.tls_config(trusted).map_err(wrong)?.connect_lazy()
        } else {
            endpoint.connect_lazy()
        };
        let mut metadata = MetadataMap::new();
        for (name, value) in &settings.headers {
            let key = AsciiMetadataKey::from_bytes(name.to_ascii_lowercase().as_bytes()).ok();
            let value = AsciiMetadataValue::try_from(value.as_str()).ok();
            match key.zip(value) {
                Some((key, mut value)) => {
                    value.set_sensitive(true);
                    metadata.append(key, value)
                }
                None => return Err(SettingsError(format!("`{name}` cannot be metadata of gRPC"))),
            };
        }
        Ok(Self {
            traces: TraceServiceClient::new(channel.clone()),
            metrics: MetricsServiceClient::new(channel),
            metadata,
            timeout: settings.timeout,
        })
    }

    pub(crate) async fn spans(&mut self, request: ExportTraceServiceRequest) -> Result<(), ExportError> {
        let request = self.request(request);
        let reply = timeout(self.timeout, self.traces.export(request)).await;
        let reply = reply.map_err(|_| timed_out(self.timeout))?.map_err(|status| failed(&status))?;
        rejected(reply.into_inner().partial_success.map(|partial| (partial.rejected_spans, partial.error_message)))
    }

    pub(crate) async fn metrics(&mut self, request: ExportMetricsServiceRequest) -> Result<(), ExportError> {
        let request = self.request(request);
        let reply = timeout(self.timeout, self.metrics.export(request)).await;
        let reply = reply.map_err(|_| timed_out(self.timeout))?.map_err(|status| failed(&status))?;
        rejected(
            reply.into_inner().partial_success.map(|partial| (partial.rejected_data_points, partial.error_message)),
        )
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        request
    }
}

/// Which codes pass, by the specification's table.
fn failed(status: &Status) -> ExportError {
    let mut message = format!("the collector cannot be reached or refuses: {}", code_name(status.code()));
    if !status.message().is_empty() {
        let told: String = status.message().chars().take(256).collect();
        message = format!("{message}: {told}");
    }
    if let Some(source) = std::error::Error::source(status) {
        message = format!("{message}: {}", chain(source));
    }
    let asked = retry_info(status.details());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => later(message, asked),
        Code::ResourceExhausted if asked.is_some() => later(message, asked),
        _ => never(message),
    }
}

fn code_name(code: Code) -> String {
    format!("{code:?}")
}

/// `google.rpc.Status`, as far as it matters.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

/// How long the collector asks to wait.
fn retry_info(details: &[u8]) -> Option<Duration> {
    let details = Details::decode(details).ok()?.details;
    let info = details.iter().find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    Duration::try_from(RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay?).ok()
}
