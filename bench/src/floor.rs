//! The floor: what a proxy costs that translates nothing. hyper's HTTP/1.1 in front, one h2
//! connection behind, a fixed request and a fixed answer for each scenario.

use std::collections::HashMap;
use std::convert::Infallible;
use std::rc::Rc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::scenario::Scenario;
use crate::upstream::collect;

struct Hop {
    upstream: h2::client::SendRequest<Bytes>,
    /// gRPC request and JSON answer of each scenario, by its gRPC path.
    fixed: HashMap<&'static str, (Bytes, Bytes)>,
}

/// Serves until the listener fails. Must run in a [`tokio::task::LocalSet`].
///
/// # Errors
/// The upstream cannot be reached, or the listener fails.
pub async fn serve(listener: TcpListener, upstream: &str) -> Result<()> {
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
    let hop = Rc::new(Hop { upstream, fixed });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let hop = Rc::clone(&hop);
        tokio::task::spawn_local(async move {
            let service = service_fn(move |request| call(Rc::clone(&hop), request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            if let Err(error) = connection.await {
                eprintln!("floor connection: {error}");
            }
        });
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
    drop(collect(response.await?.into_body()).await?);
    let mut response = Response::new(Full::new(answer.clone()));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    Ok(response)
}
