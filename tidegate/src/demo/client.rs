//! A small HTTP/1.1 client: one request on one connection.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::net::SocketAddr;
use tidegate_shop::tour::{Answer, Request};
use tokio::net::TcpStream;

/// Sends a request and reads the whole answer.
///
/// # Errors
/// The connection broke, or what came is no HTTP.
pub(super) async fn send(address: SocketAddr, request: &Request) -> Result<Answer, Box<dyn Error>> {
    let body = request.body.clone().unwrap_or_default();
    exchange(address, (request.method, &request.path), &request.headers, body).await
}

/// Asks for `path` with a cookie.
///
/// # Errors
/// As [`send`].
pub(super) async fn get(address: SocketAddr, path: &str, cookie: &str) -> Result<Answer, Box<dyn Error>> {
    exchange(address, ("GET", path), &[("cookie", cookie)], String::new()).await
}

async fn exchange(
    address: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: String,
) -> Result<Answer, Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut builder = hyper::Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let body = Full::new(Bytes::from(body));
    let exchange = async {
        let response = sender.send_request(builder.body(body)?).await?;
        let (head, body) = response.into_parts();
        let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: body.collect().await?.to_bytes().into(),
        })
    };
    tokio::select! {
        answer = exchange => answer,
        ended = connection => Err(ended.map_or_else(Into::into, |()| "the connection was closed".into())),
    }
}
