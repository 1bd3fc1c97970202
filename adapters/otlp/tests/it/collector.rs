//! A collector: OpenTelemetry's own services, over gRPC and over HTTP on one port.

use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use parking_lot::Mutex;
use prost::Message;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response, StatusCode};
use tonic::metadata::MetadataMap;
use tonic::transport::server::{Server, TcpIncoming};
use tonic::transport::{Identity, ServerTlsConfig};
use tonic::{Request as Call, Response as Reply, Status};
use tower_service::Service;

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// What never comes fails a test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A collector on a thread of its own, until it is dropped.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    told: mpsc::Receiver<Told>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What it was sent, and with which headers.
#[derive(Debug)]
pub(crate) enum Told {
    Traces(MetadataMap, ExportTraceServiceRequest),
    Metrics(MetadataMap, ExportMetricsServiceRequest),
}

/// What it says, once; without one that everything is well.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Status(Status),
    Http(u16, Option<&'static str>),
    /// So many spans were not taken.
    Partial(i64),
    /// None at all.
    Never,
}

#[derive(Clone)]
struct Services {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    told: mpsc::Sender<Told>,
}

// === impl Collector ===

impl Collector {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// One that speaks TLS, with this certificate and its key: PEM, PEM.
    pub(crate) fn start_with_tls(certificate: &[u8], key: &[u8]) -> Self {
        Self::start_with(Some(ServerTlsConfig::new().identity(Identity::from_pem(certificate, key))))
    }

    fn start_with(tls: Option<ServerTlsConfig>) -> Self {
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let (tell, told) = mpsc::channel();
        let services = Services { answers: Arc::clone(&answers), told: tell };
        let (stop, stopped) = oneshot::channel();
        let (tell_address, address) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
                tell_address.send(incoming.local_addr().expect("bound")).expect("the test waits");
                let mut server = Server::builder().accept_http1(true);
                if let Some(tls) = tls {
                    server = server.tls_config(tls).expect("a certificate and its key");
                }
                tokio::select! {
                    served = server.serve_with_incoming(services, incoming) => served.expect("it serves"),
                    _ = stopped => {}
                }
            });
        });
        let address = address.recv().expect("it listens");
        Self { address, answers, told, stop: Some(stop), thread: Some(thread) }
    }

    /// What it will say, in this order.
    pub(crate) fn will_say(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().extend(answers);
    }

    /// What it was sent next.
    pub(crate) fn next(&self) -> Told {
        self.told.recv_timeout(PATIENCE).expect("something is sent")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it did not panic");
        }
    }
}

// === impl Services ===

impl Services {
    async fn say<T: Default>(&self) -> Result<T, Answer> {
        let answer = self.answers.lock().pop_front();
        match answer {
            None => Ok(T::default()),
            Some(Answer::Never) => std::future::pending().await,
            Some(answer) => Err(answer),
        }
    }
}

fn partial(rejected_spans: i64) -> ExportTraceServiceResponse {
    let error_message = "too old".to_owned();
    ExportTraceServiceResponse { partial_success: Some(ExportTracePartialSuccess { rejected_spans, error_message }) }
}

#[tonic::async_trait]
impl TraceService for Services {
    async fn export(&self, call: Call<ExportTraceServiceRequest>) -> Result<Reply<ExportTraceServiceResponse>, Status> {
        let (metadata, _, request) = call.into_parts();
        let _ = self.told.send(Told::Traces(metadata, request));
        match self.say().await {
            Ok(reply) => Ok(Reply::new(reply)),
            Err(Answer::Status(status)) => Err(status),
            Err(Answer::Partial(count)) => Ok(Reply::new(partial(count))),
            Err(other) => panic!("{other:?} over gRPC"),
        }
    }
}

#[tonic::async_trait]
impl MetricsService for Services {
    async fn export(
        &self,
        call: Call<ExportMetricsServiceRequest>,
    ) -> Result<Reply<ExportMetricsServiceResponse>, Status> {
        let (metadata, _, request) = call.into_parts();
        let _ = self.told.send(Told::Metrics(metadata, request));
        match self.say().await {
            Ok(reply) => Ok(Reply::new(reply)),
            Err(Answer::Status(status)) => Err(status),
            Err(other) => panic!("{other:?} over gRPC"),
        }
    }
}

impl Service<Request<Body>> for Services {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        match request.uri().path() {
            path if path.ends_with("/v1/traces") || path.ends_with("/v1/metrics") => {
                Box::pin(over_http(self.clone(), request))
            }
            path if path.contains("TraceService") => TraceServiceServer::new(self.clone()).call(request),
            _ => MetricsServiceServer::new(self.clone()).call(request),
        }
    }
}

async fn over_http(services: Services, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a whole request").to_bytes();
    let metadata = MetadataMap::from_headers(head.headers);
    let told = if head.uri.path().ends_with("traces") {
        Told::Traces(metadata, ExportTraceServiceRequest::decode(body).expect("spans"))
    } else {
        Told::Metrics(metadata, ExportMetricsServiceRequest::decode(body).expect("metrics"))
    };
    let _ = services.told.send(told);
    let mut response = Response::new(Body::default());
    match services.say::<()>().await {
        Ok(()) => {}
        Err(Answer::Http(status, retry_after)) => {
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            if let Some(seconds) = retry_after {
                response.headers_mut().insert("retry-after", seconds.parse().expect("a value"));
            }
        }
        Err(Answer::Partial(count)) => {
            let body = http_body_util::Full::from(partial(count).encode_to_vec());
            *response.body_mut() = Body::new(body);
        }
        Err(other) => panic!("{other:?} over HTTP"),
    }
    Ok(response)
}
