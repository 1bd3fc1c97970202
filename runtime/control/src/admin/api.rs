//! `/api/v1/…`: JSON in and out, errors as `google.rpc.Status`.

use super::reply::{self, Answer, error, ok};
use super::{State, breakers, canaries, shown};
use crate::generations::{Handle, Refused};
use bytes::Bytes;
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Value, json};
use std::error::Error;
use std::time::Duration;
use tidegate_source::{Document, MAX_BYTES, Part, Revision};

/// How long a client has to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers a request below `/api/`, or for `/config_dump`.
pub(super) async fn answer<B>(state: &State, request: Request<B>) -> Answer
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let canary = path.strip_prefix("/api/v1/canaries/");
    let breaker = path.strip_prefix("/api/v1/breakers/");
    let changes = path.starts_with("/api/v1/config:")
        || canary.and_then(canaries::command_of).is_some()
        || breaker.and_then(breakers::command_of).is_some();
    let reads = matches!(path.as_str(), "/config_dump" | "/api/v1/config" | "/api/v1/routes" | "/api/v1/upstreams")
        || matches!(path.as_str(), "/api/v1/canaries" | "/api/v1/breakers")
        || canary.is_some()
        || breaker.is_some()
        || path.starts_with("/api/v1/config/");
    let allowed: &[Method] = match (changes, reads, path.as_str()) {
        (true, ..) => &[Method::POST],
        (_, true, _) => &[Method::GET, Method::HEAD],
        (.., "/api/v1/log-level") => &[Method::GET, Method::HEAD, Method::POST],
        _ => return error(StatusCode::NOT_FOUND, &format!("there is no `{path}`; see /")),
    };
    if !allowed.contains(&head.method) {
        let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let message = format!("`{path}` takes {}, not {}", names.join(", "), head.method);
        let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, &message);
        if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
            answer.headers_mut().insert(ALLOW, names);
        }
        return answer;
    }
    if path == "/api/v1/log-level" {
        return log_level(state, head.method == Method::POST, body).await;
    }
    let Some(handle) = &state.shown.handle else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "the config of this process cannot be changed");
    };
    match path.strip_prefix("/api/v1/") {
        None => dump(handle, None),
        Some("config") => ok(&shown::generations(handle)),
        Some("routes") => ok(&shown::routes(handle)),
        Some("canaries") => canaries::all(handle.gateway()),
        Some("breakers") => breakers::all(handle.gateway()),
        Some("upstreams") => ok(&shown::upstreams(handle, &state.shown.schemas, &state.shown.metrics)),
        Some(rest) => match rest.split_once('/') {
            Some(("canaries", name)) => match canaries::command_of(name) {
                Some((name, command)) => canaries::command(handle, name, command).await,
                None => canaries::one(handle.gateway(), name),
            },
            Some(("breakers", name)) => match breakers::command_of(name) {
                Some((name, command)) => breakers::command(handle.gateway(), name, command),
                None => breakers::one(handle.gateway(), name),
            },
            Some(("config", number)) => dump(handle, Some(number)),
            _ => change(handle, rest, head.uri.query(), body).await,
        },
    }
}

/// A generation, that in force if none is named.
fn dump(handle: &Handle, number: Option<&str>) -> Answer {
    let found = match number {
        None => handle.current(),
        Some(text) => {
            let Ok(number) = text.parse::<u64>() else {
                return error(StatusCode::BAD_REQUEST, &format!("`{text}` is no generation: it is a number"));
            };
            handle.generations().into_iter().find(|generation| generation.number == number)
        }
    };
    match found {
        Some(generation) => ok(&shown::whole(handle, &generation)),
        None => error(StatusCode::NOT_FOUND, "there is no such generation any more; see /api/v1/config"),
    }
}

