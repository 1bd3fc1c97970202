//! Routes with a `path`: requests that are not translated.

use super::routes::At;
use super::{breaker, canary, forward, matching, rate_limits, resilience};
use crate::diagnostics::Span;
use crate::fields::{Context, Fields};
use crate::value;
use tidegate_gateway::config::{Action, HostPattern, PlainRoute};
use tidegate_traffic::{Entry, Table};

/// One route and the place of its path.
pub(super) fn route(mut fields: Fields<'_>, at: &At<'_>, cx: &mut Context) -> Option<(PlainRoute, Span)> {
    let path = fields.required("path", cx, value::path_pattern);
    let host = fields.optional("host", cx, value::host);
    let conditions = matching::conditions(&mut fields, cx);
    let timeout = fields.optional("timeout", cx, value::duration);
    let max_body = fields.optional("max_body", cx, value::buffer);
    let host = host.map_or(HostPattern::Any, |host| host.value);
    let name = path.as_ref().map(|path| path.value.to_string()).unwrap_or_default();
    let of = canary::Of {
        route: super::routes::full_name(&host, &name),
        calls_services: false,
        upstreams: at.upstreams,
        listeners: at.listeners,
    };
    let canary = canary::read(&mut fields, &of, cx);
    let of_request = timeout.as_ref().map(|timeout| timeout.value);
    let resilience = resilience::of_route(&mut fields, of_request, at.listeners, cx);
    let keys = ["retry", "concurrency", "priority"].map(|key| (key, fields.key_span(key)));
    let rate_limits = rate_limits::names(&mut fields, cx);
    let action = forward::action(&mut fields, path.as_ref().map(|path| &path.value), at.upstreams, cx);
    let of = breaker::Of {
        calls_services: false,
        upstream: action.as_ref().and_then(Action::upstream),
        canary: &canary,
        upstreams: at.upstreams,
        listeners: at.listeners,
    };
    let (breaker, breaker_span) = (breaker::read(&mut fields, &of, cx), fields.key_span("breaker"));
    fields.finish(cx);
    let (path, action) = (path?, action?);
    if !matches!(action, Action::Forward(_)) {
        let given = [resilience.retry.is_some(), resilience.concurrency.is_some(), resilience.priority.is_some()];
        let given = keys.into_iter().zip(given).filter(|(_, given)| *given).map(|(key, _)| key);
        for (key, span) in given.chain(breaker.as_ref().map(|_| ("breaker", breaker_span))) {
            cx.error(span, format!("`{key}` is for routes with an `upstream`"));
        }
    }
    let route = PlainRoute {
        host,
        path: path.value,
        conditions,
        action,
        canary,
        breaker,
        resilience,
        rate_limits,
        timeout: timeout.map(|timeout| timeout.value),
        max_body: max_body.map(|bytes| bytes.value),
        order: at.order,
        place: path.span.place(),
    };
    Some((route, path.span))
}

/// Names the routes that no request can reach: an error if it is asked for the same as by another one, a warning
/// if it is asked for more than by one before it.
pub(super) fn check_reach(routes: &[(PlainRoute, Span)], cx: &mut Context) {
    let mut hosts: Vec<&HostPattern> = Vec::new();
    for (route, _) in routes {
        if !hosts.contains(&&route.host) {
            hosts.push(&route.host);
        }
    }
    for host in hosts {
        let of_host: Vec<&(PlainRoute, Span)> = routes.iter().filter(|(route, _)| route.host == *host).collect();
        let entry = |(route, _): &&(PlainRoute, Span)| Entry {
            pattern: route.path.clone(),
            conditions: route.conditions.clone(),
            order: route.order,
        };
        for shadow in Table::new(of_host.iter().map(entry).collect()).shadows() {
            let ((route, span), (_, first)) = (of_host[shadow.entry], of_host[shadow.by]);
            unreachable(route, *span, *first, shadow.same, cx);
        }
    }
}

fn unreachable(route: &PlainRoute, span: Span, first: Span, same: bool, cx: &mut Context) {
    let (source, path) = (cx.source.clone(), &route.path);
    let hosts = super::routes::on_hosts(&route.host);
    if same {
        cx.error_with(span, format!("two equal routes: `{path}` {hosts}"), |diagnostic| {
            diagnostic
                .label("this one would never be reached")
                .related(&source, first, "the first is here")
                .help("remove one, or give them different conditions")
        });
    } else {
        cx.warn_with(span, format!("this route can never be reached: `{path}` {hosts}"), |diagnostic| {
            diagnostic
                .related(&source, first, "this one takes all that it asks for")
                .help("put the route that asks for more first")
        });
    }
}
