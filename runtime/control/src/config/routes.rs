//! `routes`: which requests go to which upstream. Those with a `path` are read by [`plain`].

use super::upstreams::Declared;
use super::{breaker, canary, metadata, plain, rate_limits, resilience, transcoding};
use crate::diagnostics::{Span, nearest};
use crate::fields::{Context, Fields, Located};
use crate::value;
use std::collections::HashMap;
use tidegate_gateway::config::{
    Breaker, CanaryRule, Fallback, HostPattern, Listener, Place, PlainRoute, Route, SchemaSource,
};

const LATER: &[&str] = &["idle_timeout"];

/// Keys of routes with a `path` alone.
const PLAIN: &[&str] = &[
    "methods",
    "headers",
    "query",
    "rewrite",
    "request_headers",
    "response_headers",
    "upgrade",
    "redirect",
    "respond",
];

/// Both kinds of routes.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) services: Vec<Route>,
    pub(super) plain: Vec<PlainRoute>,
}

/// Where a route stands.
pub(super) struct At<'a> {
    /// Its place among all.
    pub(super) order: usize,
    pub(super) upstreams: &'a [Declared],
    pub(super) listeners: &'a [Listener],
}

pub(super) fn read(
    fields: &mut Fields<'_>,
    upstreams: &[Declared],
    listeners: &[Listener],
    cx: &mut Context,
) -> Routes {
    let Some(node) = fields.required_node("routes", cx) else { return Routes::default() };
    let Some(items) = cx.list("routes", node) else { return Routes::default() };
    if items.is_empty() {
        cx.error(node.span, "`routes` is empty: nothing would be served");
    }
    let mut services: Vec<(Route, Span)> = Vec::new();
    let mut plain: Vec<(PlainRoute, Span)> = Vec::new();
    for (order, item) in items.iter().enumerate() {
        let at = At { order, upstreams, listeners };
        let Some(fields) = Fields::of(item, "a route", cx) else { continue };
        let fields = fields.not_yet(LATER);
        let has = |key: &str| fields.entries().iter().any(|entry| entry.key == key);
        match (has("service"), has("path")) {
            (true, true) => cx.error_with(fields.key_span("path"), "a route has both `service` and `path`", |d| {
                d.label("make it two routes")
            }),
            (false, true) => plain.extend(plain::route(fields, &at, cx)),
            (_, false) => services.extend(service(fields, &at, cx)),
        }
    }
    let services = distinct(services, cx);
    plain::check_reach(&plain, cx);
    let routes = Routes { services, plain: plain.into_iter().map(|(route, _)| route).collect() };
    check_plans(&routes, cx);
    check_breakers(&routes, cx);
    for unused in upstreams.iter().filter(|upstream| !is_used(upstream, &routes, upstreams)) {
        cx.warn(unused.name_span, format!("no route goes to the upstream `{}`", unused.name));
    }
    routes
}

/// Without those that name a service for a second time on the same hosts.
fn distinct(routes: Vec<(Route, Span)>, cx: &mut Context) -> Vec<Route> {
    let mut seen: HashMap<(String, HostPattern), Span> = HashMap::new();
    let mut distinct = Vec::new();
    for (route, span) in routes {
        let key = (route.service.clone(), route.host.clone());
        if let Some(first) = seen.get(&key).copied() {
            let source = cx.source.clone();
            let message = format!("two equal routes: `{}` {}", route.service, on_hosts(&route.host));
            cx.error_with(span, message, |diagnostic| {
                diagnostic
                    .label("this one would never be reached")
                    .related(&source, first, "the first is here")
                    .help("remove one, or give them different hosts")
            });
            continue;
        }
        seen.insert(key, span);
        distinct.push(route);
    }
    distinct
}

/// One route to a service, and the place of its name.
fn service(mut fields: Fields<'_>, at: &At<'_>, cx: &mut Context) -> Option<(Route, Span)> {
    if !fields.entries().iter().any(|entry| nearest(&entry.key, ["service", "path"]).is_some()) {
        cx.error(fields.span(), "a route needs `service` or `path`");
        return None;
    }
    for key in PLAIN {
        if fields.node(key, cx).is_some() {
            cx.error_with(fields.key_span(key), format!("`{key}` is for routes with a `path`"), |d| {
                d.help(match *key {
                    "methods" | "headers" | "query" => {
                        "a service takes all its calls; send some of them elsewhere with `canary`"
                    }
                    "request_headers" | "response_headers" => "what calls carry is said by `metadata`",
                    _ => "a service is called by its own paths",
                })
            });
        }
    }
    let service = fields.required("service", cx, value::service);
    let host = fields.optional("host", cx, value::host);
    let upstream = fields.required("upstream", cx, value::text);
    let timeout = fields.optional("timeout", cx, value::duration);
    let max_body = fields.optional("max_body", cx, value::buffer);
    let max_message = fields.optional("max_message", cx, value::buffer);
    let transcode = transcoding::read(&mut fields, cx);
    let metadata = metadata::of_route(&mut fields, cx);
    let host = host.map_or(HostPattern::Any, |host| host.value);
    let name = service.as_ref().map(|service| service.value.clone()).unwrap_or_default();
    let of = canary::Of {
        route: full_name(&host, &name),
        calls_services: true,
        upstreams: at.upstreams,
        listeners: at.listeners,
    };
    let canary = canary::read(&mut fields, &of, cx);
    let of = breaker::Of {
        calls_services: true,
        upstream: upstream.as_ref().map(|upstream| &*upstream.value),
        canary: &canary,
        upstreams: at.upstreams,
        listeners: at.listeners,
    };
    let breaker = breaker::read(&mut fields, &of, cx);
    let of_call = timeout.as_ref().map(|timeout| timeout.value);
    let resilience = resilience::of_route(&mut fields, of_call, at.listeners, cx);
    let rate_limits = rate_limits::names(&mut fields, cx);
    fields.finish(cx);
    if let Some(upstream) = &upstream {
        check_upstream(upstream, at.upstreams, cx);
    }
    let (service, upstream) = (service?, upstream?);
    let route = Route {
        service: service.value,
        host,
        upstream: upstream.value,
        timeout: timeout.map(|timeout| timeout.value),
        max_body: max_body.map(|bytes| bytes.value),
        max_message: max_message.map(|bytes| bytes.value),
        transcode,
        metadata,
        canary,
        breaker,
        resilience,
        rate_limits,
        order: at.order,
        place: service.span.place(),
    };
    Some((route, service.span))
}

