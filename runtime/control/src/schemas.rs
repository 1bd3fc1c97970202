//! From the sources that a config names to compiled schemas, one per upstream.

use crate::diagnostics::{Diagnostic, Report, Site, Source, Span, nearest};
use std::path::Path;
use std::sync::Arc;
use tidegate_gateway::config::{Config, Route, SchemaSource, Upstream};
use tidegate_gateway::snapshot::{NO_UPSTREAM, Schemas};
use tidegate_protojson::{Schema, SchemaError};
use tidegate_transcode::HttpRule;
use tidegate_transcode::ports::{SchemaCompiler, SchemaProblem};

/// The largest descriptor set that is read, in bytes.
const MAX_DESCRIPTOR_SET: u64 = 256 << 20;
/// The largest `.proto` file of which diagnostics show lines.
const MAX_SHOWN: u64 = 4 << 20;

/// The schemas of a config that do not change while it is in force, and what it takes to add those that
/// upstreams tell of themselves.
#[derive(Debug)]
pub struct Sources {
    config: Arc<Config>,
    source: Arc<Source>,
    /// By upstream, and for none; those with `like` and those that reflect are not among them.
    own: Schemas,
    bundled: Vec<u8>,
}

/// Compiles the schema of every upstream of `config` that has one of files, and checks that each route's
/// service is in it. `source` is the config file. Blocks on files and compilation.
///
/// # Errors
/// Everything that is wrong, across all upstreams.
pub fn schemas(config: &Config, source: &Arc<Source>, compiler: &dyn SchemaCompiler) -> Result<Schemas, Report> {
    Sources::load(Arc::new(config.clone()), source, compiler)?.with(&Schemas::new())
}

// === impl Sources ===

impl Sources {
    /// Compiles the schema of every upstream that has one of files. Blocks on files and compilation.
    ///
    /// # Errors
    /// Everything that is wrong, across all upstreams.
    pub fn load(config: Arc<Config>, source: &Arc<Source>, compiler: &dyn SchemaCompiler) -> Result<Self, Report> {
        // Without folders it gives the bundled files: they must be there for error details to be readable.
        let bundled = compiler.compile(&[]).map_err(|errors| {
            let place = config.upstreams.first().map(|upstream| upstream.schema.place).unwrap_or_default();
            Report::new(errors.into_iter().map(|error| diagnostic(error, source, place.into())).collect())
        })?;
        let mut sources = Self { config, source: Arc::clone(source), own: Schemas::new(), bundled };
        if let Ok(bundled) = Schema::compile(&[&sources.bundled]) {
            sources.own.insert(NO_UPSTREAM.to_owned(), Arc::new(bundled));
        }
        let mut problems = Vec::new();
        let config = Arc::clone(&sources.config);
        for upstream in &config.upstreams {
            match sources.own_schema(upstream, compiler) {
                Ok(Some(schema)) => {
                    sources.own.insert(upstream.name.clone(), Arc::new(schema));
                }
                Ok(None) => {}
                Err(errors) => problems.extend(errors),
            }
        }
        if problems.is_empty() { Ok(sources) } else { Err(Report::new(problems)) }
    }

    /// What the schemas are for.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The config file.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The services that routes serve with the schema of the upstream at this place of the config.
    #[must_use]
    pub fn services_of(&self, upstream: usize) -> Vec<String> {
        let routes = self.config.routes.iter();
        let owned = |name: &str| {
            let index = self.config.upstreams.iter().position(|upstream| upstream.name == name);
            index.and_then(|index| self.config.schema_owner(index)) == Some(upstream)
        };
        let mut services: Vec<String> =
            routes.filter(|route| owned(&route.upstream)).map(|route| route.service.clone()).collect();
        services.sort();
        services.dedup();
        services
    }

