//! From the sources that a config names to compiled schemas, one per upstream.

use crate::diagnostics::{Diagnostic, Report, Site, Source, Span, nearest};
use std::path::Path;
use std::sync::Arc;
use tidegate_gateway::config::{Config, SchemaSource, Upstream};
use tidegate_gateway::snapshot::Schemas;
use tidegate_protojson::Schema;
use tidegate_transcode::ports::{SchemaCompiler, SchemaProblem};

/// The largest descriptor set that is read, in bytes.
const MAX_DESCRIPTOR_SET: u64 = 256 << 20;
/// The largest `.proto` file of which diagnostics show lines.
const MAX_SHOWN: u64 = 4 << 20;

/// Compiles the schema of every upstream of `config`, and checks that each route's service is in it.
/// `source` is the config file. Blocks on files and compilation.
///
/// # Errors
/// Everything that is wrong, across all upstreams.
pub fn schemas(config: &Config, source: &Arc<Source>, compiler: &dyn SchemaCompiler) -> Result<Schemas, Report> {
    let mut problems = Vec::new();
    let mut schemas = Schemas::new();
    for upstream in &config.upstreams {
        match own_schema(upstream, source, compiler) {
            Ok(Some(schema)) => {
                schemas.insert(upstream.name.clone(), Arc::new(schema));
            }
            Ok(None) => {}
            Err(errors) => problems.extend(errors),
        }
    }
    share(config, &mut schemas);
    if problems.is_empty() {
        check_services(config, &schemas, source, &mut problems);
        check_selectors(config, &schemas, source, &mut problems);
    }
    if problems.is_empty() { Ok(schemas) } else { Err(Report::new(problems)) }
}

/// `None` if the upstream has no schema of its own.
fn own_schema(
    upstream: &Upstream,
    source: &Arc<Source>,
    compiler: &dyn SchemaCompiler,
) -> Result<Option<Schema>, Vec<Diagnostic>> {
    let place = Span::from(upstream.schema.place);
    let at_config = |message: String| vec![Diagnostic::error(message).at(source, place)];
    let (set, name) = match &upstream.schema.source {
        SchemaSource::None | SchemaSource::Like(_) => return Ok(None),
        SchemaSource::Proto(folders) => {
            let set = compiler.compile(folders).map_err(|errors| {
                errors.into_iter().map(|error| diagnostic(error, source, place)).collect::<Vec<_>>()
            })?;
            (set, None)
        }
        SchemaSource::DescriptorSet(path) => {
            let set = read_descriptor_set(path).map_err(at_config)?;
            (set, Some(path))
        }
    };
    // Without folders it gives the bundled files: they must be there for error details to be readable.
    // A file that the user's set has as well is taken from there.
    let bundled = compiler
        .compile(&[])
        .map_err(|errors| errors.into_iter().map(|error| diagnostic(error, source, place)).collect::<Vec<_>>())?;
    // If both together do not compile, the set may declare the bundled messages in files of other
    // names: then it needs no others.
    let compiled = Schema::compile(&[&set, &bundled]).or_else(|error| Schema::compile(&[&set]).map_err(|_| error));
    compiled.map(Some).map_err(|error| match name {
        Some(path) => at_config(format!("the descriptor set `{}`: {error}", path.display())),
        None => at_config(format!("the schema of `{}`: {error}", upstream.name)),
    })
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
