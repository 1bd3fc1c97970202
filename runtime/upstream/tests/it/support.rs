//! A scripted HTTP/2 server, and small helpers.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use tidegate_telemetry::{
    clock,
    metrics::upstreams::{Figures, Source},
};
use tidegate_upstream::{Call, CallError, Config, Endpoint, RequestBody, Upstream};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};

/// What a server is told to do with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Serve,
    /// Say GOAWAY, finish what was accepted, close. Counts up to order it again.
    GoAway(usize),
    /// Close at once.
    Abort(usize),
}

/// One request, as a handler sees it.
pub(crate) struct Asked {
    /// Which connection of the server it came on, from 0.
    pub(crate) connection: usize,
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: SendResponse<Bytes>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) orders: watch::Sender<Order>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::AbortHandle,
}

impl Server {
    /// Starts a server that hands each request to a task of `handle`.
    pub(crate) async fn start<F>(handle: impl Fn(Asked) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::with(h2::server::Builder::new(), handle).await
    }

    pub(crate) async fn with<F>(
        builder: h2::server::Builder,
        handle: impl Fn(Asked) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), builder, handle)
    }

    pub(crate) fn on<F>(
        listener: TcpListener,
        builder: h2::server::Builder,
        handle: impl Fn(Asked) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let (orders, received) = watch::channel(Order::Serve);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let mut orders = received.clone();
                orders.mark_unchanged();
                let number = count.fetch_add(1, SeqCst);
                let serve = connection(socket, number, builder.clone(), handle.clone(), orders);
                tokio::spawn(serve);
            }
        });
        Self { address, orders, connections, task: task.abort_handle() }
    }

    /// Connections that were ever accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        endpoint(self.address)
    }

    pub(crate) fn config(&self) -> Config {
        Config::new("test", vec![self.endpoint()])
    }

    pub(crate) fn upstream(&self) -> Upstream {
        Upstream::new(self.config())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection<F>(
    socket: TcpStream,
    number: usize,
    builder: h2::server::Builder,
    handle: impl Fn(Asked) -> F,
    mut orders: watch::Receiver<Order>,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let Ok(mut h2) = builder.handshake::<_, Bytes>(socket).await else { return };
    loop {
        tokio::select! {
            accepted = h2.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    tokio::spawn(handle(Asked { connection: number, request, respond }));
                }
                Some(Err(_)) | None => return,
            },
            Ok(()) = orders.changed() => match *orders.borrow_and_update() {
                Order::Serve => {}
                Order::GoAway(_) => h2.graceful_shutdown(),
                Order::Abort(_) => return,
            },
        }
    }
}

impl Asked {
    /// Answers 200 with `body` and the trailer `grpc-status: 0`.
    pub(crate) fn answer(mut self, body: impl Into<Bytes>) {
        // The client may have left.
        let Ok(mut stream) = self.respond.send_response(Response::new(()), false) else { return };
        let _ = stream.send_data(body.into(), false);
        let _ = stream.send_trailers(ok_trailers());
    }

    /// Sends the head and gives the stream for the body.
    pub(crate) fn begin(&mut self) -> SendStream<Bytes> {
        self.respond.send_response(Response::new(()), false).unwrap()
    }

    /// Reads the request's body to its end, as fast as it comes.
    pub(crate) async fn read(&mut self) -> Result<Vec<u8>, h2::Error> {
        let mut read = Vec::new();
        let body = self.request.body_mut();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            read.extend_from_slice(&data);
        }
        Ok(read)
    }

    /// Waits until the client resets the stream, to which nothing was answered.
    pub(crate) async fn reset(&mut self) -> Reason {
        poll_fn(|cx| self.respond.poll_reset(cx)).await.unwrap()
    }
}

/// Waits until the client resets a stream that is being answered.
pub(crate) async fn reset(stream: &mut SendStream<Bytes>) -> Reason {
    poll_fn(|cx| stream.poll_reset(cx)).await.unwrap()
}

pub(crate) fn ok_trailers() -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())])
}

pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { host: address.ip().to_string(), port: address.port() }
}

/// A request for `path` with `body`.
pub(crate) fn post(path: &str, body: impl Into<RequestBody>) -> Request<RequestBody> {
    Request::post(path).body(body.into()).unwrap()
}

pub(crate) fn get(path: &str) -> Request<RequestBody> {
    Request::get(path).body(RequestBody::empty()).unwrap()
}

pub(crate) fn in_ms(ms: u64) -> Option<Instant> {
    Some(clock::now() + Duration::from_millis(ms))
}

/// A body that was read to its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) data: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// Reads a body to its end.
pub(crate) async fn read<B>(mut body: B) -> Result<Read, CallError>
where
    B: Body<Data = Bytes, Error = CallError> + Unpin,
{
    let mut read = Read::default();
    while let Some(frame) = next(&mut body).await {
        match frame?.into_data() {
            Ok(data) => read.data.extend_from_slice(&data),
            Err(frame) => read.trailers = frame.into_trailers().ok(),
        }
    }
    Ok(read)
}

pub(crate) async fn next<B>(body: &mut B) -> Option<Result<Frame<Bytes>, CallError>>
where
    B: Body<Data = Bytes, Error = CallError> + Unpin,
{
    poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}

/// The data of the next frame.
pub(crate) async fn next_data<B>(body: &mut B) -> Bytes
where
    B: Body<Data = Bytes, Error = CallError> + Unpin,
{
    next(body).await.unwrap().unwrap().into_data().unwrap()
}

/// Makes a call and reads its answer. Its deadline is for a test that would hang otherwise.
pub(crate) async fn ask(upstream: &Upstream, request: Request<RequestBody>) -> Result<Read, CallError> {
    read(upstream.call(request, in_ms(20_000)).await?.into_body()).await
}

pub(crate) fn figures(upstream: &Upstream) -> Figures {
    upstream.stats().figures()
}

/// The failures that were counted, by reason.
pub(crate) fn failures(upstream: &Upstream) -> Vec<(&'static str, u64)> {
    figures(upstream).failures.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Lets other tasks run until `done`.
#[track_caller]
pub(crate) fn until(mut done: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let began = clock::now();
        while !done() {
            assert!(clock::now() - began < Duration::from_secs(30), "waited in vain at {caller}");
            tokio::task::yield_now().await;
        }
    }
}

/// Polls a future once.
pub(crate) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// A request body that is fed by hand.
pub(crate) struct Fed(mpsc::UnboundedReceiver<Result<Frame<Bytes>, Broken>>);

/// What a test's body fails with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) u32);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "broken {}", self.0)
    }
}

impl std::error::Error for Broken {}

impl Body for Fed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(cx)
    }
}

/// A body and the hand that feeds it; it ends when the hand is dropped.
pub(crate) fn fed() -> (mpsc::UnboundedSender<Result<Frame<Bytes>, Broken>>, RequestBody) {
    let (hand, body) = mpsc::unbounded_channel();
    (hand, RequestBody::stream(Fed(body)))
}

pub(crate) fn data(bytes: impl Into<Bytes>) -> Result<Frame<Bytes>, Broken> {
    Ok(Frame::data(bytes.into()))
}