    /// Those of [`services_of`](Self::services_of) of which `schemas` says no way to call them over REST.
    pub(crate) fn without_rules(&self, upstream: usize, schemas: &Schemas) -> Vec<String> {
        let Some(owner) = self.config.upstreams.get(upstream) else { return Vec::new() };
        let Some(schema) = schemas.get(&owner.name) else { return Vec::new() };
        let configured = |service: &str| {
            let mut rules = self.config.upstreams.iter().flat_map(|upstream| &upstream.schema.http_rules);
            rules.any(|(_, rules)| {
                rules.iter().any(|rule| rule.selector.rsplit_once('.').is_some_and(|(s, _)| s == service))
            })
        };
        let annotated = |service: &str| {
            let methods = schema.find_service(service).map(|service| &service.methods[..]).unwrap_or_default();
            methods.iter().any(|method| matches!(HttpRule::from_method_options(&method.options), Ok(Some(_)) | Err(_)))
        };
        let mut services = self.services_of(upstream);
        services.retain(|service| !configured(service) && !annotated(service));
        services
    }

    /// What the schemas show of the routes that is allowed but probably not meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<Diagnostic> {
        let retried = self.config.routes.iter().filter(|route| route.resilience.retry.is_some());
        let streams = |route: &&Route| {
            let upstream = self.config.upstreams.iter().position(|upstream| upstream.name == route.upstream);
            let owner = upstream.and_then(|upstream| self.config.schema_owner(upstream));
            let schema = owner.and_then(|owner| self.own.get(&self.config.upstreams[owner].name));
            let methods = schema.and_then(|schema| schema.find_service(&route.service)).map(|found| &found.methods[..]);
            methods
                .is_some_and(|methods| methods.iter().all(|method| method.client_streaming || method.server_streaming))
        };
        let warning = |route: &Route| {
            let message = format!("`retry` does nothing here: all methods of `{}` are streams", route.service);
            let help = "streams are never made again: remove it";
            Diagnostic::warning(message).at(&self.source, route.place.into()).help(help)
        };
        retried.filter(streams).map(warning).collect()
    }

    /// Compiles a descriptor set together with the files that come with the gateway. A file that the set
    /// has as well is taken from there.
    ///
    /// # Errors
    /// The first element that cannot be compiled.
    pub fn compile(&self, set: &[u8]) -> Result<Schema, SchemaError> {
        // If both together do not compile, the set may declare the bundled messages in files of other
        // names: then it needs no others.
        Schema::compile(&[set, &self.bundled]).or_else(|error| Schema::compile(&[set]).map_err(|_| error))
    }

    /// All schemas, with those that upstreams `told`, by the upstream's name. Each route's service must be
    /// in its upstream's schema, if that is known.
    ///
    /// # Errors
    /// Everything that is wrong, across all upstreams.
    pub fn with(&self, told: &Schemas) -> Result<Schemas, Report> {
        let mut problems = Vec::new();
        let mut schemas = self.own.clone();
        schemas.extend(told.iter().map(|(name, schema)| (name.clone(), Arc::clone(schema))));
        share(&self.config, &mut schemas);
        check_services(&self.config, &schemas, &self.source, &mut problems);
        check_selectors(&self.config, &schemas, &self.source, &mut problems);
        if problems.is_empty() { Ok(schemas) } else { Err(Report::new(problems)) }
    }

    /// `None` if the upstream has no schema of its own, or tells it itself.
    fn own_schema(
        &self,
        upstream: &Upstream,
        compiler: &dyn SchemaCompiler,
    ) -> Result<Option<Schema>, Vec<Diagnostic>> {
        let place = Span::from(upstream.schema.place);
        let at_config = |message: String| vec![Diagnostic::error(message).at(&self.source, place)];
        let (set, name) = match &upstream.schema.source {
            SchemaSource::None | SchemaSource::Like(_) | SchemaSource::Reflection(_) => return Ok(None),
            SchemaSource::Proto(folders) => {
                let set = compiler.compile(folders).map_err(|errors| {
                    errors.into_iter().map(|error| diagnostic(error, &self.source, place)).collect::<Vec<_>>()
                })?;
                (set, None)
            }
            SchemaSource::DescriptorSet(path) => {
                let set = read_descriptor_set(path).map_err(at_config)?;
                (set, Some(path))
            }
        };
        self.compile(&set).map(Some).map_err(|error| match name {
            Some(path) => at_config(format!("the descriptor set `{}`: {error}", path.display())),
            None => at_config(format!("the schema of `{}`: {error}", upstream.name)),
        })
    }
}

