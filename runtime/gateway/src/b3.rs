//! Zipkin's trace headers: taken where there is no `traceparent`, and written if the config says so.
//!
//! Source: <https://github.com/openzipkin/b3-propagation>. What cannot be read is as if it were not there.

use crate::config::B3;
use crate::metadata::{TRACEPARENT, once};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use tidegate_telemetry::trace_context::TraceContext;

const SINGLE: HeaderName = HeaderName::from_static("b3");
const TRACE_ID: HeaderName = HeaderName::from_static("x-b3-traceid");
const SPAN_ID: HeaderName = HeaderName::from_static("x-b3-spanid");
const PARENT_SPAN_ID: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

/// Whether a header is one of these.
pub(crate) fn is_b3(name: &str) -> bool {
    name == "b3" || name.starts_with("x-b3-")
}

/// Makes a `traceparent` of what a request says in these headers, unless it has one; they go, as they name
/// the span of whoever sent them.
pub(crate) fn accept(headers: &mut HeaderMap) {
    let said = (!headers.contains_key(TRACEPARENT)).then(|| parse(headers)).flatten();
    for name in [SINGLE, TRACE_ID, SPAN_ID, PARENT_SPAN_ID, SAMPLED, FLAGS] {
        headers.remove(name);
    }
    if let Some(value) = said {
        headers.insert(TRACEPARENT, value);
    }
}

/// Says the request's `traceparent` in these headers too.
pub(crate) fn emit(headers: &mut HeaderMap, form: B3) {
    let Some(context) = headers.get(TRACEPARENT).and_then(|value| TraceContext::parse(value.as_bytes()).ok()) else {
        return;
    };
    let (trace_id, span_id) = (context.trace_id.to_hex(), context.span_id.to_hex());
    let sampled: &[u8] = if context.sampled { b"1" } else { b"0" };
    let single = [&trace_id[..], b"-", &span_id, b"-", sampled].concat();
    let lines: &[(HeaderName, &[u8])] = match form {
        B3::Single => &[(SINGLE, &single)],
        B3::Multi => &[(TRACE_ID, &trace_id), (SPAN_ID, &span_id), (SAMPLED, sampled)],
    };
    for (name, value) in lines {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name.clone(), once(value));
        }
    }
}

fn parse(headers: &HeaderMap) -> Option<HeaderValue> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let (trace_id, span_id, sampled) = match text(&SINGLE) {
        Some(single) => {
            let mut parts = single.split('-');
            let ids = (parts.next()?, parts.next()?);
            (ids.0, ids.1, matches!(parts.next(), Some("1" | "d")))
        }
        None => {
            let sampled = matches!(text(&SAMPLED), Some("1" | "true")) || text(&FLAGS) == Some("1");
            (text(&TRACE_ID)?, text(&SPAN_ID)?, sampled)
        }
    };
    // A trace id may be half as long.
    let trace_id = match trace_id.len() {
        16 => format!("{:0>32}", trace_id.to_ascii_lowercase()),
        _ => trace_id.to_ascii_lowercase(),
    };
    let value = format!("00-{trace_id}-{}-0{}", span_id.to_ascii_lowercase(), u8::from(sampled));
    TraceContext::parse(value.as_bytes()).ok()?;
    HeaderValue::try_from(value).ok()
}

#[cfg(test)]
mod tests;
