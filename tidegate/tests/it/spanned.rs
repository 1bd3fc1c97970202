//! A tonic service that has spans of its own, made by OpenTelemetry's SDK.

use crate::reflecting::{Port, Running};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Span as _, SpanKind, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use parking_lot::Mutex;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio_stream::StreamExt as _;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tonic::server::{Grpc, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Request as Call, Response as Reply, Status, Streaming};
use tonic_prost::ProstCodec;
use tower_service::Service;

/// What it speaks.
pub(crate) const PROTO: &str = r#"syntax = "proto3";
package traced.v1;

import "google/api/annotations.proto";

service Traced {
  rpc Say(Words) returns (Words) { option (google.api.http) = { get: "/v1/say/{text}" }; }
  rpc Watch(Words) returns (stream Words) { option (google.api.http) = { get: "/v1/watch/{text}" }; }
  rpc Chat(stream Words) returns (stream Words);
}

message Words { string text = 1; }
"#;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Words {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

/// The service on a port, and the spans that it has made.
pub(crate) struct Spanned {
    pub(crate) port: Port,
    _running: Running,
    provider: SdkTracerProvider,
    spans: Spans,
}

#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().extend(batch);
        Ok(())
    }
}

impl Spanned {
    pub(crate) fn start() -> Self {
        let spans = Spans::default();
        // Its sampler goes by what the caller says, as is the SDK's default.
        let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
        let port = Port::new();
        let running = port.serve(Served(provider.tracer("traced")));
        Self { port, _running: running, provider, spans }
    }

    /// The spans of all calls that have been answered.
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.provider.force_flush().expect("nothing is in the way");
        self.spans.0.lock().clone()
    }
}

#[derive(Clone)]
struct Served(SdkTracer);

struct Headers<'h>(&'h HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

impl Service<Request<Body>> for Served {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let tracer = self.0.clone();
        Box::pin(async move {
            let caller = TraceContextPropagator::new().extract(&Headers(request.headers()));
            let path = request.uri().path().to_owned();
            let builder = tracer.span_builder(path.clone()).with_kind(SpanKind::Server);
            let mut span = tracer.build_with_context(builder, &caller);
            let mut grpc = Grpc::new(ProstCodec::<Words, Words>::default());
            let response = match path.as_str() {
                "/traced.v1.Traced/Say" => grpc.unary(Echo, request).await,
                "/traced.v1.Traced/Watch" => grpc.server_streaming(Echo, request).await,
                _ => grpc.streaming(Echo, request).await,
            };
            span.end();
            Ok(response)
        })
    }
}

/// Says what it is told.
struct Echo;

type Answers = Pin<Box<dyn tokio_stream::Stream<Item = Result<Words, Status>> + Send>>;

impl UnaryService<Words> for Echo {
    type Response = Words;
    type Future = Ready<Result<Reply<Words>, Status>>;

    fn call(&mut self, call: Call<Words>) -> Self::Future {
        ready(Ok(Reply::new(call.into_inner())))
    }
}

impl ServerStreamingService<Words> for Echo {
    type Response = Words;
    type ResponseStream = Answers;
    type Future = Ready<Result<Reply<Answers>, Status>>;

    fn call(&mut self, call: Call<Words>) -> Self::Future {
        let words = call.into_inner();
        ready(Ok(Reply::new(Box::pin(tokio_stream::iter([Ok(words.clone()), Ok(words)])))))
    }
}

impl StreamingService<Words> for Echo {
    type Response = Words;
    type ResponseStream = Answers;
    type Future = Ready<Result<Reply<Answers>, Status>>;

    fn call(&mut self, call: Call<Streaming<Words>>) -> Self::Future {
        ready(Ok(Reply::new(Box::pin(call.into_inner().map(|words| words)))))
    }
}
