//! The forms of what the admin port answers.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tidegate_transcode::Code;

use crate::diagnostics::{Diagnostic, Report, Severity};

pub(super) type Answer = Response<Full<Bytes>>;

pub(super) fn text(status: StatusCode, body: String) -> Answer {
    respond(status, "text/plain; charset=utf-8", body)
}

pub(super) fn ok(body: &Value) -> Answer {
    json_of(StatusCode::OK, body)
}

/// A `google.rpc.Status`.
pub(super) fn error(status: StatusCode, message: &str) -> Answer {
    json_of(status, &json!({ "code": Code::of_answer(status) as u8, "message": message }))
}

/// A config that is wrong: every error, with its place as the field (`google.rpc.BadRequest`).
pub(super) fn wrong_config(report: &Report) -> Answer {
    let errors = || report.diagnostics.iter().filter(|one| one.severity == Severity::Error);
    let count = errors().count();
    let message = format!("the config is wrong: {count} error{}", if count == 1 { "" } else { "s" });
    let violations: Vec<Value> = errors().map(violation).collect();
    let details = json!([{ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations }]);
    let status = StatusCode::BAD_REQUEST;
    json_of(status, &json!({ "code": Code::of_answer(status) as u8, "message": message, "details": details }))
}

fn violation(diagnostic: &Diagnostic) -> Value {
    let place = diagnostic.site.as_ref().map(crate::diagnostics::Site::place).unwrap_or_default();
    let Diagnostic { message, label, help, .. } = diagnostic;
    let hints = [label.clone(), diagnostic.elsewhere(), help.clone()].into_iter().flatten();
    let description = std::iter::once(message.clone()).chain(hints).collect::<Vec<_>>().join("; ");
    json!({ "field": place, "description": description })
}

fn json_of(status: StatusCode, body: &Value) -> Answer {
    let mut text = serde_json::to_string_pretty(body).unwrap_or_default();
    text.push('\n');
    respond(status, "application/json", text)
}

pub(super) fn respond(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}
