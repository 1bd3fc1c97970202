//! `telemetry`: what is told of requests, and to whom.

use crate::diagnostics::Span;
use crate::fields::{Context, Fields, Located};
use crate::value;
use crate::yaml::{Kind, Node};
use http::{HeaderName, HeaderValue};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidegate_gateway::config::Place;
use tidegate_telemetry::access_log::{Field, Format, Layout, Template};
use tidegate_telemetry::tracer::QUEUE_LIMIT;
use tidegate_traffic::Share;

/// What is told, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Telemetry {
    /// The access log; `None` is off.
    pub access_log: Option<AccessLog>,
    /// The collector of traces and metrics, if there is one.
    pub otlp: Option<Otlp>,
}

/// The access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// The form of a line.
    pub layout: Layout,
    /// Where the lines go.
    pub to: AccessLogTarget,
    /// `telemetry.access_log` in the file; the default place if it is not there.
    pub place: Place,
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The end of this file.
    File(PathBuf),
}

/// A collector that speaks OTLP.
#[derive(Clone, PartialEq, Eq)]
pub struct Otlp {
    /// `http://host:port`, or `https://…` for TLS; with a path before that of the protocol if it is HTTP and has one.
    pub endpoint: String,
    /// How it is spoken to.
    pub protocol: OtlpProtocol,
    /// The share of traces that is kept, where the caller does not decide.
    pub sample: Share,
    /// Traces that end in an error are kept all the same.
    pub errors: bool,
    /// Headers of each call; their values are secret.
    pub headers: Vec<(String, String)>,
    /// Whose certificates are believed; without it, whom the system believes.
    pub ca: Option<CertificateFile>,
    /// How long one call may take.
    pub timeout: Duration,
    /// How often metrics are sent.
    pub interval: Duration,
    /// Spans that may wait.
    pub queue: usize,
    /// What is told of this process; `service.name` is among it.
    pub resource: Vec<(String, String)>,
    /// `telemetry.otlp.endpoint` in the file.
    pub place: Place,
}

/// A file with certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFile {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it, PEM; nothing until it was read, which is done when the config is loaded.
    pub pem: Vec<u8>,
    /// Where the config names it.
    pub place: Place,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// gRPC.
    Grpc,
    /// Protobuf over HTTP/1.1.
    Http,
}

const SAMPLE: Share = Share::percent(1);
const TIMEOUT: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_secs(60);

impl Telemetry {
    /// The same wherever it stands in its file.
    #[must_use]
    pub fn without_places(mut self) -> Self {
        if let Some(log) = &mut self.access_log {
            log.place = Place::default();
        }
        if let Some(otlp) = &mut self.otlp {
            otlp.place = Place::default();
            if let Some(ca) = &mut otlp.ca {
                ca.place = Place::default();
            }
        }
        self
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { layout: Format::Json.into(), to: AccessLogTarget::Stdout, place: Place::default() }
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| (name, "(secret)")).collect();
        f.debug_struct("Otlp")
            .field("endpoint", &self.endpoint)
            .field("protocol", &self.protocol)
            .field("sample", &self.sample)
            .field("errors", &self.errors)
            .field("headers", &headers)
            .field("ca", &self.ca.as_ref().map(|ca| &ca.path))
            .field("timeout", &self.timeout)
            .field("interval", &self.interval)
            .field("queue", &self.queue)
            .field("resource", &self.resource)
            .field("place", &self.place)
            .finish()
    }
}

/// `telemetry`: the access log is on unless it says otherwise.
pub(super) fn read(fields: &mut Fields<'_>, folder: &Path, cx: &mut Context) -> Telemetry {
    let default = Telemetry { access_log: Some(AccessLog::default()), otlp: None };
    let Some(node) = fields.node("telemetry", cx) else { return default };
    let Some(mut fields) = Fields::of(node, "`telemetry`", cx) else { return default };
    let otlp = fields.node("otlp", cx).and_then(|node| otlp(node, folder, cx));
    let access_log = match fields.node("access_log", cx) {
        Some(node) => access_log(node, folder, cx),
        None => default.access_log,
    };
    fields.finish(cx);
    Telemetry { access_log, otlp }
}

