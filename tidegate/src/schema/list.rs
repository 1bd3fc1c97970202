//! Which schemas there are, and where they are from.

use crate::exit::Exit;
use crate::finders;
use crate::follow::{self, Told};
use crate::load::Failure;
use std::sync::Arc;
use tidegate_control::{Diagnostic, Fetched, Fetcher, Report, Sources};
use tidegate_gateway::config::{Config, DEFAULT_REFLECTION_TIMEOUT, SchemaSource, Upstream};
use tidegate_protojson::Schema;
use tidegate_protojson::schema::Method;
use tidegate_schema::bundled_descriptor_set;
use tidegate_transcode::HttpRule;
use tidegate_upstream::Endpoint;

/// A schema as it is shown.
#[derive(Debug)]
pub(super) struct Shown {
    /// The upstream's name, or the server.
    pub(super) upstream: String,
    /// Where it is from, in words.
    pub(super) origin: String,
    pub(super) schema: Arc<Schema>,
    /// Services that routes name.
    pub(super) routed: Vec<String>,
    /// Rules of `schema.http_rules`.
    overrides: Vec<HttpRule>,
}

impl Shown {
    /// The rule of a method and its additional ones, in order.
    pub(super) fn rules(&self, service: &str, method: &Method) -> Vec<HttpRule> {
        let selector = format!("{service}.{}", method.name);
        let configured = self.overrides.iter().rev().find(|rule| rule.selector == selector).cloned();
        let annotated = || HttpRule::from_method_options(&method.options).ok().flatten();
        let Some(mut rule) = configured.or_else(annotated) else { return Vec::new() };
        let additional = std::mem::take(&mut rule.additional);
        std::iter::once(rule).chain(additional).collect()
    }
}

/// Every upstream that has a schema, in the order of the config.
pub(super) fn of_config(sources: &Sources, told: &Told) -> Result<Vec<Shown>, Failure> {
    let schemas = sources.with(&told.schemas).map_err(Failure::config)?;
    let config = sources.config();
    let upstreams = config.upstreams.iter().filter_map(|upstream| {
        let schema = Arc::clone(schemas.get(&upstream.name)?);
        let mut routed: Vec<String> = config
            .routes
            .iter()
            .filter(|route| route.upstream == upstream.name)
            .map(|route| route.service.clone())
            .collect();
        routed.sort();
        routed.dedup();
        let overrides = upstream.schema.http_rules.iter().flat_map(|(_, rules)| rules.iter().cloned()).collect();
        let origin = origin(config, upstream, told);
        Some(Shown { upstream: upstream.name.clone(), origin, schema, routed, overrides })
    });
    Ok(upstreams.collect())
}

fn origin(config: &Config, upstream: &Upstream, told: &Told) -> String {
    match &upstream.schema.source {
        SchemaSource::None => String::new(),
        SchemaSource::DescriptorSet(path) => format!("from {}", path.display()),
        SchemaSource::Proto(folders) => {
            let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
            format!("from {}", folders.join(", "))
        }
        SchemaSource::Like(other) => match config.upstreams.iter().find(|upstream| upstream.name == *other) {
            Some(other) => format!("as {}, {}", other.name, origin(config, other, told)),
            None => format!("as {other}"),
        },
        SchemaSource::Reflection(_) => {
            let fetched = told.fetched.iter().find(|(name, _)| *name == upstream.name);
            fetched.map(|(_, fetched)| told_by(fetched)).unwrap_or_default()
        }
    }
}

/// `told by 127.0.0.1:50051 (grpc.reflection.v1)`
fn told_by(fetched: &Fetched) -> String {
    let version = fetched.method.trim_start_matches('/').split(".ServerReflection").next().unwrap_or_default();
    format!("told by {} ({version})", fetched.endpoint)
}

/// What one server tells.
pub(super) fn of_server(server: &Endpoint) -> Result<Shown, Failure> {
    let name = server.to_string();
    let pool = tidegate_upstream::Config::new(name.clone(), vec![server.clone()]);
    let asking = follow::asking(Arc::new(finders::Known { config: None }));
    let fetcher = Fetcher::new(&pool, DEFAULT_REFLECTION_TIMEOUT, Vec::new(), &asking);
    let failed = |exit, message: String| Failure { report: Report::new(vec![Diagnostic::error(message)]), exit };
    let fetched = match follow::ask(vec![fetcher])?.pop() {
        Some(Ok(fetched)) => fetched,
        Some(Err(error)) => return Err(failed(Exit::Unavailable, error.to_string())),
        None => return Err(failed(Exit::Failure, "nobody was asked".to_owned())),
    };
    // As the gateway does: the files that come with it, unless the server's own clash with them.
    let schema = Schema::compile(&[&fetched.descriptor_set, &bundled_descriptor_set()])
        .or_else(|error| Schema::compile(&[&fetched.descriptor_set]).map_err(|_| error))
        .map_err(|error| failed(Exit::Config, format!("the schema that {name} tells cannot be used: {error}")))?;
    let origin = told_by(&fetched);
    Ok(Shown { upstream: name, origin, schema: Arc::new(schema), routed: Vec::new(), overrides: Vec::new() })
}

/// `grpc://host:port`, with or without the scheme.
pub(super) fn server(text: &str) -> Result<Endpoint, String> {
    const EXPECTED: &str = "expected `grpc://HOST:PORT`, for example grpc://127.0.0.1:50051";
    let address = match text.split_once("://") {
        Some(("grpc", address)) => address,
        Some(("grpcs" | "https", _)) => return Err("TLS is not supported yet".to_owned()),
        Some(_) => return Err(EXPECTED.to_owned()),
        None => text,
    };
    let (host, port) = address.rsplit_once(':').ok_or(EXPECTED)?;
    let port: u16 = port.parse().map_err(|_| EXPECTED)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if port == 0 || bare.is_empty() || !bare.chars().all(is_host) || (bare.contains(':') && bare == host) {
        return Err(EXPECTED.to_owned());
    }
    Ok(Endpoint { host: bare.to_owned(), port })
}