/// A route's name among all: what it serves, and on which host.
pub(super) fn full_name(host: &HostPattern, what: &str) -> String {
    match host {
        HostPattern::Any => what.to_owned(),
        host => format!("{host} {what}"),
    }
}

/// Plans are commanded by their names.
fn check_plans(routes: &Routes, cx: &mut Context) {
    let of_services = routes.services.iter().flat_map(|route| &route.canary);
    let mut seen: HashMap<&str, Place> = HashMap::new();
    for rule in of_services.chain(routes.plain.iter().flat_map(|route| &route.canary)) {
        let Some(plan) = &rule.plan else { continue };
        let Some(first) = seen.insert(&plan.name, rule.place) else { continue };
        let source = cx.source.clone();
        cx.error_with(rule.place.into(), format!("two plans are named `{}`", plan.name), |d| {
            d.label("again here").related(&source, first.into(), "first here").help("give one another `name`")
        });
    }
}

/// Breakers are shown and commanded by the names of their routes.
fn check_breakers(routes: &Routes, cx: &mut Context) {
    let mut seen: HashMap<String, Place> = HashMap::new();
    for route in routes.plain.iter().filter(|route| route.breaker.is_some()) {
        let name = full_name(&route.host, &route.path.to_string());
        let Some(first) = seen.insert(name.clone(), route.place) else { continue };
        let source = cx.source.clone();
        cx.error_with(route.place.into(), format!("two routes with a `breaker` are for `{name}`"), |d| {
            d.label("again here").related(&source, first.into(), "first here").help("leave one without")
        });
    }
}

/// It must exist.
pub(super) fn check_exists<'u>(
    name: &Located<String>,
    upstreams: &'u [Declared],
    cx: &mut Context,
) -> Option<&'u Declared> {
    let found = upstreams.iter().find(|upstream| upstream.name == name.value);
    // Without any upstream that is what is reported.
    if found.is_none() && !upstreams.is_empty() {
        cx.unknown_name("upstream", name, upstreams.iter().map(|upstream| upstream.name.as_str()));
    }
    found
}

/// It must exist and have descriptors.
fn check_upstream(name: &Located<String>, upstreams: &[Declared], cx: &mut Context) {
    let Some(upstream) = check_exists(name, upstreams, cx) else { return };
    if matches!(&upstream.config, Some(config) if config.schema.source == SchemaSource::None) {
        let source = cx.source.clone();
        let message = format!("the upstream `{}` has no `schema`, so its services are not known", name.value);
        cx.error_with(name.span, message, |diagnostic| {
            diagnostic
                .related(&source, upstream.name_span, "declared here")
                .help("give it `schema: { proto: [folder/] }`, `{ descriptor_set: file.pb }` or `{ reflection: true }`")
        });
    }
}

/// By a route, or by an upstream that shares its schema.
fn is_used(upstream: &Declared, routes: &Routes, upstreams: &[Declared]) -> bool {
    let takes = |canary: &[CanaryRule], breaker: Option<&Breaker>| {
        let falls_back = breaker.is_some_and(|breaker| breaker.fallback == Fallback::Upstream(upstream.name.clone()));
        falls_back || canary.iter().any(|rule| rule.to == upstream.name)
    };
    let named = Some(&*upstream.name);
    let of_service = |route: &Route| Some(&*route.upstream) == named || takes(&route.canary, route.breaker.as_ref());
    let of_plain = |route: &PlainRoute| route.upstream() == named || takes(&route.canary, route.breaker.as_ref());
    routes.services.iter().any(of_service)
        || routes.plain.iter().any(of_plain)
        || upstreams
            .iter()
            .filter_map(|other| other.config.as_ref())
            .any(|other| matches!(&other.schema.source, SchemaSource::Like(name) if *name == upstream.name))
}

pub(super) fn on_hosts(host: &HostPattern) -> String {
    match host {
        HostPattern::Any => "on every host".to_owned(),
        HostPattern::Exact(name) => format!("on `{name}`"),
        HostPattern::Suffix(suffix) => format!("on `*{suffix}`"),
    }
}