async fn change<B>(handle: &Handle, what: &str, query: Option<&str>, body: B) -> Answer
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    let text = match read(body).await {
        Ok(text) => text,
        Err(answer) => return answer,
    };
    let document = match matches!(what, "config:check" | "config:diff" | "config:apply") {
        true => document(query, text),
        false => Ok(Document::whole(Revision::new(""), "", text)),
    };
    let document = match document {
        Ok(document) => document,
        Err(answer) => return *answer,
    };
    match what {
        "config:check" => match handle.check(document).await {
            Ok(checked) => ok(&json!({
                "valid": true,
                "warnings": shown::warnings(&checked.warnings),
                "atNextStart": checked.at_next_start,
            })),
            Err(report) => reply::wrong_config(&report),
        },
        "config:diff" => match handle.diff(&document) {
            Ok(changes) => ok(&shown::changes(&changes)),
            Err(report) => reply::wrong_config(&report),
        },
        "config:apply" => match expected(query) {
            Ok(expected) => changed(handle, handle.apply(document, expected).await),
            Err(answer) => *answer,
        },
        "config:rollback" => match generation(&document.parts[0].text) {
            Some(number) => changed(handle, handle.roll_back(number).await),
            None => {
                error(StatusCode::BAD_REQUEST, "send {\"generation\": N}; see /api/v1/config for those that are kept")
            }
        },
        "config:reload" => changed(handle, handle.reload().await),
        other => error(StatusCode::NOT_FOUND, &format!("there is no `/api/v1/{other}`; see /")),
    }
}

/// The body is a config; with `?parts` it is a list of `{"name": …, "text": …}`, which together are one.
fn document(query: Option<&str>, text: Vec<u8>) -> Result<Document, Box<Answer>> {
    let parts = if query.unwrap_or_default().split('&').any(|part| part == "parts") {
        let list: Option<Vec<Value>> = serde_json::from_slice(&text).ok();
        let part = |value: &Value| {
            let text = |key: &str| value.get(key)?.as_str();
            Some(Part { name: text("name")?.to_owned(), text: text("text")?.into() })
        };
        let parts: Option<Vec<Part>> = list.and_then(|list| list.iter().map(part).collect());
        let wrong = || Box::new(error(StatusCode::BAD_REQUEST, "send [{\"name\": …, \"text\": …}, …]"));
        parts.filter(|parts| !parts.is_empty()).ok_or_else(wrong)?
    } else {
        vec![Part { name: "request body".to_owned(), text }]
    };
    Ok(Document { revision: Revision::of_content(&parts), parts })
}

/// `?expect=N`: the generation that must be in force.
fn expected(query: Option<&str>) -> Result<Option<u64>, Box<Answer>> {
    let text = query.unwrap_or_default().split('&').find_map(|part| part.strip_prefix("expect="));
    let wrong = |text: &str| Box::new(error(StatusCode::BAD_REQUEST, &format!("`expect={text}` is no generation")));
    text.map(|text| text.parse().map_err(|_| wrong(text))).transpose()
}

/// `{"generation": 3}`.
fn generation(text: &[u8]) -> Option<u64> {
    let body: Value = serde_json::from_slice(text).ok()?;
    let number = body.as_object()?.get("generation")?;
    // ProtoJSON writes 64-bit numbers as strings.
    number.as_u64().or_else(|| number.as_str()?.parse().ok())
}

fn changed(handle: &Handle, result: Result<u64, Refused>) -> Answer {
    match result {
        Ok(number) => {
            let current = handle.current().map(|current| shown::generation(&current, true));
            ok(&json!({ "generation": number, "inForce": current }))
        }
        Err(Refused::Config(report)) => reply::wrong_config(&report),
        Err(refused) => {
            let status = match refused {
                Refused::NotKept(_) => StatusCode::NOT_FOUND,
                Refused::Overtaken { .. } => StatusCode::CONFLICT,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            error(status, &refused.to_string())
        }
    }
}

async fn log_level<B>(state: &State, set: bool, body: B) -> Answer
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    let Some(log) = &state.shown.log else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "the log of this process cannot be changed");
    };
    if set {
        let text = match read(body).await {
            Ok(text) => text,
            Err(answer) => return answer,
        };
        let body: Option<Value> = serde_json::from_slice(&text).ok();
        let Some(level) = body.as_ref().and_then(|body| body.get("level")?.as_str()) else {
            return error(
                StatusCode::BAD_REQUEST,
                "send {\"level\": \"info\"}, or levels by module: \"info,h2=debug\"",
            );
        };
        if let Err(expected) = log.set(level) {
            return error(StatusCode::BAD_REQUEST, &format!("`level` is not understood: {expected}"));
        }
    }
    ok(&json!({ "level": log.get() }))
}

/// The body, if it is no larger than a config may be.
async fn read<B>(body: B) -> Result<Vec<u8>, Answer>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BYTES).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => {
            Err(error(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body is too large: {MAX_BYTES} bytes is the most")))
        }
        Ok(Err(_)) => Err(error(StatusCode::BAD_REQUEST, "the body ended early")),
        Err(_) => Err(error(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}
