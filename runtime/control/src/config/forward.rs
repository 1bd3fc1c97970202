//! What a route with a `path` does: send on, redirect, or answer.

use super::routes::check_exists;
use super::upstreams::Declared;
use crate::fields::{Context, Fields, Located};
use crate::value::{self, Wrong};
use crate::yaml::{Kind, Node};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, StatusCode};
use tidegate_gateway::config::{Action, Forward, HeaderEdits, Redirect, Respond, Rewrite, Template, Upgrade};
use tidegate_traffic::PathPattern;
use tidegate_upstream::Protocol;

/// Keys that mean something only where requests are sent on.
const OF_FORWARD: &[&str] =
    &["upstream", "rewrite", "request_headers", "upgrade", "canary", "timeout", "idle_timeout", "max_body"];

/// The action of a route, whose `path` may be wrong.
pub(super) fn action(
    fields: &mut Fields<'_>,
    path: Option<&PathPattern>,
    upstreams: &[Declared],
    cx: &mut Context,
) -> Option<Action> {
    let response_headers = edits("response_headers", fields, cx);
    let (redirects, responds) = (fields.node("redirect", cx), fields.node("respond", cx));
    let own = match (redirects, responds) {
        (Some(_), Some(_)) => {
            cx.error_with(fields.key_span("respond"), "a route has both `redirect` and `respond`", |d| {
                d.label("keep one of them")
            });
            return None;
        }
        (Some(node), None) => ("redirect", redirect(node, path, response_headers, cx).map(Action::Redirect)),
        (None, Some(node)) => ("respond", respond(node, response_headers, cx).map(Action::Respond)),
        (None, None) => return forward(fields, path, response_headers, upstreams, cx).map(Action::Forward),
    };
    let (key, action) = own;
    for useless in OF_FORWARD {
        if fields.node(useless, cx).is_some() {
            cx.error_with(fields.key_span(useless), format!("`{useless}` does nothing in a route with `{key}`"), |d| {
                d.label("remove it: nothing is sent on")
            });
        }
    }
    action
}

fn forward(
    fields: &mut Fields<'_>,
    path: Option<&PathPattern>,
    response_headers: HeaderEdits,
    upstreams: &[Declared],
    cx: &mut Context,
) -> Option<Forward> {
    let upstream = fields.required("upstream", cx, value::text);
    let rewrite = fields.node("rewrite", cx).and_then(|node| {
        let mut fields = Fields::of(node, "`rewrite`", cx)?;
        let rewrite = rewrite(&mut fields, path, cx);
        if rewrite.is_none() && !["prefix", "path"].iter().any(|key| has(&fields, key)) {
            cx.error(fields.span(), "`rewrite` needs `prefix` or `path`");
        }
        fields.finish(cx);
        rewrite
    });
    let request_headers = edits("request_headers", fields, cx);
    let idle_timeout = fields.optional("idle_timeout", cx, value::duration);
    let upgrades = fields.node("upgrade", cx).and_then(|node| cx.scalars("upgrade", node, upgrade));
    let declared = upstream.as_ref().and_then(|upstream| check_exists(upstream, upstreams, cx));
    if upgrades.as_ref().is_some_and(|upgrades| !upgrades.is_empty())
        && let Some(config) = declared.and_then(|declared| declared.config.as_ref())
        && config.pool.protocol != Protocol::H1
    {
        cx.error_with(fields.key_span("upgrade"), "`upgrade` needs an upstream that speaks HTTP/1.1", |d| {
            d.help("HTTP/2 has no upgrades: give the upstream `protocol: h1`, and no `schema`")
        });
    }
    Some(Forward {
        upstream: upstream?.value,
        rewrite,
        request_headers,
        response_headers,
        upgrades: upgrades.unwrap_or_default().into_iter().map(|upgrade| upgrade.value).collect(),
        idle_timeout: idle_timeout.map(|timeout| timeout.value),
    })
}

fn upgrade(text: &str) -> Result<Upgrade, Wrong> {
    match text {
        "websocket" => Ok(Upgrade::WebSocket),
        _ => Err(Wrong { expected: "`websocket`", hint: "no other protocol can be changed to".into() }),
    }
}

fn has(fields: &Fields<'_>, key: &str) -> bool {
    fields.entries().iter().any(|entry| entry.key == key)
}

/// `prefix` or `path`, one of them.
fn rewrite(fields: &mut Fields<'_>, pattern: Option<&PathPattern>, cx: &mut Context) -> Option<Rewrite> {
    let prefix = fields.optional("prefix", cx, value::normal_path);
    let path = fields.optional("path", cx, value::normal_path);
    match (prefix, path) {
        (Some(_), Some(path)) => {
            cx.error_with(path.span, "`path` and `prefix` exclude each other", |d| d.label("keep one of them"));
            None
        }
        (Some(prefix), None) => {
            if matches!(pattern, Some(PathPattern::Prefix(_))) && !prefix.value.ends_with('/') {
                let help = format!("write `{}/`", prefix.value);
                cx.error_with(prefix.span, "`prefix` stands in place of one that ends with a slash", |d| d.label(help));
            }
            Some(Rewrite::Prefix(prefix.value.into()))
        }
        (None, Some(path)) => Some(Rewrite::Path(path.value.into())),
        (None, None) => None,
    }
}

// === redirect, respond ===