// === access_log ===

fn access_log(node: &Node, folder: &Path, cx: &mut Context) -> Option<AccessLog> {
    if matches!(&node.kind, Kind::Scalar(text) if text == "off" || text == "false") {
        return None;
    }
    if let Kind::Scalar(_) = &node.kind {
        cx.error_with(node.span, "`access_log` must be `off` or a mapping", |diagnostic| {
            diagnostic.label("write `off` or `{ format: json, to: stdout }`")
        });
        return None;
    }
    let mut fields = Fields::of(node, "`access_log`", cx)?;
    let place = fields.span().place();
    let layout = layout(&mut fields, cx);
    let to = fields.optional("to", cx, value::text).map(|to| match to.value.as_str() {
        "stdout" => AccessLogTarget::Stdout,
        "stderr" => AccessLogTarget::Stderr,
        file => AccessLogTarget::File(folder.join(file)),
    });
    fields.finish(cx);
    Some(AccessLog { layout, to: to.unwrap_or(AccessLogTarget::Stdout), place })
}

/// A format and its fields, or a template.
fn layout(fields: &mut Fields<'_>, cx: &mut Context) -> Layout {
    let format = fields.word("format", cx, &[("json", Format::Json), ("text", Format::Text)]);
    let chosen = fields.node("fields", cx).and_then(|node| log_fields(node, cx));
    let template = fields.node("template", cx).and_then(|node| template(node, cx));
    if template.is_some() && (format.is_some() || chosen.is_some()) {
        let other = if format.is_some() { "format" } else { "fields" };
        cx.error_with(fields.key_span(other), format!("`{other}` has no meaning beside `template`"), |diagnostic| {
            diagnostic.label("remove one of them")
        });
    }
    match (template, chosen) {
        (Some(template), _) => Layout::Template(template),
        (None, Some(fields)) => Layout::Fields(format.unwrap_or(Format::Json), fields),
        (None, None) => format.unwrap_or(Format::Json).into(),
    }
}

fn log_fields(node: &Node, cx: &mut Context) -> Option<Vec<Field>> {
    let names = cx.scalars("fields", node, value::text)?;
    let mut fields = Vec::new();
    for name in &names {
        match Field::named(&name.value) {
            None => unknown_field(name, cx),
            Some(field) if fields.contains(&field) => {
                cx.error(name.span, format!("field `{}` is named twice", name.value));
            }
            Some(field) => fields.push(field),
        }
    }
    if names.is_empty() {
        cx.error_with(node.span, "`fields` is empty", |d| d.label("name at least one, or write `access_log: off`"));
    }
    Some(fields)
}

fn unknown_field(name: &Located<String>, cx: &mut Context) {
    cx.unknown_name("field", name, Field::ALL.iter().map(|field| field.name()));
}

fn template(node: &Node, cx: &mut Context) -> Option<Template> {
    let text = cx.scalar("template", node, value::text)?;
    match Template::parse(&text.value) {
        Ok(template) => Some(template),
        Err(Some(unknown)) => {
            unknown_field(&Located { value: unknown, span: text.span }, cx);
            None
        }
        Err(None) => {
            cx.error_with(text.span, "`template` has a `%` that begins no field", |diagnostic| {
                diagnostic.label("write `%status%` for a field, `%%` for the sign, and no line break")
            });
            None
        }
    }
}

// === otlp ===

