//! OTLP as protobuf over HTTP/1.1.
//!
//! Source: the OTLP specification, "OTLP/HTTP".

use crate::Settings;
use crate::error::{SettingsError, chain, later, never, rejected, timed_out};
use crate::tls;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;
use std::time::Duration;
use tidegate_observe::ports::ExportError;
use tokio::time::timeout;

/// Of an answer no more is read than this; what a collector says is short.
const REPLY_MAX_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    traces: Uri,
    metrics: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let uri = |path: &str| {
            let text = format!("{}{path}", settings.endpoint.trim_end_matches('/'));
            text.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some() && uri.authority().is_some())
        };
        let (Some(traces), Some(metrics)) = (uri("/v1/traces"), uri("/v1/metrics")) else {
            return Err(SettingsError(format!("`{}` is no endpoint", settings.endpoint)));
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let name_value = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            let Some((name, mut value)) = name_value else {
                return Err(SettingsError(format!("`{name}` cannot be a header")));
            };
            value.set_sensitive(true);
            headers.append(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        if let Ok(agent) = HeaderValue::try_from(format!("tidegate/{}", settings.version)) {
            headers.insert(USER_AGENT, agent);
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(settings.timeout));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let trusted = match settings.endpoint.starts_with("https://") {
            true => tls::client(settings.ca.as_deref())?,
            false => tls::nobody()?,
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trusted)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Self { pool, traces, metrics, headers, timeout: settings.timeout })
    }

    pub(crate) async fn spans(&mut self, request: ExportTraceServiceRequest) -> Result<(), ExportError> {
        let body = self.send(&self.traces, request.encode_to_vec()).await?;
        let partial = ExportTraceServiceResponse::decode(body).ok().and_then(|reply| reply.partial_success);
        rejected(partial.map(|partial| (partial.rejected_spans, partial.error_message)))
    }

    pub(crate) async fn metrics(&mut self, request: ExportMetricsServiceRequest) -> Result<(), ExportError> {
        let body = self.send(&self.metrics, request.encode_to_vec()).await?;
        let partial = ExportMetricsServiceResponse::decode(body).ok().and_then(|reply| reply.partial_success);
        rejected(partial.map(|partial| (partial.rejected_data_points, partial.error_message)))
    }

    async fn send(&self, uri: &Uri, body: Vec<u8>) -> Result<Bytes, ExportError> {
        timeout(self.timeout, self.post(uri, body)).await.map_err(|_| timed_out(self.timeout))?
    }

    async fn post(&self, uri: &Uri, body: Vec<u8>) -> Result<Bytes, ExportError> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = self.headers.clone();
        let reply = self.pool.request(request).await;
        let reply =
            reply.map_err(|error| later(format!("the collector cannot be reached: {}", chain(&error)), None))?;
        if !reply.status().is_success() {
            return Err(refused(&reply));
        }
        let body = Limited::new(reply.into_body(), REPLY_MAX_BYTES).collect().await;
        body.map(http_body_util::Collected::to_bytes)
            .map_err(|error| later(format!("the collector's answer broke off: {error}"), None))
    }
}

/// Which statuses pass, by the specification.
fn refused<B>(reply: &Response<B>) -> ExportError {
    let message = format!("the collector answers {}", reply.status());
    let passing = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    if !passing.contains(&reply.status()) {
        return never(message);
    }
    let seconds = reply.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    later(message, seconds.map(Duration::from_secs))
}
