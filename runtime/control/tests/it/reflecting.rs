//! Servers that tell their schema, and some that do not.

use prost::Message as _;
use std::convert::Infallible;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use tidegate_transcode::ports::SchemaCompiler as _;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::transport::server::{Server, TcpIncoming};
use tonic_reflection::server::Builder;
use tower_service::Service;

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// A gRPC service of any kind.
pub(crate) trait Grpc:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answering>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Grpc for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answering>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// A port that is taken but at which nobody listens: connecting is refused.
pub(crate) struct Port(socket2::Socket);

/// A server on a thread of its own; dropping it cuts its connections and waits for its end.
pub(crate) struct Running(Option<(oneshot::Sender<()>, JoinHandle<()>)>);

// === impl Port ===

impl Port {
    pub(crate) fn new() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).expect("a free port");
        Self(socket)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address").as_socket().expect("of IP")
    }

    /// Serves; from the first time on the port accepts connections, if not by this server then by the next.
    pub(crate) fn serve(&self, service: impl Grpc) -> Running {
        self.0.listen(16).expect("listen");
        let listener: TcpListener = self.0.try_clone().expect("a second handle").into();
        listener.set_nonblocking(true).expect("non-blocking");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).expect("a listener"));
                tokio::select! {
                    served = Server::builder().serve_with_incoming(service, incoming) => served.expect("it serves"),
                    _ = stopped => {}
                }
            });
        });
        Running(Some((stop, thread)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            // Its own panic is on standard error.
            let _ = thread.join();
        }
    }
}

/// Which versions of reflection a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    V1,
    V1Alpha,
    None,
}

/// tonic's own reflection, of these `.proto` files; nothing else is served.
pub(crate) fn tonic(versions: Versions, files: &[(&str, &str)]) -> impl Grpc + use<> {
    let set: &'static [u8] = compiled(files).leak();
    let builder = || Builder::configure().register_encoded_file_descriptor_set(set);
    let (v1, alpha) = (builder().build_v1().expect("a set"), builder().build_v1alpha().expect("a set"));
    service(move |request| match (versions, request.uri().path()) {
        (Versions::V1, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo") => v1.clone().call(request),
        (Versions::V1Alpha, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") => {
            alpha.clone().call(request)
        }
        _ => Box::pin(async { Ok(tonic::Status::unimplemented("not here").into_http()) }),
    })
}

/// The descriptors of these files, without what comes with the gateway: servers leave that out.
fn compiled(files: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("write a file");
    }
    let set = tidegate_schema::Compiler::default().compile(&[folder.path().into()]).expect("protos compile");
    let mut set = Raw::decode(&*set).expect("a set");
    set.file.retain(|file| {
        let name = prost_types::FileDescriptorProto::decode(&**file).expect("a file");
        !name.name().starts_with("google/")
    });
    set.encode_to_vec()
}

/// A descriptor set whose files keep the options that are extensions.
#[derive(Clone, PartialEq, prost::Message)]
struct Raw {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// A service from a function.
pub(crate) fn service<F>(answer: F) -> impl Grpc
where
    F: FnMut(Request<Body>) -> Answering + Clone + Send + Sync + 'static,
{
    Function(answer)
}

#[derive(Clone)]
struct Function<F>(F);

impl<F: FnMut(Request<Body>) -> Answering> Service<Request<Body>> for Function<F> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        (self.0)(request)
    }
}
