//! One request to the admin port.

use super::reply::{Answer, respond, text};
use super::{Phase, State, api, guard};
use bytes::Bytes;
use http::header::{ACCEPT, ALLOW};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body::Body;
use std::error::Error;
use std::fmt::Write as _;
use tidegate_telemetry::metrics::TextFormat;

/// Answers `request`.
pub(super) async fn answer<B>(state: &State, request: Request<B>) -> Answer
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    if let Some(refusal) = guard::refuse(state, &request) {
        return refusal;
    }
    let path = request.uri().path();
    if path.starts_with("/api/") || path == "/config_dump" {
        return api::answer(state, request).await;
    }
    if !["/", "/metrics", "/stats", "/livez", "/readyz"].contains(&path) {
        return text(StatusCode::NOT_FOUND, "not found; see /\n".to_owned());
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match path {
        "/metrics" => exposition(state, request.headers()),
        "/stats" => encoded(state, TextFormat::Prometheus, "text/plain; charset=utf-8", |text| {
            stats(&text, request.uri().query())
        }),
        "/livez" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => readyz(state, is_verbose(request.uri().query())),
        _ => text(StatusCode::OK, index(state)),
    }
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
    for line in told(state) {
        let _ = writeln!(body, "{line}");
    }
    text(status, body + "readyz: " + word + "\n")
}

/// What is told and is no check: that a new config is wrong or a service is down takes no gateway out of
/// service.
fn told(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(handle) = &state.shown.handle {
        if let Some(current) = handle.current() {
            let (number, revision) = (current.number, &current.document.revision);
            lines.push(format!("[+]config: generation {number}, revision {revision}, from {}", current.origin));
        }
        if let Some(refused) = handle.refused() {
            let why = refused.report.in_one_line();
            lines.push(format!("[!]config: revision {} from {} is refused: {why}", refused.revision, refused.origin));
        }
        if let Some(trouble) = handle.trouble() {
            lines.push(format!("[!]config source: {} cannot be read: {trouble}", handle.source()));
        }
    }
    let schemas = state.shown.schemas.all();
    lines.extend(schemas.iter().map(|schema| format!("[{}]{schema}", if schema.is_current() { '+' } else { '!' })));
    lines
}

/// In the form that the scraper asks for: exemplars are in OpenMetrics alone.
fn exposition(state: &State, headers: &HeaderMap) -> Answer {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = TextFormat::for_accept(accept);
    encoded(state, format, format.content_type(), |text| text)
}

fn encoded(
    state: &State,
    format: TextFormat,
    content_type: &'static str,
    form: impl FnOnce(String) -> String,
) -> Answer {
    let mut body = String::with_capacity(16 * 1024);
    match state.shown.metrics.encode_as(format, &mut body) {
        Ok(()) => respond(StatusCode::OK, content_type, form(body)),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be written: {error}\n")),
    }
}

/// The figures for people: one a line, sorted, without those of histograms' buckets; `?filter=` keeps those
/// whose name has the word, `?all` keeps all.
fn stats(metrics: &str, query: Option<&str>) -> String {
    let query = query.unwrap_or_default();
    let filter = query.split('&').find_map(|part| part.strip_prefix("filter=")).unwrap_or_default();
    let all = query.split('&').any(|part| part == "all");
    let mut lines: Vec<&str> = metrics
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains(filter))
        .filter(|line| all || !line.split('{').next().unwrap_or_default().ends_with("_bucket"))
        .map(|line| line.strip_prefix("tidegate_").unwrap_or(line))
        .collect();
    lines.sort_unstable();
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

fn index(state: &State) -> String {
    format!(
        "tidegate {}\n\n\
         /metrics                     figures for Prometheus\n\
         /stats?filter=WORD           the same for people\n\
         /livez                       the process is alive\n\
         /readyz                      it takes requests\n\
         /readyz?verbose              the same, check by check\n\
         /config_dump                 the config in force, without secrets\n\
         /api/v1/config               generations that are and were in force\n\
         /api/v1/config/N             one of them\n\
         /api/v1/config:check         POST a config: is it right?\n\
         /api/v1/config:diff          POST a config: in what does it differ?\n\
         /api/v1/config:apply         POST a config: put it in force\n\
         /api/v1/config:rollback      POST {{\"generation\": N}}\n\
         /api/v1/config:reload        POST: read the source again\n\
         /api/v1/routes               which requests become which calls\n\
         /api/v1/upstreams            endpoints, schemas and figures\n\
         /api/v1/canaries             plans of canaries, and how far they are\n\
         /api/v1/canaries/NAME:DO     POST; DO is pause, resume, promote or abort\n\
         /api/v1/breakers             circuit breakers, and what they did\n\
         /api/v1/breakers/NAME:DO     POST; DO is open, close or disable\n\
         /api/v1/concurrency          limits of calls in flight, and who waits\n\
         /api/v1/log-level            GET; POST {{\"level\": \"info,h2=debug\"}}\n",
        state.shown.version
    )
}
