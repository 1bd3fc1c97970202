//! The config file: names and meanings of its keys.
//!
//! Each section has a file of its own here, which turns nodes into the plain types of those who use
//! them and reports what is wrong. [`parse`] reads the whole and checks what one section says of another.

mod access;
mod canary;
mod grpc;
mod http_rules;
mod limits;
mod listeners;
mod matching;
mod metadata;
mod plain;
mod pool;
mod routes;
mod telemetry;
mod transcoding;
mod upstreams;

pub use access::Admin;
pub use telemetry::{AccessLog, AccessLogTarget, Otlp, OtlpProtocol, Telemetry};

use crate::diagnostics::{Diagnostic, Report, Severity, Source};
use crate::fields::{Context, Fields};
use crate::interpolate::{Environment, interpolate};
use crate::{value, yaml};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::config::{self as gateway, DEFAULT_DRAIN};

/// Keys of later versions.
const LATER: &[&str] = &["limits", "stores", "rate_limit_service", "transactions", "sagas"];

/// A config file that holds together.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the data plane is told.
    pub config: gateway::Config,
    /// The admin port, if there shall be one.
    pub admin: Option<Admin>,
    /// The access log, and the collector of traces and metrics.
    pub telemetry: Telemetry,
    /// The file, for diagnostics about it that come later.
    pub source: Arc<Source>,
    /// What is allowed but probably not meant.
    pub warnings: Report,
}

/// Reads and checks the config file at `path`. Paths in it are relative to its folder.
///
/// # Errors
/// Everything that is wrong with it, or that it could not be read.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(Source { name, text }, path.parent().unwrap_or(Path::new("")), environment),
        Err(error) => {
            let diagnostic = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    Diagnostic::error(format!("there is no config file `{name}`")).help("name it with `-c FILE`")
                }
                _ => Diagnostic::error(format!("cannot read the config file `{name}`: {error}")),
            };
            Err(Report::new(vec![diagnostic]))
        }
    }
}

/// Checks the text of a config file. Paths in it are relative to `folder`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(source: Source, folder: &Path, environment: Environment<'_>) -> Result<Loaded, Report> {
    let source = Arc::new(source);
    let mut root = yaml::parse(&source).map_err(Report::new)?;
    let mut cx = Context::new(&source);
    if root.kind == yaml::Kind::Null {
        let diagnostic = Diagnostic::error("the config file is empty").in_file(&source);
        return Err(Report::new(vec![diagnostic.help("it needs at least `listeners`, `upstreams` and `routes`")]));
    }
    interpolate(&mut root, environment, &source, &mut cx.problems);
    let loaded = sections(&root, folder, &mut cx);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        cx.problems.into_iter().partition(|problem| problem.severity == Severity::Error);
    match loaded {
        Some(loaded) if errors.is_empty() => Ok(Loaded { source, warnings: Report::new(warnings), ..loaded }),
        _ => Err(Report::new(errors)),
    }
}

/// `None` if the file is no mapping; otherwise whether it holds together is told by the problems alone.
fn sections(root: &yaml::Node, folder: &Path, cx: &mut Context) -> Option<Loaded> {
    let mut fields = Fields::of_file(root, "the config file", cx)?.not_yet(LATER);
    let workers = fields.optional("workers", cx, value::workers);
    let drain = fields.optional("drain", cx, value::duration);
    let drain_delay = fields.optional("drain_delay", cx, value::duration);
    let connections = limits::connections(&mut fields, cx);
    let memory = limits::memory(&mut fields, cx);
    let listeners = listeners::read(&mut fields, cx);
    let admin = access::admin(&mut fields, cx);
    let upstreams = upstreams::read(&mut fields, folder, cx);
    let routes = routes::read(&mut fields, &upstreams, &listeners, cx);
    let metadata = metadata::read(&mut fields, cx);
    let grpc = grpc::read(&mut fields, cx);
    let telemetry = telemetry::read(&mut fields, folder, cx);
    fields.finish(cx);
    Some(Loaded {
        config: gateway::Config {
            workers: workers.map_or(0, |workers| workers.value),
            drain: drain.map_or(DEFAULT_DRAIN, |drain: crate::fields::Located<Duration>| drain.value),
            drain_delay: drain_delay.map_or(Duration::ZERO, |delay: crate::fields::Located<Duration>| delay.value),
            connections,
            memory,
            listeners,
            upstreams: upstreams.into_iter().filter_map(|upstream| upstream.config).collect(),
            routes: routes.services,
            plain: routes.plain,
            metadata,
            grpc,
        },
        admin,
        telemetry,
        source: Arc::clone(&cx.source),
        warnings: Report::default(),
    })
}
