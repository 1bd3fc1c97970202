//! The forms in which schemas are shown.

use super::list::Shown;
use std::fmt::Write as _;
use tidegate_protojson::schema::{FileDescriptor, Method, Service};
use tidegate_transcode::HttpRule;

/// For people: services, methods, rules; then the files.
pub(super) fn summary(all: &[Shown]) -> String {
    let mut text = String::new();
    for (index, shown) in all.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let files = file_names(shown);
        let services = shown.schema.services();
        // A `String` takes whatever is written.
        let _ = writeln!(
            text,
            "{}: {}, {}, {}",
            shown.upstream,
            counted(services.len(), "service"),
            counted(files.len(), "file"),
            shown.origin
        );
        for service in services {
            let routed = if is_routed(shown, service) { "" } else { " (no route)" };
            let routed = if shown.routed.is_empty() { "" } else { routed };
            let _ = writeln!(text, "\n  {}{routed}", service.full_name);
            text.push_str(&methods(shown, service));
        }
        text.push_str("\n  files\n");
        for file in files {
            let _ = writeln!(text, "    {file}");
        }
    }
    plain(&text)
}

/// Servers choose these names, and terminals obey control characters.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Name, kind and rules in columns; a method with several rules has several lines.
fn methods(shown: &Shown, service: &Service) -> String {
    let width = service.methods.iter().map(|method| method.name.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for method in &service.methods {
        let mut rules: Vec<String> = shown.rules(&service.full_name, method).iter().map(rule_text).collect();
        if rules.is_empty() {
            rules.push("no http rule".to_owned());
        }
        let (mut name, mut kind) = (&*method.name, kind(method));
        for rule in rules {
            let _ = writeln!(text, "    {name:width$}  {kind:16}  {rule}");
            (name, kind) = ("", "");
        }
    }
    text
}

/// `POST /v1/orders  body: *`
fn rule_text(rule: &HttpRule) -> String {
    let mut text = format!("{} {}", rule.method.as_str(), rule.template);
    for (key, value) in [("body", &rule.body), ("response_body", &rule.response_body)] {
        if !value.is_empty() {
            let _ = write!(text, "  {key}: {value}");
        }
    }
    text
}

/// The names of all files, one a line, each once.
pub(super) fn files(all: &[Shown]) -> String {
    let mut names: Vec<String> = all.iter().flat_map(file_names).collect();
    names.sort();
    names.dedup();
    plain(&names.iter().flat_map(|name| [name, "\n"]).collect::<String>())
}

/// For programs; one line.
pub(super) fn json(all: &[Shown]) -> String {
    let upstreams = list(all.iter().map(|shown| {
        object(&[
            ("name", string(&shown.upstream)),
            ("origin", string(&shown.origin)),
            ("services", list(shown.schema.services().iter().map(|service| service_json(shown, service)))),
            ("files", list(file_names(shown).iter().map(|name| string(name)))),
        ])
    }));
    object(&[("upstreams", upstreams)]) + "\n"
}

fn service_json(shown: &Shown, service: &Service) -> String {
    let method_json = |method: &Method| {
        let rules = shown.rules(&service.full_name, method);
        object(&[
            ("name", string(&method.name)),
            ("kind", string(kind(method))),
            ("input", string(&shown.schema.message(method.input).full_name)),
            ("output", string(&shown.schema.message(method.output).full_name)),
            ("http", list(rules.iter().map(rule_json))),
        ])
    };
    object(&[
        ("name", string(&service.full_name)),
        ("file", string(&service.file)),
        ("routed", is_routed(shown, service).to_string()),
        ("methods", list(service.methods.iter().map(method_json))),
    ])
}

fn rule_json(rule: &HttpRule) -> String {
    object(&[
        ("method", string(rule.method.as_str())),
        ("path", string(&rule.template)),
        ("body", string(&rule.body)),
        ("responseBody", string(&rule.response_body)),
    ])
}

fn is_routed(shown: &Shown, service: &Service) -> bool {
    shown.routed.iter().any(|routed| **routed == *service.full_name)
}

fn kind(method: &Method) -> &'static str {
    match (method.client_streaming, method.server_streaming) {
        (false, false) => "unary",
        (false, true) => "server streaming",
        (true, false) => "client streaming",
        (true, true) => "bidirectional",
    }
}

fn file_names(shown: &Shown) -> Vec<String> {
    let files = FileDescriptor::of_set(shown.schema.descriptor_set()).unwrap_or_default();
    files.into_iter().map(|file| file.name).collect()
}

/// `1 file`, `2 files`.
fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

// === JSON, as far as it is needed here ===

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
