//! The config file: names and meanings of its keys.
//!
//! Each section has a file of its own here, which turns nodes into the plain types of those who use
//! them and reports what is wrong. [`parse`] reads the whole and checks what one section says of another.

mod access;
mod balance;
mod breaker;
mod canary;
pub mod diff;
mod endpoints;
mod forward;
mod grpc;
mod http_rules;
mod limits;
mod listeners;
mod matching;
mod metadata;
pub(crate) mod parts;
mod plain;
mod pool;
mod rate_limit_service;
mod rate_limits;
pub(crate) mod redact;
mod resilience;
mod routes;
mod stores;
mod telemetry;
mod transcoding;
mod upstreams;

pub use access::Admin;
pub use rate_limit_service::RateLimitService;
pub use stores::Store;
pub use telemetry::{AccessLog, AccessLogTarget, CertificateFile, Otlp, OtlpProtocol, Telemetry};

use crate::diagnostics::{Diagnostic, Report, Severity, Source};
use crate::fields::{Context, Fields};
use crate::interpolate::{Environment, interpolate};
use crate::{value, yaml};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::config::{self as gateway, DEFAULT_DRAIN};
use tidegate_source::{Document, SourceError, Why};

/// Keys of later versions.
const LATER: &[&str] = &["transactions", "sagas"];

/// Without any of these nothing is served through the gateway.
const GATEWAY: [&str; 3] = ["listeners", "upstreams", "routes"];

/// A config file that holds together.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the data plane is told.
    pub config: gateway::Config,
    /// The admin port, if there shall be one.
    pub admin: Option<Admin>,
    /// The access log, and the collector of traces and metrics.
    pub telemetry: Telemetry,
    /// Where limits are kept that gateways share, in the order of the file.
    pub stores: Vec<Store>,
    /// The rate limit service for others, if there shall be one.
    pub rate_limit_service: Option<RateLimitService>,
    /// The file, for diagnostics about it that come later.
    pub source: Arc<Source>,
    /// What is allowed but probably not meant.
    pub warnings: Report,
}

/// Reads and checks the config file at `path`, or the files of the folder at `path`. Paths in it are
/// relative to its folder.
///
/// # Errors
/// Everything that is wrong with it, or that it could not be read.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Loaded, Report> {
    let document = crate::files::read(path).map_err(|error| not_read(&error))?;
    parse_document(&document, crate::files::folder_of(path), environment)
}

/// A source that holds no config, as a report.
#[must_use]
pub fn not_read(error: &SourceError) -> Report {
    let diagnostic = Diagnostic::error(error.message.clone());
    Report::new(vec![match error.why == Why::Absent {
        true => diagnostic.help("name it with `-c FILE`"),
        false => diagnostic,
    }])
}

/// Checks the text of a config file. Paths in it are relative to `folder`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(source: Source, folder: &Path, environment: Environment<'_>) -> Result<Loaded, Report> {
    let source = Arc::new(source);
    let root = yaml::parse(&source).map_err(Report::new)?;
    read(root, &source, folder, environment)
}

/// The same for what a source gave: the parts are one config.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_document(document: &Document, folder: &Path, environment: Environment<'_>) -> Result<Loaded, Report> {
    let (root, source) = parts::parse(document)?;
    read(root, &source, folder, environment)
}

fn read(
    mut root: yaml::Node,
    source: &Arc<Source>,
    folder: &Path,
    environment: Environment<'_>,
) -> Result<Loaded, Report> {
    let mut cx = Context::new(source);
    if root.kind == yaml::Kind::Null {
        let diagnostic = Diagnostic::error("the config file is empty").in_file(source);
        return Err(Report::new(vec![diagnostic.help("it needs at least `listeners`, `upstreams` and `routes`")]));
    }
    interpolate(&mut root, environment, source, &mut cx.problems);
    let loaded = sections(&root, folder, &mut cx);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        cx.problems.into_iter().partition(|problem| problem.severity == Severity::Error);
    match loaded {
        Some(loaded) if errors.is_empty() => {
            Ok(Loaded { source: Arc::clone(source), warnings: Report::new(warnings), ..loaded })
        }
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
    // Whoever serves limits to others need not serve anything else.
    let serves = !fields.has("rate_limit_service") || GATEWAY.iter().any(|key| fields.has(key));
    let listeners = if serves { listeners::read(&mut fields, cx) } else { Vec::new() };
    let admin = access::admin(&mut fields, cx);
    let upstreams = if serves { upstreams::read(&mut fields, folder, &listeners, cx) } else { Vec::new() };
    let routes = if serves { routes::read(&mut fields, &upstreams, &listeners, cx) } else { Default::default() };
    let stores = stores::read(&mut fields, folder, cx);
    let rate_limits = rate_limits::read(&mut fields, &stores, cx);
    let of_routes = routes.services.iter().map(|route| &*route.rate_limits);
    let of_routes = of_routes.chain(routes.plain.iter().map(|route| &*route.rate_limits));
    let of_listeners = listeners.iter().map(|listener| &*listener.rate_limits);
    rate_limits::check_names(of_listeners.chain(of_routes), &rate_limits, cx);
    rate_limits::warn_of_choice(&rate_limits, &listeners, cx);
    let rate_limit_service = rate_limit_service::read(&mut fields, folder, &stores, &listeners, cx);
    let metadata = metadata::read(&mut fields, cx);
    let grpc = grpc::read(&mut fields, cx);
    let telemetry = telemetry::read(&mut fields, folder, cx);
    fields.finish(cx);
    let stores: Vec<Store> = stores.into_iter().filter_map(|store| store.config).collect();
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
            rate_limits: rate_limits.into_iter().filter_map(|limit| limit.config).collect(),
            stores: stores.iter().map(|store| store.store.clone()).collect(),
            grpc,
        },
        admin,
        telemetry,
        stores,
        rate_limit_service,
        source: Arc::clone(&cx.source),
        warnings: Report::default(),
    })
}
