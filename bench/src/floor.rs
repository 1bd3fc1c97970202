//! The floor: what a proxy costs that translates nothing. hyper in front, one h2 connection behind; over
//! HTTP/1.1 a fixed request and a fixed answer for each scenario, over HTTP/2 what came. Of plain HTTP it
//! does not even read what it carries: two reads and two writes are what no proxy can do without.

use std::collections::HashMap;
use std::convert::Infallible;
use std::rc::Rc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::scenario::Scenario;
use crate::upstream::collect;

/// A body that is in memory, with its trailers.
type Whole = WithTrailers<Full<Bytes>, std::future::Ready<Option<Result<HeaderMap, Infallible>>>>;

struct Hop {
    address: String,
    upstream: h2::client::SendRequest<Bytes>,
    /// gRPC request and JSON answer of each scenario, by its gRPC path.
    fixed: HashMap<&'static str, (Bytes, Bytes)>,
}

/// Serves until the listener fails. Must run in a [`tokio::task::LocalSet`].
///
/// # Errors
/// The upstream cannot be reached, or the listener fails.
pub async fn serve(listener: TcpListener, upstream: &str) -> Result<()> {
    let address = upstream.to_owned();
    let socket = TcpStream::connect(upstream).await?;
    socket.set_nodelay(true)?;
    let (upstream, connection) = h2::client::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(16 << 20)
        .handshake(socket)
        .await?;
    tokio::task::spawn_local(connection);
    let fixed = Scenario::ALL
        .into_iter()
        .map(|scenario| {
            let answer = Bytes::from(scenario.json_reply().to_string());
            (scenario.grpc_path(), (scenario.grpc_request(), answer))
        })
        .collect();
    let hop = Rc::new(Hop { address, upstream, fixed });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let hop = Rc::clone(&hop);
        tokio::task::spawn_local(async move {
            if let Err(error) = serve_connection(hop, socket).await {
                eprintln!("floor connection: {error:#}");
            }
        });
    }
}

async fn serve_connection(hop: Rc<Hop>, socket: TcpStream) -> Result<()> {
    let mut first = [0];
    socket.peek(&mut first).await?;
    // No HTTP/1.1 method that the load sends begins like the preface of HTTP/2.
    if first == *b"P" && is_preface(&socket).await? {
        let service = service_fn(move |request| pass(Rc::clone(&hop), request));
        let builder = http2::Builder::new(LocalExecutor);
        return Ok(builder.serve_connection(TokioIo::new(socket), service).await?);
    }
    if is_plain(&socket).await? {
        return carry(socket, &hop.address).await;
    }
    let service = service_fn(move |request| call(Rc::clone(&hop), request));
    Ok(http1::Builder::new().serve_connection(TokioIo::new(socket), service).await?)
}

async fn is_preface(socket: &TcpStream) -> Result<bool> {
    let mut first = [0; 3];
    while socket.peek(&mut first).await? < first.len() {
        tokio::task::yield_now().await;
    }
    Ok(first == *b"PRI")
}

/// Whether the request is of the plain scenario. The load sends a head whole.
async fn is_plain(socket: &TcpStream) -> Result<bool> {
    let mut first = [0; PLAIN.len()];
    let count = socket.peek(&mut first).await?;
    Ok(first[..count] == *PLAIN)
}

const PLAIN: &[u8] = b"GET /plain/";

/// Requests and answers by turns, each of which comes in one piece.
async fn carry(mut client: TcpStream, upstream: &str) -> Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let count = client.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        server.write_all(&bytes[..count]).await?;
        let count = server.read(&mut bytes).await?;
        client.write_all(&bytes[..count]).await?;
    }
}

/// A native call, as it came, in both directions.
async fn pass(hop: Rc<Hop>, request: Request<Incoming>) -> Result<Response<Whole>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let mut upstream = hop.upstream.clone().ready().await?;
    let (response, mut send) = upstream.send_request(Request::from_parts(head, ()), false)?;
    send.send_data(body, true)?;
    let (head, mut body) = response.await?.into_parts();
    let data = collect(&mut body).await?;
    let trailers = body.trailers().await?;
    let mut response = Response::new(Full::new(data).with_trailers(std::future::ready(trailers.map(Ok))));
    *response.headers_mut() = head.headers;
    Ok(response)
}

/// Runs a connection's streams on this thread.
#[derive(Clone, Copy, Debug)]
struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

async fn call(hop: Rc<Hop>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(forward(&hop, request).await.unwrap_or_else(|error| {
        let mut response = Response::new(Full::new(Bytes::from(format!("{error:#}"))));
        *response.status_mut() = http::StatusCode::BAD_GATEWAY;
        response
    }))
}

async fn forward(hop: &Hop, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let target = request.uri().path_and_query().context("no target")?.as_str();
    let scenario = Scenario::of_target(request.method() == Method::POST, target);
    let (head, body) = request.into_parts();
    drop(head);
    drop(body.collect().await?);
    let path = scenario.grpc_path();
    let (grpc_request, answer) = hop.fixed.get(path).context("no such scenario")?;
    let call = Request::builder()
        .method(Method::POST)
        .uri(format!("http://bench.local{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let mut upstream = hop.upstream.clone().ready().await?;
    let (response, mut send) = upstream.send_request(call, false)?;
    send.send_data(grpc_request.clone(), true)?;
    drop(collect(&mut response.await?.into_body()).await?);
    let mut response = Response::new(Full::new(answer.clone()));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    Ok(response)
}
