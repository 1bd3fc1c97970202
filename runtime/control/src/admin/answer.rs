//! One request to the admin port.

use super::{Phase, State};
use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use std::net::IpAddr;
use tidegate_telemetry::metrics::TextFormat;

pub(super) type Answer = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";

/// Answers `request`; its body is not read.
pub(super) fn answer<B>(state: &State, request: &Request<B>) -> Answer {
    let path = request.uri().path();
    if let Some(refusal) = refuse(state, request) {
        return refusal;
    }
    if !["/", "/metrics", "/livez", "/readyz"].contains(&path) {
        return text(StatusCode::NOT_FOUND, "not found; see /\n".to_owned());
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match path {
        "/metrics" => exposition(state, request.headers()),
        "/livez" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => readyz(state, is_verbose(request.uri().query())),
        _ => text(StatusCode::OK, index(state)),
    }
}

/// Whoever may not ask, by name or by token.
fn refuse<B>(state: &State, request: &Request<B>) -> Option<Answer> {
    if state.local && !is_local_name(request.headers().get(HOST)) {
        let message = "the host must be an IP address or localhost\n";
        return Some(text(StatusCode::FORBIDDEN, message.to_owned()));
    }
    let token = state.token.as_deref()?;
    if matches!(request.uri().path(), "/livez" | "/readyz") {
        return None;
    }
    let sent = request.headers().get(AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(7));
    let fits = sent.is_some_and(|(scheme, sent)| {
        scheme.eq_ignore_ascii_case(b"bearer ") && equal_in_constant_time(sent, token.as_bytes())
    });
    if fits {
        return None;
    }
    let mut answer = text(StatusCode::UNAUTHORIZED, "send the token: `authorization: Bearer …`\n".to_owned());
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Some(answer)
}

/// No host (HTTP/1.0), an IP address, or `localhost`, with or without a port.
fn is_local_name(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// Takes the same time wherever the first difference is.
fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn is_verbose(query: Option<&str>) -> bool {
    query.unwrap_or_default().split('&').any(|part| part == "verbose" || part.starts_with("verbose="))
}

fn readyz(state: &State, verbose: bool) -> Answer {
    let phase = state.shown.readiness.phase();
    let (status, word) = match phase {
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Phase::Serving => (StatusCode::OK, "ok"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
    };
    if !verbose {
        return text(status, format!("{word}\n"));
    }
    // One line per check, as Kubernetes' own components write it.
    let mark = |passed| if passed { '+' } else { '-' };
    let mut body = format!(
        "[{}]config loaded\n[{}]listeners open\n[{}]not draining\n",
        mark(phase != Phase::Starting),
        mark(phase != Phase::Starting),
        mark(phase != Phase::Draining),
    );
    for schema in state.shown.schemas.all() {
        // Told, but no check: that one service is down takes no gateway out of service.
        body.push_str(&format!("[{}]{schema}\n", if schema.is_current() { '+' } else { '!' }));
    }
    text(status, body + "readyz: " + word + "\n")
}

/// In the form that the scraper asks for: exemplars are in OpenMetrics alone.
fn exposition(state: &State, headers: &HeaderMap) -> Answer {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = TextFormat::for_accept(accept);
    let mut body = String::with_capacity(16 * 1024);
    match state.shown.metrics.encode_as(format, &mut body) {
        Ok(()) => respond(StatusCode::OK, format.content_type(), body),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be written: {error}\n")),
    }
}

fn index(state: &State) -> String {
    format!(
        "tidegate {}\n\n/metrics          figures for Prometheus\n/livez            the process is alive\n\
         /readyz           it takes requests\n/readyz?verbose   the same, check by check\n",
        state.shown.version
    )
}

fn text(status: StatusCode, body: String) -> Answer {
    respond(status, TEXT, body)
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}
