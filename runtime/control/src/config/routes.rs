//! `routes`: which service goes to which upstream.

use super::transcoding;
use super::upstreams::Declared;
use crate::diagnostics::Span;
use crate::fields::{Context, Fields, Located};
use crate::value;
use crate::yaml::Node;
use std::collections::HashMap;
use tidegate_gateway::config::{HostPattern, Route, SchemaSource};

const LATER: &[&str] = &[
    "path",
    "methods",
    "headers",
    "query",
    "rewrite",
    "request_headers",
    "response_headers",
    "upgrade",
    "idle_timeout",
    "retry",
    "breaker",
    "limits",
    "concurrency",
    "canary",
    "metadata",
];

pub(super) fn read(fields: &mut Fields<'_>, upstreams: &[Declared], cx: &mut Context) -> Vec<Route> {
    let Some(node) = fields.required_node("routes", cx) else { return Vec::new() };
    let Some(items) = cx.list("routes", node) else { return Vec::new() };
    if items.is_empty() {
        cx.error(node.span, "`routes` is empty: nothing would be served");
    }
    let mut routes = Vec::new();
    let mut seen: HashMap<(String, HostPattern), Span> = HashMap::new();
    for item in items {
        let Some((route, span)) = route(item, upstreams, cx) else { continue };
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
        routes.push(route);
    }
    for unused in upstreams.iter().filter(|upstream| !is_used(upstream, &routes, upstreams)) {
        cx.warn(unused.name_span, format!("no route goes to the upstream `{}`", unused.name));
    }
    routes
}

/// One route and the place of its service.
fn route(node: &Node, upstreams: &[Declared], cx: &mut Context) -> Option<(Route, Span)> {
    let mut fields = Fields::of(node, "a route", cx)?.not_yet(LATER);
    let service = fields.required("service", cx, value::service);
    let host = fields.optional("host", cx, value::host);
    let upstream = fields.required("upstream", cx, value::text);
    let timeout = fields.optional("timeout", cx, value::duration);
    let max_body = fields.optional("max_body", cx, value::buffer);
    let max_message = fields.optional("max_message", cx, value::buffer);
    let transcode = transcoding::read(&mut fields, cx);
    fields.finish(cx);
    if let Some(upstream) = &upstream {
        check_upstream(upstream, upstreams, cx);
    }
    let (service, upstream) = (service?, upstream?);
    let route = Route {
        service: service.value,
        host: host.map_or(HostPattern::Any, |host| host.value),
        upstream: upstream.value,
        timeout: timeout.map(|timeout| timeout.value),
        max_body: max_body.map(|bytes| bytes.value),
        max_message: max_message.map(|bytes| bytes.value),
        transcode,
        canary: Vec::new(),
        order: 0,
        place: service.span.place(),
    };
    Some((route, service.span))
}

/// It must exist and have descriptors.
fn check_upstream(name: &Located<String>, upstreams: &[Declared], cx: &mut Context) {
    let Some(upstream) = upstreams.iter().find(|upstream| upstream.name == name.value) else {
        // Without any upstream that is what is reported.
        if !upstreams.is_empty() {
            cx.unknown_name("upstream", name, upstreams.iter().map(|upstream| upstream.name.as_str()));
        }
        return;
    };
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
fn is_used(upstream: &Declared, routes: &[Route], upstreams: &[Declared]) -> bool {
    routes.iter().any(|route| route.upstream == upstream.name)
        || upstreams
            .iter()
            .filter_map(|other| other.config.as_ref())
            .any(|other| matches!(&other.schema.source, SchemaSource::Like(name) if *name == upstream.name))
}

fn on_hosts(host: &HostPattern) -> String {
    match host {
        HostPattern::Any => "on every host".to_owned(),
        HostPattern::Exact(name) => format!("on `{name}`"),
        HostPattern::Suffix(suffix) => format!("on `*{suffix}`"),
    }
}
