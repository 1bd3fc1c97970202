//! Makes a snapshot's routes and hosts of a config and its schemas, or says what is wrong.

use super::services::Services;
use super::{CompiledRoute, Host, Schemas, Target, plain};
use crate::breakers::{self, Breakers};
use crate::canary::Rules;
use crate::config::limits::Replies;
use crate::config::{Config, HostPattern, Problem, Route, SchemaSource, Upstream};
use crate::headers::HeaderRules;
use crate::limits::{self, RouteLimits};
use crate::local::{self, Catalog};
use crate::policies::Policies;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use std::sync::Arc;
use tidegate_protojson::Schema;
use tidegate_telemetry::metrics::Metrics;
use tidegate_transcode::{Binding, Router, RouterBuilder, RuleProblem};

/// The routes to services, in their order.
pub(super) fn routes(
    config: &Config,
    schemas: &Schemas,
    metrics: &Metrics,
    problems: &mut Vec<Problem>,
) -> Vec<CompiledRoute> {
    let headers = Arc::new(HeaderRules::new(&config.metadata));
    let mut routes = Vec::new();
    for route in &config.routes {
        let upstream = config.upstreams.iter().position(|upstream| upstream.name == route.upstream);
        let schema = schemas.get(&route.upstream);
        let owner = upstream.and_then(|upstream| config.schema_owner(upstream));
        let reflects = |index: usize| matches!(config.upstreams[index].schema.source, SchemaSource::Reflection(_));
        let (Some(upstream), true) = (upstream, schema.is_some() || owner.is_some_and(reflects)) else {
            let message = format!("upstream `{}` has no schema, so its services are not known", route.upstream);
            let help = Some("give it `schema: { proto: […] }` or `schema: { reflection: true }`".into());
            problems.push(Problem { place: Some(route.place), message, help });
            continue;
        };
        let name = plain::route_name(&route.host, &route.service);
        let canary = Rules::compile(&name, &route.canary, upstream, config, metrics);
        routes.push(CompiledRoute {
            upstream,
            schema_owner: owner.unwrap_or(upstream),
            schema: schema.map(Arc::clone).unwrap_or_default(),
            pending: schema.is_none(),
            timeout: route.timeout,
            max_body: route.max_body,
            replies: replies(&config.upstreams[upstream], route),
            transcode: route.transcode.clone(),
            headers: route
                .metadata
                .as_ref()
                .map_or_else(|| Arc::clone(&headers), |own| Arc::new(HeaderRules::new(own))),
            limits: {
                let calls =
                    schema.map_or(limits::Calls::Pending, |schema| limits::Calls::Service(&route.service, schema));
                let of = limits::Of { route: &name, calls, config };
                RouteLimits::compile(&route.rate_limits, &of, problems)
            },
            breakers: {
                let service = schema.map(|schema| (&*route.service, &**schema));
                let of = breakers_of(&name, upstream, canary.as_ref(), service, config);
                Breakers::compile(route.breaker.as_ref(), &of, problems)
            },
            policies: Policies::compile(&name, &route.resilience, config),
            canary,
        });
    }
    routes
}

/// The path variables that limits look at.
pub(super) fn check_variables(config: &Config, routes: &[CompiledRoute], hosts: &[Host], problems: &mut Vec<Problem>) {
    for (index, route) in routes.iter().enumerate().filter(|(_, route)| !route.pending && !hosts.is_empty()) {
        let bindings = hosts.iter().flat_map(|host| host.router.bindings());
        let own = bindings.filter(|binding| binding.tag as usize == index);
        let known: Vec<&str> = own.flat_map(Binding::variables).collect();
        route.limits.check_variables(&known, config, problems);
    }
}

/// What a route's breakers are for.
pub(super) fn breakers_of<'c>(
    route: &'c str,
    stable: usize,
    canary: Option<&Rules>,
    service: Option<(&'c str, &'c Schema)>,
    config: &'c Config,
) -> breakers::Of<'c> {
    let others = canary.into_iter().flat_map(Rules::upstreams);
    breakers::Of { route, upstreams: [stable].into_iter().chain(others).collect(), service, config }
}

