//! The config of envoyproxy/ratelimit, as it is: one domain in each file.
//!
//! What it takes is taken, save mistakes that it overlooks: those are warnings where they change nothing, and errors
//! where a limit would not be the one that is written.

use crate::diagnostics::{Diagnostic, Source, Span};
use crate::fields::{Context, Fields, Located};
use crate::value::{self, Wrong};
use crate::yaml::{self, Kind, Node};
use std::collections::HashMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_limit::window;
use tidegate_limiter::config::{Descriptor, Domain, Limit, Quota, Unit};

/// The largest file, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// The keys that envoyproxy/ratelimit takes anywhere. Where one has no meaning it is passed over.
const KEYS: [&str; 16] = [
    "domain",
    "key",
    "value",
    "descriptors",
    "rate_limit",
    "unit",
    "requests_per_unit",
    "unlimited",
    "shadow_mode",
    "quota_mode",
    "name",
    "replaces",
    "detailed_metric",
    "value_to_metric",
    "share_threshold",
    "metadata",
];

/// The files and folders that the list `node` names, and the rules in them; problems in them are reported with their
/// own lines.
pub(super) fn read_all(node: &Node, folder: &Path, cx: &mut Context) -> (Vec<PathBuf>, Vec<Domain>) {
    let (mut paths, mut domains) = (Vec::new(), Vec::new());
    let mut seen = HashMap::new();
    let Some(names) = cx.scalars("config", node, value::text) else { return (paths, domains) };
    if names.is_empty() {
        cx.error(node.span, "`config` is empty: name files with rules, or folders of them");
    }
    for name in names {
        let path = folder.join(&name.value);
        paths.push(path.clone());
        let files = match files_of(&path) {
            Ok(files) if files.is_empty() => {
                cx.error(name.span, format!("there is no .yaml file in the folder `{}`", path.display()));
                continue;
            }
            Ok(files) => files,
            Err(error) => {
                not_read(&name, &path, &error, cx);
                continue;
            }
        };
        for file in files {
            match read_limited(&file) {
                Ok(text) => domains.extend(read(&file, text, &mut seen, cx)),
                Err(error) => not_read(&name, &file, &error, cx),
            }
        }
    }
    (paths, domains)
}

fn not_read(name: &Located<String>, path: &Path, error: &std::io::Error, cx: &mut Context) {
    if error.kind() == ErrorKind::NotFound {
        cx.error_with(name.span, format!("there is no file or folder `{}`", path.display()), |d| {
            d.help("paths are relative to the folder of the config file")
        });
    } else {
        cx.error(name.span, format!("cannot read `{}`: {error}", path.display()));
    }
}

/// The file, or those of the folder that are YAML and not hidden, by their names.
fn files_of(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|file| is_rules(file));
    files.sort();
    Ok(files)
}

fn is_rules(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    yaml && !hidden && path.is_file()
}

fn read_limited(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {MAX_BYTES} bytes")));
    }
    Ok(text)
}

/// Domains that were read, and where.
type Seen = HashMap<String, (Arc<Source>, Span)>;

fn read(path: &Path, text: String, seen: &mut Seen, outer: &mut Context) -> Option<Domain> {
    let source = Arc::new(Source::new(path.display().to_string(), text));
    let root = match yaml::parse(&source) {
        Ok(root) => root,
        Err(problems) => {
            outer.problems.extend(problems);
            return None;
        }
    };
    let mut cx = Context::new(&source);
    let domain = domain(&root, seen, &mut cx);
    outer.problems.extend(cx.problems);
    domain
}