fn read_descriptor_set(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        let size = std::fs::metadata(path)?.len();
        if size > MAX_DESCRIPTOR_SET {
            return Err(std::io::Error::other(format!("it has {size} bytes; {MAX_DESCRIPTOR_SET} is the most")));
        }
        std::fs::read(path)
    };
    read().map_err(|error| format!("cannot read the descriptor set `{}`: {error}", path.display()))
}

/// Points into the `.proto` file if it is known, and says which schema of the config led there.
fn diagnostic(problem: SchemaProblem, config: &Arc<Source>, place: Span) -> Diagnostic {
    let SchemaProblem { file, line, column, message, help } = problem;
    let diagnostic = Diagnostic { help, ..Diagnostic::error(message) };
    if file.is_empty() {
        return diagnostic.at(config, place);
    }
    let source = Source::read_for_display(Path::new(&file), MAX_SHOWN);
    let span = line.map(|line| Span { line, column: column.unwrap_or(1), width: 0 });
    Diagnostic { site: Some(Site { source, span }), ..diagnostic }.related(config, place, "for this schema")
}

/// Gives every upstream with `like` the schema that its chain ends at.
fn share(config: &Config, schemas: &mut Schemas) {
    // Each round resolves at least one more link of every chain.
    for _ in &config.upstreams {
        for upstream in &config.upstreams {
            if let SchemaSource::Like(other) = &upstream.schema.source
                && let Some(schema) = schemas.get(other).map(Arc::clone)
            {
                schemas.insert(upstream.name.clone(), schema);
            }
        }
    }
}

/// Every route's service must be in its upstream's schema.
fn check_services(config: &Config, schemas: &Schemas, source: &Arc<Source>, problems: &mut Vec<Diagnostic>) {
    for route in &config.routes {
        let Some(schema) = schemas.get(&route.upstream) else { continue };
        if schema.find_service(&route.service).is_some() {
            continue;
        }
        let services = || schema.services().iter().map(|service| &*service.full_name);
        let message = format!("the schema of `{}` has no service `{}`", route.upstream, route.service);
        let diagnostic = Diagnostic::error(message).at(source, route.place.into());
        let near = nearest(&route.service, services()).or_else(|| same_last_part(&route.service, services()));
        let diagnostic = match near {
            Some(near) => diagnostic.label(format!("did you mean `{near}`?")),
            None => diagnostic,
        };
        let names: Vec<String> = services().map(|name| format!("`{name}`")).collect();
        problems.push(diagnostic.help(if names.is_empty() {
            "it has no services at all".to_owned()
        } else {
            format!("it has {}", names.join(", "))
        }));
    }
}

/// A configured rule for a service of the schema must select one of its methods. Rules for other
/// services are left alone: a service config may have some for the mixins of its platform.
fn check_selectors(config: &Config, schemas: &Schemas, source: &Arc<Source>, problems: &mut Vec<Diagnostic>) {
    for upstream in &config.upstreams {
        let Some(schema) = schemas.get(&upstream.name) else { continue };
        for (path, rules) in &upstream.schema.http_rules {
            for selector in rules.iter().map(|rule| rule.selector.as_str()) {
                let Some((service, method)) = selector.rsplit_once('.') else { continue };
                let Some(found) = schema.find_service(service) else { continue };
                if found.methods.iter().any(|known| &*known.name == method) {
                    continue;
                }
                let file = Source::read_for_display(Path::new(path), MAX_SHOWN);
                let message = format!("the service `{service}` has no method `{method}`");
                let diagnostic = match file.find_word(selector) {
                    Some(span) => Diagnostic::error(message).at(&file, span),
                    None => Diagnostic::error(message).in_file(&file),
                };
                let diagnostic = match nearest(method, found.methods.iter().map(|known| &*known.name)) {
                    Some(near) => diagnostic.label(format!("did you mean `{service}.{near}`?")),
                    None => diagnostic,
                };
                problems.push(diagnostic.related(source, upstream.schema.place.into(), "for this schema"));
            }
        }
    }
}

/// `Orders` for `shop.v1.Orders`: the package was forgotten or is another.
fn same_last_part<'s>(name: &str, services: impl Iterator<Item = &'s str>) -> Option<&'s str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let wanted = last(name);
    let mut services = services.filter(|service| last(service) == wanted);
    services.next().filter(|_| services.next().is_none())
}
