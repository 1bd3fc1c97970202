//! `/api/v1/…`: JSON in and out, errors as `google.rpc.Status`.

use super::reply::{self, Answer, error, ok};
use super::{State, breakers, canaries, concurrency, limits, shown};
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

/// What a path names.
enum Resource<'p> {
    Dump,
    Generations,
    /// By its number.
    Generation(&'p str),
    /// `config:…`.
    Change(&'p str),
    Routes,
    Upstreams,
    LogLevel,
    Canaries,
    Canary(&'p str),
    CanaryCommand(&'p str, canaries::Command),
    Concurrency,
    Breakers,
    Breaker(&'p str),
    BreakerCommand(&'p str, breakers::Command),
    Limits,
    Limit(&'p str),
    LimitReset(&'p str),
}

impl<'p> Resource<'p> {
    fn at(path: &'p str) -> Option<Self> {
        if path == "/config_dump" {
            return Some(Self::Dump);
        }
        let rest = path.strip_prefix("/api/v1/")?;
        Some(match rest.split_once('/') {
            Some(("config", number)) => Self::Generation(number),
            Some(("canaries", name)) => match canaries::command_of(name) {
                Some((name, command)) => Self::CanaryCommand(name, command),
                None => Self::Canary(name),
            },
            Some(("breakers", name)) => match breakers::command_of(name) {
                Some((name, command)) => Self::BreakerCommand(name, command),
                None => Self::Breaker(name),
            },
            Some(("limits", name)) => limits::reset_of(name).map_or(Self::Limit(name), Self::LimitReset),
            _ if rest.starts_with("config:") => Self::Change(rest),
            Some(_) => return None,
            None => match rest {
                "config" => Self::Generations,
                "routes" => Self::Routes,
                "upstreams" => Self::Upstreams,
                "log-level" => Self::LogLevel,
                "canaries" => Self::Canaries,
                "breakers" => Self::Breakers,
                "limits" => Self::Limits,
                "concurrency" => Self::Concurrency,
                _ => return None,
            },
        })
    }

    fn methods(&self) -> &'static [Method] {
        match self {
            Self::Change(_) | Self::CanaryCommand(..) | Self::BreakerCommand(..) | Self::LimitReset(_) => {
                &[Method::POST]
            }
            Self::LogLevel => &[Method::GET, Method::HEAD, Method::POST],
            _ => &[Method::GET, Method::HEAD],
        }
    }
}

/// Answers a request below `/api/`, or for `/config_dump`.
pub(super) async fn answer<B>(state: &State, request: Request<B>) -> Answer
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let Some(resource) = Resource::at(&path) else {
        return error(StatusCode::NOT_FOUND, &format!("there is no `{path}`; see /"));
    };
    let allowed = resource.methods();
    if !allowed.contains(&head.method) {
        let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let message = format!("`{path}` takes {}, not {}", names.join(", "), head.method);
        let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, &message);
        if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
            answer.headers_mut().insert(ALLOW, names);
        }
        return answer;
    }
    match (resource, &state.shown.handle) {
        (Resource::LogLevel, _) => log_level(state, head.method == Method::POST, body).await,
        (_, None) => error(StatusCode::SERVICE_UNAVAILABLE, "the config of this process cannot be changed"),
        (Resource::Dump, Some(handle)) => dump(handle, None),
        (Resource::Generations, Some(handle)) => ok(&shown::generations(handle)),
        (Resource::Generation(number), Some(handle)) => dump(handle, Some(number)),
        (Resource::Change(what), Some(handle)) => change(handle, what, head.uri.query(), body).await,
        (Resource::Routes, Some(handle)) => ok(&shown::routes(handle)),
        (Resource::Upstreams, Some(handle)) => {
            ok(&shown::upstreams(handle, &state.shown.schemas, &state.shown.metrics))
        }
        (Resource::Canaries, Some(handle)) => canaries::all(handle.gateway()),
        (Resource::Canary(name), Some(handle)) => canaries::one(handle.gateway(), name),
        (Resource::CanaryCommand(name, command), Some(handle)) => canaries::command(handle, name, command).await,
        (Resource::Limits, Some(handle)) => limits::all(handle.gateway()),
        (Resource::Limit(name), Some(handle)) => limits::one(handle.gateway(), name, head.uri.query()).await,
        (Resource::LimitReset(name), Some(handle)) => limits::reset(handle.gateway(), name, head.uri.query()).await,
        (Resource::Concurrency, Some(handle)) => concurrency::all(handle.gateway()),
        (Resource::Breakers, Some(handle)) => breakers::all(handle.gateway()),
        (Resource::Breaker(name), Some(handle)) => breakers::one(handle.gateway(), name),
        (Resource::BreakerCommand(name, command), Some(handle)) => {
            breakers::command(handle.gateway(), name, head.uri.query(), command)
        }
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