fn domain(root: &Node, seen: &mut Seen, cx: &mut Context) -> Option<Domain> {
    if root.kind == Kind::Null {
        cx.problems.push(Diagnostic::error("the file is empty: it needs a `domain`").in_file(&cx.source));
        return None;
    }
    let mut fields = Fields::of_file(root, "a file of rules", cx)?;
    let name = fields.required("domain", cx, word);
    let descriptors = nested(&mut fields, cx);
    finish(fields, "a file of rules", cx);
    let name = name?;
    let source = Arc::clone(&cx.source);
    if let Some((first, span)) = seen.get(&name.value) {
        cx.error_with(name.span, format!("two files have the domain `{}`", name.value), |d| {
            d.label("again here").related(first, *span, "first here")
        });
        return None;
    }
    seen.insert(name.value.clone(), (source, name.span));
    Some(Domain { name: name.value, descriptors })
}

/// `descriptors`, which may have no value.
fn nested(fields: &mut Fields<'_>, cx: &mut Context) -> Vec<Descriptor> {
    let Some(node) = unless_null(fields, "descriptors", cx) else { return Vec::new() };
    let mut seen: HashMap<(String, String), Span> = HashMap::new();
    let mut descriptors = Vec::new();
    for item in cx.list("descriptors", node).unwrap_or_default() {
        let Some((descriptor, span)) = descriptor(item, cx) else { continue };
        if let Some(first) = seen.insert((descriptor.key.clone(), descriptor.value.clone()), span) {
            let source = Arc::clone(&cx.source);
            let value = match descriptor.value.as_str() {
                "" => "without a value".to_owned(),
                value => format!("with the value `{value}`"),
            };
            cx.error_with(span, format!("the key `{}` {value} is there twice", descriptor.key), |d| {
                d.label("again here").related(&source, first, "first here")
            });
            continue;
        }
        descriptors.push(descriptor);
    }
    descriptors
}

fn descriptor(node: &Node, cx: &mut Context) -> Option<(Descriptor, Span)> {
    let mut fields = Fields::of(node, "a descriptor", cx)?;
    let key = fields.required("key", cx, word);
    let value = unless_null(&mut fields, "value", cx).and_then(|node| cx.scalar("value", node, text));
    let limit = unless_null(&mut fields, "rate_limit", cx).and_then(|node| limit(node, cx));
    let mut flag = |key, cx: &mut Context| fields.optional(key, cx, boolean);
    let shadow = flag("shadow_mode", cx);
    let quota = flag("quota_mode", cx);
    let detailed_metric = flag("detailed_metric", cx);
    let value_to_metric = flag("value_to_metric", cx);
    let share_threshold = flag("share_threshold", cx);
    // For callers' filters, if they were told of it: any value.
    let _ = unless_null(&mut fields, "metadata", cx);
    let descriptors = nested(&mut fields, cx);
    finish(fields, "a descriptor", cx);
    let value = value.map(|value| value.value).unwrap_or_default();
    if let Some(share) = share_threshold.as_ref().filter(|share| share.value && !value.contains('*')) {
        cx.error(share.span, "`share_threshold` is for values with a `*`: other values have one budget each");
    }
    let key = key?;
    let on = |flag: Option<Located<bool>>| flag.is_some_and(|flag| flag.value);
    let descriptor = Descriptor {
        key: key.value,
        value,
        limit,
        shadow: on(shadow),
        quota: on(quota),
        detailed_metric: on(detailed_metric),
        value_to_metric: on(value_to_metric),
        share_threshold: on(share_threshold),
        descriptors,
    };
    Some((descriptor, key.span))
}