/// The upstream's limits, and the route's own.
fn replies(upstream: &Upstream, route: &Route) -> Replies {
    let max_message = route.max_message.unwrap_or(upstream.replies.max_message);
    Replies { max_message, ..upstream.replies }
}

/// What is served where, by host pattern: exact names first.
pub(super) fn hosts(
    config: &Config,
    routes: &[CompiledRoute],
    metrics: &Metrics,
    problems: &mut Vec<Problem>,
) -> Vec<Host> {
    let of_services = config.routes.iter().map(|route| &route.host);
    let mut patterns: Vec<&HostPattern> = of_services.chain(config.plain.iter().map(|route| &route.host)).collect();
    patterns.sort_by_key(|pattern| pattern.rank());
    patterns.dedup();
    let mut hosts = Vec::new();
    for pattern in patterns {
        let mut builder = RouterBuilder::new();
        let (mut found, mut pending) = (Vec::new(), Vec::new());
        for (index, route) in config.routes.iter().enumerate().filter(|(_, route)| route.host == *pattern) {
            let compiled = &routes[index];
            if compiled.pending {
                pending.push(index);
                continue;
            }
            let rules = &config.upstreams[compiled.upstream].schema.http_rules;
            let overrides: Vec<_> = rules.iter().flat_map(|(_, rules)| rules.iter().cloned()).collect();
            let tag = u32::try_from(index).unwrap_or(u32::MAX);
            let added = builder.add_service(&compiled.schema, &route.service, &overrides, tag);
            found.extend(added.err().unwrap_or_default());
        }
        let (plain, plain_routes) = plain::table(config, pattern);
        match builder.build() {
            Ok(router) => hosts.push(Host {
                targets: targets(&router, config, routes, metrics),
                plain,
                plain_routes,
                services: Services::compile(config, pattern, routes, metrics),
                catalog: config.grpc.reflection.then(|| Arc::new(catalog(config, pattern, routes))),
                pattern: pattern.clone(),
                router,
                pending,
            }),
            Err(conflicts) => found.extend(conflicts),
        }
        problems.extend(found.iter().map(|problem| at_route(config, pattern, problem)));
    }
    hosts
}

fn targets(router: &Router, config: &Config, routes: &[CompiledRoute], metrics: &Metrics) -> Vec<Target> {
    let target = |binding: &Binding| {
        let upstream = &config.upstreams[routes[binding.tag as usize].upstream];
        Target {
            uri: upstream_uri(&upstream.name, &binding.rpc),
            metrics: metrics.route(&binding.template, binding.method_str()),
        }
    };
    router.bindings().map(target).collect()
}

/// The services of all routes with this host pattern.
fn catalog(config: &Config, host: &HostPattern, routes: &[CompiledRoute]) -> Catalog {
    let routes = config.routes.iter().zip(routes).filter(|(route, _)| route.host == *host);
    local::catalog(config, routes.map(|(route, compiled)| (&*route.service, &compiled.schema)))
}

/// What an upstream is asked for at `path`.
pub(super) fn upstream_uri(upstream: &str, path: &str) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority(upstream));
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    Uri::from_parts(parts).unwrap_or_default()
}

/// The upstream's name as `:authority`, if it can be one: services see a stable name, whatever the endpoint.
fn authority(upstream: &str) -> Authority {
    Authority::try_from(upstream).unwrap_or_else(|_| Authority::from_static("upstream"))
}

/// The place of the route whose service the rule belongs to.
fn at_route(config: &Config, host: &HostPattern, problem: &RuleProblem) -> Problem {
    let serves = |route: &&Route| {
        let rest = problem.place.selector.strip_prefix(&route.service);
        route.host == *host && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let place = config.routes.iter().find(serves).map(|route| route.place);
    Problem { place, message: problem.to_string(), help: None }
}
