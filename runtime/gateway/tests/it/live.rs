//! A gateway on a port of its own before a tonic server on another, in this process.

use crate::rig::{ECHO, gateway};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tidegate_gateway::Gateway;
use tidegate_gateway::config::{Config, Listener, Place};
use tidegate_gateway::server::{Listeners, Server};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::body::Body;
use tonic::metadata::{BinaryMetadataValue, MetadataMap};
use tonic::server::{ClientStreamingService, Grpc, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// `test.Thing`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Thing {
    #[prost(int32, tag = "1")]
    pub(crate) id: i32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
}

pub(crate) fn thing(id: i32, name: &str) -> Thing {
    Thing { id, name: name.into() }
}

/// What the service saw happen, in order.
pub(crate) type Events = mpsc::UnboundedReceiver<Event>;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A message came in.
    Got(Thing),
    /// The client's stream ended well.
    End,
    /// The client's stream broke off, or whoever reads the reply left.
    Cancelled,
}

/// The gateway, while it serves.
pub(crate) struct Live {
    pub(crate) address: SocketAddr,
    pub(crate) events: Events,
    server: Option<Server>,
    upstream: tokio::task::JoinHandle<()>,
}

impl Live {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let (tell, events) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let upstream = listener.local_addr().expect("an address");
        let task = tokio::spawn(serve(listener, Echo { tell }));
        let (address, server) = serve_gateway(upstream, change);
        Self { address, events, server: Some(server), upstream: task }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.upstream.abort();
        // Its workers are threads of their own, which end without us.
        if let Some(server) = self.server.take() {
            std::thread::spawn(move || server.shutdown());
        }
    }
}

/// Serves without what tonic's own server does beside, which keeps deadlines.
async fn serve(listener: TcpListener, echo: Echo) {
    while let Ok((stream, _)) = listener.accept().await {
        let echo = echo.clone();
        let service = service_fn(move |request| echo.clone().call(request));
        tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service));
    }
}

/// Starts a gateway on a free port.
pub(crate) fn serve_gateway(upstream: SocketAddr, more: impl FnOnce(&mut Config)) -> (SocketAddr, Server) {
    let change = |config: &mut Config| {
        config.workers = 1;
        config.drain = Duration::from_secs(1);
        config.listeners = vec![Listener::new(([127, 0, 0, 1], 0).into(), Place::default())];
        let endpoint = tidegate_upstream::Endpoint { host: upstream.ip().to_string(), port: upstream.port() };
        config.upstreams[0].pool = tidegate_upstream::Config::new("up", vec![endpoint]);
        more(config);
    };
    let gateway: Arc<Gateway> = gateway(&[("echo.proto", ECHO)], &["test.Echo"], change);
    let listeners = Listeners::bind(&gateway.snapshot().config).expect("a free port");
    let address = listeners.addresses()[0];
    (address, Server::start(&gateway, listeners).expect("a worker"))
}

/// `test.Echo`. What a call does is said by the name in its first message.
#[derive(Clone)]
struct Echo {
    tell: mpsc::UnboundedSender<Event>,
}

impl Echo {
    async fn call(self, request: http::Request<Incoming>) -> Result<http::Response<Body>, Infallible> {
        let mut grpc = Grpc::new(ProstCodec::<Thing, Thing>::default());
        let path = request.uri().path().to_owned();
        let streams = matches!(path.as_str(), "/test.Echo/Upload" | "/test.Echo/Chat");
        let tell = streams.then(|| self.tell.clone());
        let request = request.map(|body| Watched { body, tell });
        Ok(match path.as_str() {
            "/test.Echo/Get" => grpc.unary(self, request).await,
            "/test.Echo/Watch" => grpc.server_streaming(self, request).await,
            "/test.Echo/Upload" => grpc.client_streaming(self, request).await,
            "/test.Echo/Chat" => grpc.streaming(self, request).await,
            _ => Status::unimplemented("newer than this server").into_http(),
        })
    }
}

/// Tells how the stream of a client ends, which tonic does not: a cancelled one looks as if complete.
struct Watched {
    body: Incoming,
    tell: Option<mpsc::UnboundedSender<Event>>,
}

impl http_body::Body for Watched {
    type Data = bytes::Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, hyper::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        let ended = match frame {
            None => Some(Event::End),
            Some(Err(_)) => Some(Event::Cancelled),
            Some(Ok(_)) => None,
        };
        if let Some(ended) = ended
            && let Some(tell) = self.tell.take()
        {
            let _ = tell.send(ended);
        }
        Poll::Ready(frame)
    }
}