fn limit(node: &Node, cx: &mut Context) -> Option<Limit> {
    let mut fields = Fields::of(node, "`rate_limit`", cx)?;
    let unlimited = fields.optional("unlimited", cx, boolean).is_some_and(|flag| flag.value);
    let unit = unless_null(&mut fields, "unit", cx).map(|node| (unit(node, cx), node.span));
    let count = unless_null(&mut fields, "requests_per_unit", cx)
        .map(|node| (cx.scalar("requests_per_unit", node, requests), node.span));
    let name = unless_null(&mut fields, "name", cx).and_then(|node| cx.scalar("name", node, text));
    let replaces = unless_null(&mut fields, "replaces", cx).map(|node| replaced(node, name.as_ref(), cx));
    let span = fields.span();
    finish(fields, "`rate_limit`", cx);
    let quota = match (unlimited, unit, count) {
        (true, Some((_, span)), _) => {
            cx.error(span, "a limit is `unlimited` or has a `unit`, not both");
            None
        }
        (true, None, _) => None,
        (false, None, _) => {
            cx.error(span, "`rate_limit` needs `unit`, or `unlimited: true`");
            return None;
        }
        (false, Some((unit, _)), Some((count, _))) => Some(quota(&count?, unit?, cx)),
        (false, Some((unit, span)), None) => {
            cx.warn(span, "without `requests_per_unit` this limit refuses everything");
            Some(Quota { requests_per_unit: 0, unit: unit? })
        }
    };
    Some(Limit { quota, name: name.map(|name| name.value).unwrap_or_default(), replaces: replaces.unwrap_or_default() })
}

fn quota(count: &Located<u32>, unit: Unit, cx: &mut Context) -> Quota {
    if u64::from(count.value) > window::MOST {
        let message = format!("a sliding window counts at most {}: this limit is a fixed window", window::MOST);
        cx.warn_with(count.span, message, |d| d.help("write `unlimited: true` if that is what is meant"));
    }
    Quota { requests_per_unit: count.value, unit }
}

fn unit(node: &Node, cx: &mut Context) -> Option<Unit> {
    if let Kind::Scalar(text) = &node.kind
        && let Some((_, unit)) = Unit::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text))
    {
        return Some(*unit);
    }
    cx.word("unit", node, &Unit::NAMES)
}

/// `[{ name: … }, …]`.
fn replaced(node: &Node, own: Option<&Located<String>>, cx: &mut Context) -> Vec<String> {
    let mut names = Vec::new();
    for item in cx.list("replaces", node).unwrap_or_default() {
        let Some(mut fields) = Fields::of(item, "each of `replaces`", cx) else { continue };
        let name = fields.required("name", cx, word);
        finish(fields, "each of `replaces`", cx);
        let Some(name) = name else { continue };
        if own.is_some_and(|own| own.value == name.value) {
            cx.error(name.span, format!("the limit `{}` cannot replace itself", name.value));
        }
        names.push(name.value);
    }
    names
}

/// Passes over keys that have a meaning elsewhere; all others are errors.
fn finish(mut fields: Fields<'_>, what: &str, cx: &mut Context) {
    for key in KEYS {
        if fields.is_known(key) || !fields.has(key) {
            continue;
        }
        let span = fields.key_span(key);
        cx.warn(span, format!("`{key}` has no meaning in {what}, and does nothing"));
        fields.pass_over(key);
    }
    fields.finish(cx);
}

/// The value of a key, which may as well have none.
fn unless_null<'n>(fields: &mut Fields<'n>, key: &'static str, cx: &mut Context) -> Option<&'n Node> {
    if fields.entries().iter().any(|entry| entry.key == key && entry.value.kind == Kind::Null) {
        fields.pass_over(key);
        return None;
    }
    fields.node(key, cx)
}

fn text(text: &str) -> Result<String, Wrong> {
    Ok(text.to_owned())
}

fn word(text: &str) -> Result<String, Wrong> {
    if text.is_empty() { Err(Wrong::new("a name", "for example `remote_address`")) } else { Ok(text.to_owned()) }
}

/// As YAML 1.1 has it, which envoyproxy/ratelimit reads.
fn boolean(text: &str) -> Result<bool, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Ok(true),
        "false" | "no" | "off" | "n" => Ok(false),
        _ => Err(Wrong::new("a boolean", "write `true` or `false`")),
    }
}

fn requests(text: &str) -> Result<u32, Wrong> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain).ok_or_else(|| Wrong::new("a number", format!("from `0` to `{}`", u32::MAX)))
}
