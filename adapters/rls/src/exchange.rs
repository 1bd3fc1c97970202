//! One call: gRPC over a connection that stands.
//!
//! Source: "gRPC over HTTP2", <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use percent_encoding::percent_decode;

use crate::failure::Failure;
use crate::messages::{self, RateLimitResponse};

/// The longest reply: it has a status for each limit, and headers that are not used.
const LONGEST: usize = 1 << 20;
/// What is told of a service's message.
const TOLD: usize = 256;

/// Sends a call and waits for its reply. May be given up at any time.
pub(crate) async fn exchange(
    mut send: SendRequest<Bytes>,
    request: Request<()>,
    frame: Bytes,
    address: &str,
) -> Result<RateLimitResponse, Failure> {
    let broken = |error: h2::Error| Failure::Broken { address: address.to_owned(), reason: error.to_string() };
    let strange = |reason: String| Failure::Strange { address: address.to_owned(), reason };
    let (response, mut body) = send
        .send_request(request, false)
        .map_err(|error| Failure::Unreachable { address: address.to_owned(), reason: error.to_string() })?;
    body.send_data(frame, true).map_err(broken)?;
    let (head, mut body) = response.await.map_err(broken)?.into_parts();
    if head.status != StatusCode::OK {
        return Err(Failure::Http { address: address.to_owned(), status: head.status.as_u16() });
    }
    // An error without a message has its status in the head.
    status(&head.headers, address)?;
    let mut frame = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(broken)?;
        if frame.len() + data.len() > LONGEST {
            return Err(strange(format!("it is longer than {LONGEST} bytes")));
        }
        frame.extend_from_slice(&data);
        // Fails if the stream is over, and then there is nothing to give back.
        let _ = body.flow_control().release_capacity(data.len());
    }
    if let Some(trailers) = body.trailers().await.map_err(broken)? {
        status(&trailers, address)?;
    }
    messages::reply(&frame).map_err(strange)
}

/// What `grpc-status` says, if it is there.
fn status(headers: &HeaderMap, address: &str) -> Result<(), Failure> {
    let Some(code) = headers.get("grpc-status") else { return Ok(()) };
    let code = code.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(2);
    if code == 0 {
        return Ok(());
    }
    let said = headers.get("grpc-message").map(|message| percent_decode(message.as_bytes()).decode_utf8_lossy());
    let said: String = said.unwrap_or_default().chars().filter(|c| !c.is_control()).take(TOLD).collect();
    let message = if said.is_empty() { said } else { format!(": {said}") };
    Err(Failure::Status { address: address.to_owned(), code, message })
}
