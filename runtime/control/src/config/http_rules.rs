//! `schema.http_rules`: files in the form of a Google service config, whose `http.rules` override the
//! `google.api.http` annotations.
//!
//! Follows `google/api/service.proto` and `google/api/http.proto`: a file may be a whole service config,
//! of which only `http` is read. Names may be as in the `.proto` file or lowerCamel, as ProtoJSON allows.

use super::upstreams::existing_file;
use crate::diagnostics::{Diagnostic, Source, Span};
use crate::fields::{Context, Fields};
use crate::value::{self, Wrong};
use crate::yaml::{self, Node};
use std::path::Path;
use std::sync::Arc;
use tidegate_transcode::{HttpRule, RuleMethod};

/// Reads every file that the list `node` names; problems in them are reported with their own lines.
pub(super) fn read_all(node: &Node, folder: &Path, cx: &mut Context) -> Vec<(String, Vec<HttpRule>)> {
    let mut files = Vec::new();
    for name in cx.scalars("http_rules", node, value::text).unwrap_or_default() {
        let Some(path) = existing_file(&name, folder, cx) else { continue };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let source = Arc::new(Source::new(path.display().to_string(), text));
                let (rules, problems) = read(&source);
                cx.problems.extend(problems);
                files.push((source.name.clone(), rules));
            }
            Err(error) => cx.error(name.span, format!("cannot read `{}`: {error}", path.display())),
        }
    }
    files
}

fn read(source: &Arc<Source>) -> (Vec<HttpRule>, Vec<Diagnostic>) {
    let root = match yaml::parse(source) {
        Ok(root) => root,
        Err(problems) => return (Vec::new(), problems),
    };
    let mut cx = Context::new(source);
    let rules = document(&root, &mut cx).unwrap_or_default();
    (rules, cx.problems)
}

fn document(root: &Node, cx: &mut Context) -> Option<Vec<HttpRule>> {
    // Not finished: what else a service config says is for others.
    let mut config = Fields::of_file(root, "a service config", cx)?;
    let http = config.required_node("http", cx)?;
    let mut http = Fields::of(http, "`http`", cx)?;
    let rules = http.required_node("rules", cx).and_then(|node| cx.list("rules", node));
    let decode = either(&mut http, ["fully_decode_reserved_expansion", "fullyDecodeReservedExpansion"], cx);
    if let Some((key, node)) = decode
        && cx.scalar(key, node, value::boolean).is_some_and(|flag| flag.value)
    {
        cx.error(
            node.span,
            format!("`{key}: true` is not supported: `%2F` in a multi-segment variable stays as it is"),
        );
    }
    http.finish(cx);
    Some(rules?.iter().filter_map(|node| rule(node, true, cx)).collect())
}

/// An `HttpRule`; `outer` ones have a selector and may have additional bindings.
fn rule(node: &Node, outer: bool, cx: &mut Context) -> Option<HttpRule> {
    let mut fields = Fields::of(node, if outer { "a rule" } else { "an additional binding" }, cx)?;
    let selector = if outer { fields.required("selector", cx, selector) } else { None };
    let pattern = pattern(&mut fields, cx);
    let body = fields.optional("body", cx, value::text);
    let response_body = either(&mut fields, ["response_body", "responseBody"], cx)
        .and_then(|(key, node)| cx.scalar(key, node, value::text));
    let additional = if outer {
        either(&mut fields, ["additional_bindings", "additionalBindings"], cx)
            .and_then(|(key, node)| cx.list(key, node))
            .unwrap_or_default()
            .iter()
            .filter_map(|node| rule(node, false, cx))
            .collect()
    } else {
        Vec::new()
    };
    fields.finish(cx);
    let (method, template) = pattern?;
    Some(HttpRule {
        selector: if outer { selector?.value } else { String::new() },
        method,
        template,
        body: body.map(|body| body.value).unwrap_or_default(),
        response_body: response_body.map(|body| body.value).unwrap_or_default(),
        additional,
    })
}

/// The one of `get`, `put`, `post`, `delete`, `patch` and `custom` that the rule has.
fn pattern(fields: &mut Fields<'_>, cx: &mut Context) -> Option<(RuleMethod, String)> {
    let mut found: Vec<(Span, Option<(RuleMethod, String)>)> = Vec::new();
    for (key, method) in [
        ("get", RuleMethod::Get),
        ("put", RuleMethod::Put),
        ("post", RuleMethod::Post),
        ("delete", RuleMethod::Delete),
        ("patch", RuleMethod::Patch),
    ] {
        if let Some(node) = fields.node(key, cx) {
            let template = cx.scalar(key, node, value::text);
            found.push((fields.key_span(key), template.map(|template| (method, template.value))));
        }
    }
    if let Some(node) = fields.node("custom", cx) {
        found.push((fields.key_span("custom"), custom(node, cx)));
    }
    if let Some((span, _)) = found.get(1) {
        cx.error_with(*span, "a rule has one method", |d| d.help("put the others into `additional_bindings`"));
    }
    if found.is_empty() {
        cx.error(fields.span(), "the rule needs one of `get`, `put`, `post`, `delete`, `patch` and `custom`");
    }
    found.into_iter().next()?.1
}

/// `{ kind: HEAD, path: /v1/… }`.
fn custom(node: &Node, cx: &mut Context) -> Option<(RuleMethod, String)> {
    let mut fields = Fields::of(node, "`custom`", cx)?;
    let kind = fields.required("kind", cx, kind);
    let path = fields.required("path", cx, value::text);
    fields.finish(cx);
    Some((RuleMethod::Custom(kind?.value), path?.value))
}

/// A method of HTTP, or `*` for all of them.
fn kind(text: &str) -> Result<String, Wrong> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !text.is_empty() && text.bytes().all(token) {
        Ok(text.to_owned())
    } else {
        Err(Wrong { expected: "a method of HTTP", hint: "for example `HEAD`".to_owned() })
    }
}

/// `pkg.Service.Method`.
fn selector(text: &str) -> Result<String, Wrong> {
    let wrong = || Wrong { expected: "the full name of a method", hint: "for example `shop.v1.Orders.Get`".to_owned() };
    if !text.contains('.') {
        return Err(wrong());
    }
    value::service(text).map_err(|_| wrong())
}

/// The value of whichever of two spellings is there.
fn either<'n>(
    fields: &mut Fields<'n>,
    [proto, camel]: [&'static str; 2],
    cx: &mut Context,
) -> Option<(&'static str, &'n Node)> {
    let first = fields.node(proto, cx).map(|node| (proto, node));
    let second = fields.node(camel, cx).map(|node| (camel, node));
    if first.is_some() && second.is_some() {
        cx.error(fields.key_span(camel), format!("`{camel}` is `{proto}`, which is given too"));
    }
    first.or(second)
}