fn redirect(
    node: &Node,
    path: Option<&PathPattern>,
    response_headers: HeaderEdits,
    cx: &mut Context,
) -> Option<Redirect> {
    let mut fields = Fields::of(node, "`redirect`", cx)?;
    let scheme = fields.word("scheme", cx, &[("http", "http"), ("https", "https")]);
    let host = fields.optional("host", cx, value::authority);
    let rewrite = rewrite(&mut fields, path, cx);
    let status = fields.optional("status", cx, redirect_status);
    let drop_query = fields.optional("drop_query", cx, value::boolean);
    if !["scheme", "host", "path", "prefix"].iter().any(|key| has(&fields, key)) {
        cx.error_with(fields.span(), "`redirect` leads to where the request came from", |d| {
            d.label("give it `scheme`, `host`, `path` or `prefix`")
        });
    }
    fields.finish(cx);
    Some(Redirect {
        status: status.map_or(StatusCode::PERMANENT_REDIRECT, |status| status.value),
        scheme: scheme.map(Box::from),
        host: host.map(|host| host.value.into()),
        rewrite,
        drop_query: drop_query.is_some_and(|drop| drop.value),
        response_headers,
    })
}

fn redirect_status(text: &str) -> Result<StatusCode, Wrong> {
    match text.parse::<u16>() {
        Ok(code @ (301 | 302 | 303 | 307 | 308)) => StatusCode::from_u16(code).map_err(|_| bad_status()),
        _ => Err(Wrong {
            expected: "a status that redirects",
            hint: "`308` (the default) and `307` keep the method, `301`, `302` and `303` may not".into(),
        }),
    }
}

fn respond(node: &Node, response_headers: HeaderEdits, cx: &mut Context) -> Option<Respond> {
    let mut fields = Fields::of(node, "`respond`", cx)?;
    let status = fields.required("status", cx, |text| match text.parse::<u16>() {
        Ok(code @ 200..=599) => StatusCode::from_u16(code).map_err(|_| bad_status()),
        _ => Err(bad_status()),
    });
    let body = fields.optional("body", cx, |text| Ok(Bytes::copy_from_slice(text.as_bytes())));
    let content_type = fields.optional("content_type", cx, |text| {
        HeaderValue::from_str(text)
            .map_err(|_| Wrong { expected: "a media type", hint: "for example `text/plain`".into() })
    });
    fields.finish(cx);
    let body = body.map(|body| body.value).unwrap_or_default();
    let plain = || (!body.is_empty()).then(|| HeaderValue::from_static("text/plain; charset=utf-8"));
    let content_type = content_type.map(|value| value.value).or_else(plain);
    Some(Respond { status: status?.value, body, content_type, response_headers })
}

fn bad_status() -> Wrong {
    Wrong { expected: "an HTTP status", hint: "from `200` to `599`".into() }
}

// === headers ===

/// `{ set: { name: value }, add: { name: value }, remove: [name] }`
fn edits(key: &'static str, fields: &mut Fields<'_>, cx: &mut Context) -> HeaderEdits {
    let Some(node) = fields.node(key, cx) else { return HeaderEdits::default() };
    let what = if key == "request_headers" { "`request_headers`" } else { "`response_headers`" };
    let Some(mut fields) = Fields::of(node, what, cx) else { return HeaderEdits::default() };
    let set = fields.node("set", cx).map(|node| templates(node, "`set`", cx)).unwrap_or_default();
    let add = fields.node("add", cx).map(|node| templates(node, "`add`", cx)).unwrap_or_default();
    let remove = fields.node("remove", cx).and_then(|node| cx.scalars("remove", node, edited_name));
    fields.finish(cx);
    HeaderEdits { remove: remove.unwrap_or_default().into_iter().map(|name| name.value).collect(), set, add }
}

/// Names of headers and the values that they get.
pub(super) fn templates(node: &Node, what: &'static str, cx: &mut Context) -> Vec<(HeaderName, Template)> {
    let Some(fields) = Fields::of(node, what, cx) else { return Vec::new() };
    let mut templates: Vec<(HeaderName, Template)> = Vec::new();
    for entry in fields.entries() {
        let name = match edited_name(&entry.key) {
            Ok(name) => name,
            Err(wrong) => {
                cx.error_with(entry.key_span, format!("`{}` must be {}", entry.key, wrong.expected), |d| {
                    d.label(wrong.hint)
                });
                continue;
            }
        };
        if templates.iter().any(|(other, _)| *other == name) {
            cx.error(entry.key_span, format!("header `{name}` is given twice"));
            continue;
        }
        if matches!(entry.value.kind, Kind::Null) {
            cx.error_with(entry.key_span, format!("header `{name}` has no value"), |d| {
                d.label("write `\"\"` for none")
            });
            continue;
        }
        let template: Option<Located<Template>> = cx.scalar(&entry.key, &entry.value, value::template);
        templates.extend(template.map(|template| (name, template.value)));
    }
    templates
}

/// A header that a route may change: none that says how a message is framed, or whose it is.
pub(super) fn edited_name(text: &str) -> Result<HeaderName, Wrong> {
    let name = value::header_name(text)?;
    let wrong = |hint: &str| Wrong { expected: "the name of a header that may be changed", hint: hint.into() };
    if [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(&name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
    {
        return Err(wrong("this one says how the message is sent"));
    }
    if name.as_str().starts_with("tidegate-") {
        return Err(wrong("`tidegate-…` is the gateway's own"));
    }
    Ok(name)
}
