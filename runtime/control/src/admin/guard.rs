//! Who may ask.

use super::State;
use super::reply::{Answer, error, text};
use http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use std::net::IpAddr;

/// Whoever may not ask: by name, by the page that asks, or by token.
pub(super) fn refuse<B>(state: &State, request: &Request<B>) -> Option<Answer> {
    let path = request.uri().path();
    let forbidden = |message: &str| {
        Some(match path.starts_with("/api/") {
            true => error(StatusCode::FORBIDDEN, message),
            false => text(StatusCode::FORBIDDEN, format!("{message}\n")),
        })
    };
    if state.local && !is_local_name(request.headers().get(HOST)) {
        return forbidden("the host must be an IP address or localhost");
    }
    if is_foreign(request.headers()) {
        return forbidden("pages of another origin may not ask");
    }
    let token = state.token.as_deref()?;
    if matches!(path, "/livez" | "/readyz") {
        return None;
    }
    let sent = request.headers().get(AUTHORIZATION).and_then(|value| value.as_bytes().split_at_checked(7));
    let fits = sent.is_some_and(|(scheme, sent)| {
        scheme.eq_ignore_ascii_case(b"bearer ") && equal_in_constant_time(sent, token.as_bytes())
    });
    if fits {
        return None;
    }
    let message = "send the token: `authorization: Bearer …`";
    let mut answer = match path.starts_with("/api/") {
        true => error(StatusCode::UNAUTHORIZED, message),
        false => text(StatusCode::UNAUTHORIZED, format!("{message}\n")),
    };
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

/// Whether a browser asks for a page that is not ours (Fetch, section 3.2; Fetch Metadata, section 2.3).
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("null"));
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return true;
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return false };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_none() || authority != text(HOST.as_str())
}

/// Takes the same time wherever the first difference is.
fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
