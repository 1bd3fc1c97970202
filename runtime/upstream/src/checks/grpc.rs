//! gRPC's health protocol: `grpc.health.v1.Health/Check` (grpc/doc/health-checking.md). Its two messages have one field
//! each, so they are written and read here by hand.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};

use crate::RequestBody;

/// `HealthCheckResponse.ServingStatus`.
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/// Asks for a service; empty is the server as a whole.
pub(super) fn request(authority: &str, service: &str) -> http::Result<Request<RequestBody>> {
    let mut message = Vec::new();
    if !service.is_empty() {
        // HealthCheckRequest: `string service = 1`.
        message.push(0x0A);
        varint(service.len(), &mut message);
        message.extend_from_slice(service.as_bytes());
    }
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&message);
    Request::post(format!("http://{authority}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, "tidegate-health")
        .body(RequestBody::from(Bytes::from(frame)))
}

/// Whether an answer says `SERVING`.
pub(super) fn judge(status: StatusCode, body: &[u8], headers: &HeaderMap) -> Result<(), String> {
    if status != StatusCode::OK {
        return Err(format!("its health: HTTP status {}", status.as_u16()));
    }
    match headers.get("grpc-status").map(http::HeaderValue::as_bytes) {
        Some(b"0") => {}
        Some(b"12") => return Err("its health: it does not speak grpc.health.v1 (UNIMPLEMENTED)".into()),
        Some(b"5") => return Err("its health: it does not know the service (NOT_FOUND)".into()),
        Some(code) => return Err(format!("its health: gRPC status {}", String::from_utf8_lossy(code))),
        None => return Err("its health: an answer without a gRPC status".into()),
    }
    match serving(body).and_then(|status| STATUSES.get(status)) {
        Some(&"SERVING") => Ok(()),
        Some(status) => Err(format!("its health: {status}")),
        None => Err("its health: an answer that is none".into()),
    }
}

/// The status in a frame: `ServingStatus status = 1`, 0 if there is none.
fn serving(body: &[u8]) -> Option<usize> {
    let (&[flag, a, b, c, d], message) = body.split_first_chunk()?;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    match message.get(..length)? {
        _ if flag != 0 => None,
        [] => Some(0),
        [0x08, status] if *status < 0x80 => Some(usize::from(*status)),
        _ => None,
    }
}

fn varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::judge;
    use http::{HeaderMap, HeaderValue, StatusCode};

    fn judged(grpc_status: Option<&'static str>, body: &[u8]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        if let Some(status) = grpc_status {
            headers.insert("grpc-status", HeaderValue::from_static(status));
        }
        judge(StatusCode::OK, body, &headers)
    }

    #[test]
    fn only_serving_is_well() {
        let why = |text: &str| Err(format!("its health: {text}"));
        assert_eq!(judged(Some("0"), &[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        assert_eq!(judged(Some("0"), &[0, 0, 0, 0, 2, 8, 2]), why("NOT_SERVING"));
        assert_eq!(judged(Some("0"), &[0, 0, 0, 0, 0]), why("UNKNOWN"));
        assert_eq!(judged(Some("12"), &[]), why("it does not speak grpc.health.v1 (UNIMPLEMENTED)"));
        assert_eq!(judged(Some("14"), &[]), why("gRPC status 14"));
        assert_eq!(judged(None, &[0, 0, 0, 0, 2, 8, 1]), why("an answer without a gRPC status"));
        for broken in [&[][..], &[0, 0, 0], &[0, 0, 0, 0, 9, 8, 1], &[1, 0, 0, 0, 2, 8, 1], &[0, 0, 0, 0, 2, 9, 9]] {
            assert_eq!(judged(Some("0"), broken), why("an answer that is none"), "{broken:?}");
        }
        assert_eq!(judge(StatusCode::NOT_FOUND, &[], &HeaderMap::new()), why("HTTP status 404"));
    }
}
