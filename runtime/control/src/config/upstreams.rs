//! `upstreams`: named sets of endpoints and their descriptors.

use super::{balance, endpoints, http_rules, pool, resilience};
use crate::diagnostics::Span;
use crate::fields::{Context, Fields, Located};
use crate::value::{self, Wrong};
use crate::yaml::{Entry, Kind, Node};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidegate_gateway::config::{Listener, Reflection, Schema, SchemaSource, Upstream};
use tidegate_upstream::Protocol;

const LATER: &[&str] = &["tls"];

/// How often an upstream may be asked for its schema.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// An upstream that the file declares.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) name_span: Span,
    /// `None` if something is wrong with it; its name is known all the same.
    pub(super) config: Option<Upstream>,
    /// The place of `schema.like`.
    like: Option<Span>,
}

pub(super) fn read(fields: &mut Fields<'_>, folder: &Path, listeners: &[Listener], cx: &mut Context) -> Vec<Declared> {
    let Some(node) = fields.required_node("upstreams", cx) else { return Vec::new() };
    let Some(names) = Fields::of(node, "`upstreams`", cx) else { return Vec::new() };
    if names.entries().is_empty() {
        cx.error(node.span, "`upstreams` is empty: there is nothing to route to");
    }
    let upstreams: Vec<Declared> = names.entries().iter().map(|entry| declared(entry, folder, listeners, cx)).collect();
    check_likes(&upstreams, cx);
    upstreams
}

fn declared(entry: &Entry, folder: &Path, listeners: &[Listener], cx: &mut Context) -> Declared {
    if let Err(wrong) = value::name(&entry.key) {
        cx.error_with(entry.key_span, format!("`{}` cannot name an upstream", entry.key), |d| d.label(wrong.hint));
    }
    let mut like = None;
    let config = upstream(entry, folder, listeners, &mut like, cx);
    Declared { name: entry.key.clone(), name_span: entry.key_span, config, like }
}

fn upstream(
    entry: &Entry,
    folder: &Path,
    listeners: &[Listener],
    like: &mut Option<Span>,
    cx: &mut Context,
) -> Option<Upstream> {
    let mut fields = Fields::of(&entry.value, "an upstream", cx)?.not_yet(LATER);
    let endpoints = fields.required_node("endpoints", cx).and_then(|node| endpoints::read(node, listeners, cx));
    let schema = match fields.node("schema", cx) {
        Some(node) => schema(node, folder, like, cx),
        None => Some(Schema::default()),
    };
    let mut pool = match protocol(&mut fields, schema.as_ref(), cx) {
        Protocol::H1 => tidegate_upstream::Config::h1(entry.key.clone(), Vec::new()),
        Protocol::H2 => tidegate_upstream::Config::new(entry.key.clone(), Vec::new()),
    };
    let replies = pool::read(&mut fields, &mut pool, cx);
    balance::read(&mut fields, &mut pool, cx);
    let protection = resilience::of_upstream(&mut fields, cx);
    fields.finish(cx);
    endpoints?.put(&mut pool);
    let (name, place) = (entry.key.clone(), entry.key_span.place());
    Some(Upstream { name, pool, replies, protection, schema: schema?, place })
}

/// `h1` unless the upstream has a schema: gRPC is HTTP/2.
fn protocol(fields: &mut Fields<'_>, schema: Option<&Schema>, cx: &mut Context) -> Protocol {
    let said = fields.word("protocol", cx, &[("h1", Protocol::H1), ("h2", Protocol::H2)]);
    let has_schema = schema.is_some_and(|schema| schema.source != SchemaSource::None);
    if has_schema && said == Some(Protocol::H1) {
        cx.error_with(fields.key_span("protocol"), "an upstream with a `schema` speaks `h2`", |d| {
            d.label("gRPC needs HTTP/2: remove this, or the `schema`")
        });
    }
    said.unwrap_or(if has_schema { Protocol::H2 } else { Protocol::H1 })
}

// === schema ===

fn schema(node: &Node, folder: &Path, like_span: &mut Option<Span>, cx: &mut Context) -> Option<Schema> {
    let mut fields = Fields::of(node, "`schema`", cx)?;
    let span = fields.span();
    let proto = fields.node("proto", cx).and_then(|node| folders(node, folder, cx));
    let set = fields.optional("descriptor_set", cx, value::text);
    let like = fields.optional("like", cx, value::text);
    let reflection = fields.node("reflection", cx).and_then(|node| reflection(node, cx));
    let http_rules = match fields.node("http_rules", cx) {
        Some(node) => http_rules::read_all(node, folder, cx),
        None => Vec::new(),
    };
    let present = |key: &&str| fields.entries().iter().any(|entry| entry.key == *key);
    let given: Vec<&str> = ["proto", "descriptor_set", "reflection", "like"].into_iter().filter(present).collect();
    match given.as_slice() {
        [] => cx.error(span, "`schema` needs one of `proto`, `descriptor_set`, `reflection` and `like`"),
        [_] => {}
        [_, second, ..] => cx.error_with(fields.key_span(second), "`schema` has more than one source", |d| {
            d.help("keep one of `proto`, `descriptor_set`, `reflection` and `like`")
        }),
    }
    fields.finish(cx);
    let source = if let Some(folders) = proto {
        SchemaSource::Proto(folders)
    } else if let Some(set) = set {
        SchemaSource::DescriptorSet(existing_file(&set, folder, cx)?)
    } else if let Some(reflection) = reflection {
        SchemaSource::Reflection(reflection)
    } else {
        let like = like?;
        *like_span = Some(like.span);
        SchemaSource::Like(like.value)
    };
    Some(Schema { source, place: span.place(), http_rules })
}

