//! GET over HTTP/1.1, one connection for each.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::time::Duration;
use tidegate_source::MAX_BYTES;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// An answer is JSON with a config in it: escaped, it may be larger than the config.
const ANSWER_MAX: usize = 4 * MAX_BYTES;

/// What was answered within `patience`: the status and the whole body.
pub(crate) async fn get(server: &str, target: &str, patience: Duration) -> Result<(StatusCode, Bytes), String> {
    let late = |_| format!("no answer within {patience:?}");
    timeout(patience, exchange(server, target)).await.map_err(late)?
}

async fn exchange(server: &str, target: &str) -> Result<(StatusCode, Bytes), String> {
    let connecting = timeout(CONNECT, TcpStream::connect(server)).await;
    let connected = connecting.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    let stream = connected.map_err(|error| format!("cannot connect to {server}: {error}"))?;
    let told = |error: hyper::Error| match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    let request = Request::get(target).header("host", server).header("connection", "close").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let answering = async {
        let answer = sender.send_request(request).await.map_err(told)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|error| error.to_string())?;
        Ok((head.status, body.to_bytes()))
    };
    let mut answering = std::pin::pin!(answering);
    // The connection has to be driven for anything to come.
    tokio::select! {
        answer = &mut answering => answer,
        _ = connection => answering.await,
    }
}

/// Percent-encodes what has a meaning in a query.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn a_query_carries_any_text() {
        assert_eq!(encode(r#"[{"a-1":"ü&"}]"#), "%5B%7B%22a-1%22%3A%22%C3%BC%26%22%7D%5D");
    }
}