/// A service's future.
type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

/// Tells that a call was given up, unless it is told to keep quiet.
struct Tale(Option<mpsc::UnboundedSender<Event>>);

impl Tale {
    fn keep_quiet(mut self) {
        self.0 = None;
    }
}

impl Drop for Tale {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            let _ = tell.send(Event::Cancelled);
        }
    }
}

/// Metadata of a request comes back under names with `seen-` before them.
fn mirror(from: &MetadataMap, to: &mut MetadataMap) {
    let mut headers = std::mem::take(to).into_headers();
    for (name, value) in from.clone().into_headers().iter().filter(|(name, _)| name.as_str().starts_with("x-test")) {
        headers.append(http::HeaderName::try_from(format!("seen-{name}")).expect("a name"), value.clone());
    }
    *to = MetadataMap::from_headers(headers);
}

fn refusal() -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert_bin("why-bin", BinaryMetadataValue::from_bytes(&[0, 255]));
    Status::with_details_and_metadata(Code::FailedPrecondition, "nö, 100 %", vec![8, 9].into(), metadata)
}

impl UnaryService<Thing> for Echo {
    type Response = Thing;
    type Future = Answer<Thing>;

    fn call(&mut self, request: Request<Thing>) -> Self::Future {
        let tale = Tale(Some(self.tell.clone()));
        Box::pin(async move {
            let (metadata, _, thing) = request.into_parts();
            match thing.name.as_str() {
                "sleep" => std::future::pending().await,
                "refuse" => {
                    tale.keep_quiet();
                    Err(refusal())
                }
                _ => {
                    tale.keep_quiet();
                    let mut response = Response::new(thing);
                    mirror(&metadata, response.metadata_mut());
                    Ok(response)
                }
            }
        })
    }
}

impl ServerStreamingService<Thing> for Echo {
    type Response = Thing;
    type ResponseStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<Thing, Status>> + Send>>;
    type Future = Answer<Self::ResponseStream>;

    /// Counts from 1 to `id`, then ends; then refuses, if told so; or stays silent.
    fn call(&mut self, request: Request<Thing>) -> Self::Future {
        let tale = Tale(Some(self.tell.clone()));
        Box::pin(async move {
            let Thing { id, name } = request.into_inner();
            let (replies, stream) = mpsc::unbounded_channel();
            for number in 1..=id {
                let _ = replies.send(Ok(thing(number, "")));
            }
            if name == "refuse" {
                let _ = replies.send(Err(refusal()));
            }
            if name == "sleep" {
                tokio::spawn(async move {
                    replies.closed().await;
                    drop(tale);
                });
            } else {
                tale.keep_quiet();
            }
            Ok(Response::new(Box::pin(UnboundedReceiverStream::new(stream)) as Self::ResponseStream))
        })
    }
}

impl ClientStreamingService<Thing> for Echo {
    type Response = Thing;
    type Future = Answer<Thing>;

    /// Adds up the ids and joins the names.
    fn call(&mut self, request: Request<Streaming<Thing>>) -> Self::Future {
        let tell = self.tell.clone();
        Box::pin(async move {
            let mut messages = request.into_inner();
            let mut sum = thing(0, "");
            while let Some(message) = messages.message().await? {
                let _ = tell.send(Event::Got(message.clone()));
                sum.id += message.id;
                sum.name += &message.name;
            }
            Ok(Response::new(sum))
        })
    }
}

impl StreamingService<Thing> for Echo {
    type Response = Thing;
    type ResponseStream = UnboundedReceiverStream<Result<Thing, Status>>;
    type Future = Answer<Self::ResponseStream>;

    /// Answers each message with itself; the name `bye` ends the call, `refuse` refuses it.
    fn call(&mut self, request: Request<Streaming<Thing>>) -> Self::Future {
        let tell = self.tell.clone();
        Box::pin(async move {
            let mut messages = request.into_inner();
            let (replies, stream) = mpsc::unbounded_channel();
            tokio::spawn(async move {
                while let Ok(Some(message)) = messages.message().await {
                    let _ = tell.send(Event::Got(message.clone()));
                    let name = message.name.clone();
                    let _ = replies.send(if name == "refuse" { Err(refusal()) } else { Ok(message) });
                    if name == "refuse" || name == "bye" {
                        return;
                    }
                }
            });
            Ok(Response::new(UnboundedReceiverStream::new(stream)))
        })
    }
}