/// `true`, or how to ask.
fn reflection(node: &Node, cx: &mut Context) -> Option<Reflection> {
    if let Kind::Scalar(_) = &node.kind {
        return cx.scalar("reflection", node, switched_on).map(|_| Reflection::default());
    }
    let mut fields = Fields::of(node, "`reflection`", cx)?;
    let interval = fields.optional("interval", cx, value::duration);
    let timeout = fields.optional("timeout", cx, value::duration);
    fields.finish(cx);
    if let Some(interval) = interval.as_ref().filter(|interval| interval.value < INTERVAL_MIN) {
        cx.error_with(interval.span, "`interval` must be at least 1s", |d| {
            d.help("an upstream that was restarted is asked at once, whatever the interval")
        });
    }
    let default = Reflection::default();
    Some(Reflection {
        interval: interval.map_or(default.interval, |interval| interval.value),
        timeout: timeout.map_or(default.timeout, |timeout| timeout.value),
    })
}

fn switched_on(text: &str) -> Result<(), Wrong> {
    let hint = if text == "false" { "remove the key" } else { "for example `{ interval: 30s, timeout: 5s }`" };
    let wrong = Wrong { expected: "`true` or a mapping", hint: hint.to_owned() };
    (text == "true").then_some(()).ok_or(wrong)
}

/// Folders of `.proto` files, as paths.
fn folders(node: &Node, folder: &Path, cx: &mut Context) -> Option<Vec<PathBuf>> {
    let names = cx.scalars("proto", node, value::text)?;
    if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
        cx.error(node.span, "`proto` is empty: name at least one folder");
    }
    let mut paths = Vec::new();
    for name in names {
        let path = folder.join(&name.value);
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => paths.push(path),
            Ok(_) => cx.error_with(name.span, format!("`{}` is a file, not a folder", name.value), |d| {
                d.help("name the folder that imports are relative to; all .proto files below it are compiled")
            }),
            Err(error) => cannot_read(&name, &path, &error, "folder", cx),
        }
    }
    Some(paths)
}

/// The path of a file that must be there.
pub(super) fn existing_file(name: &Located<String>, folder: &Path, cx: &mut Context) -> Option<PathBuf> {
    let path = folder.join(&name.value);
    match std::fs::metadata(&path) {
        Ok(meta) if meta.is_file() => return Some(path),
        Ok(_) => cx.error(name.span, format!("`{}` is no file", name.value)),
        Err(error) => cannot_read(name, &path, &error, "file", cx),
    }
    None
}

fn cannot_read(name: &Located<String>, path: &Path, error: &std::io::Error, what: &str, cx: &mut Context) {
    if error.kind() == std::io::ErrorKind::NotFound {
        cx.error_with(name.span, format!("there is no {what} `{}`", path.display()), |d| {
            d.help("paths are relative to the folder of the config file")
        });
    } else {
        cx.error(name.span, format!("cannot read `{}`: {error}", path.display()));
    }
}

// === like ===

/// `like` must name another upstream, and chains must end.
fn check_likes(upstreams: &[Declared], cx: &mut Context) {
    for upstream in upstreams {
        let Some(SchemaSource::Like(other)) = upstream.config.as_ref().map(|config| &config.schema.source) else {
            continue;
        };
        let name = Located { value: other.clone(), span: upstream.like.unwrap_or(upstream.name_span) };
        if !upstreams.iter().any(|upstream| upstream.name == *other) {
            cx.unknown_name("upstream", &name, upstreams.iter().map(|upstream| upstream.name.as_str()));
        } else if never_ends(&upstream.name, upstreams) {
            cx.error(name.span, format!("the schema of `{}` is like itself", upstream.name));
        }
    }
}

/// Follows `like` from upstream to upstream; a chain longer than there are upstreams goes in a circle.
fn never_ends(name: &str, upstreams: &[Declared]) -> bool {
    let mut name = name;
    for _ in 0..=upstreams.len() {
        let found = upstreams.iter().find(|upstream| upstream.name == name).and_then(|found| found.config.as_ref());
        match found.map(|config| &config.schema.source) {
            Some(SchemaSource::Like(other)) => name = other,
            _ => return false,
        }
    }
    true
}