fn otlp(node: &Node, folder: &Path, cx: &mut Context) -> Option<Otlp> {
    let mut fields = Fields::of(node, "`otlp`", cx)?;
    let endpoint = fields.required("endpoint", cx, value::collector);
    let protocols = [("grpc", OtlpProtocol::Grpc), ("http", OtlpProtocol::Http)];
    let protocol = fields.word("protocol", cx, &protocols).unwrap_or(OtlpProtocol::Grpc);
    let sample = fields.optional("sample", cx, value::share).map_or(SAMPLE, |share| share.value);
    let errors = fields.optional("errors", cx, value::boolean).is_none_or(|errors| errors.value);
    let headers = fields.node("headers", cx).map(|node| headers(node, cx)).unwrap_or_default();
    let ca = fields.optional("ca", cx, value::text);
    let timeout = fields.optional("timeout", cx, value::duration).map_or(TIMEOUT, |timeout| timeout.value);
    let interval = fields.optional("interval", cx, value::duration);
    let queue = fields.optional("queue", cx, value::count).map_or(QUEUE_LIMIT, |queue| queue.value);
    let resource = fields.node("resource", cx).map(|node| resource(node, cx)).unwrap_or_default();
    fields.finish(cx);
    if let Some(interval) = interval.as_ref().filter(|interval| interval.value < Duration::from_secs(1)) {
        cx.error_with(interval.span, "`interval` is less than `1s`", |d| d.label("metrics are sent this often"));
    }
    let endpoint = endpoint?;
    check_path(&endpoint, protocol, cx);
    if let Some(ca) = ca.as_ref().filter(|_| endpoint.value.starts_with("http://")) {
        cx.error_with(ca.span, "`ca` has no meaning without TLS", |d| d.label("the endpoint begins with `http://`"));
    }
    Some(Otlp {
        endpoint: endpoint.value,
        protocol,
        sample,
        errors,
        headers,
        ca: ca.map(|ca| CertificateFile { path: folder.join(ca.value), pem: Vec::new(), place: ca.span.place() }),
        timeout,
        interval: interval.map_or(INTERVAL, |interval| interval.value),
        queue,
        resource,
        place: endpoint.span.place(),
    })
}

fn check_path(endpoint: &Located<String>, protocol: OtlpProtocol, cx: &mut Context) {
    let rest = endpoint.value.split_once("://").map(|(_, rest)| rest);
    let path = rest.and_then(|rest| rest.split_once('/')).map(|(_, path)| path);
    let complaint = match (protocol, path) {
        (OtlpProtocol::Grpc, Some(_)) => "gRPC has no path: write `protocol: http`, or the port alone",
        (OtlpProtocol::Http, Some(path)) if path.ends_with("v1/traces") || path.ends_with("v1/metrics") => {
            "leave `/v1/…` away: it is added"
        }
        _ => return,
    };
    cx.error_with(endpoint.span, "`endpoint` has a path too many", |diagnostic| diagnostic.label(complaint));
}

fn headers(node: &Node, cx: &mut Context) -> Vec<(String, String)> {
    const OURS: [&str; 4] = ["content-type", "content-length", "host", "te"];
    let ours = |name: &str| OURS.contains(&name) || name.starts_with("grpc-") || name.ends_with("-bin");
    let mut headers = Vec::new();
    for (name, span, value) in pairs(node, "`headers`", cx) {
        let name = name.to_ascii_lowercase();
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            cx.error(span, format!("`{name}` cannot be the name of a header"));
        } else if ours(&name) {
            cx.error(span, format!("header `{name}` belongs to the protocol"));
        } else if !value.value.is_ascii() || HeaderValue::from_str(&value.value).is_err() {
            // What it is may be secret.
            cx.error(value.span, format!("the value of `{name}` cannot be that of a header"));
        } else {
            headers.push((name, value.value));
        }
    }
    headers
}

fn resource(node: &Node, cx: &mut Context) -> Vec<(String, String)> {
    pairs(node, "`resource`", cx).into_iter().map(|(name, _, value)| (name, value.value)).collect()
}

/// A mapping of names to texts.
fn pairs(node: &Node, what: &'static str, cx: &mut Context) -> Vec<(String, Span, Located<String>)> {
    let Some(fields) = Fields::of(node, what, cx) else { return Vec::new() };
    let texts = fields.entries().iter().filter_map(|entry| {
        let text = cx.scalar(&entry.key, &entry.value, value::text)?;
        Some((entry.key.clone(), entry.key_span, text))
    });
    texts.collect()
}
