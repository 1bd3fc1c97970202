//! Configs of several parts: the files of a folder, the keys below a prefix.
//!
//! Each part is a YAML document of its own. Together they are one config: a key of the top level may stand
//! in several parts; lists are put one after the other, mappings side by side.

use crate::diagnostics::{Diagnostic, Report, Source, Span};
use crate::yaml::{self, Entry, Kind, Node};
use std::sync::Arc;
use tidegate_source::{Document, MAX_BYTES, Part};

/// Parses all parts. The source has the lines of all of them, and knows which are whose.
///
/// # Errors
/// A part that is no text or no YAML: of each the errors, with its own lines.
pub(crate) fn parse(document: &Document) -> Result<(Node, Arc<Source>), Report> {
    if document.bytes() > MAX_BYTES {
        let name = document.parts.first().map(|part| part.name.clone()).unwrap_or_default();
        let message = format!("the config has {} bytes; {MAX_BYTES} is the most", document.bytes());
        let source = Arc::new(Source::new(name, String::new()));
        return Err(Report::new(vec![Diagnostic::error(message).in_file(&source)]));
    }
    let mut problems = Vec::new();
    let mut parsed = Vec::new();
    for part in &document.parts {
        match parse_part(part) {
            Ok(one) => parsed.push(one),
            Err(errors) => problems.extend(errors),
        }
    }
    if !problems.is_empty() {
        return Err(Report::new(problems));
    }
    if parsed.len() == 1 {
        return Ok(parsed.remove(0));
    }
    join(parsed)
}

fn parse_part(part: &Part) -> Result<(Node, Arc<Source>), Vec<Diagnostic>> {
    let text = String::from_utf8(part.text.clone()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let source = Arc::new(Source::new(part.name.clone(), String::from_utf8_lossy(&part.text)));
        let before = String::from_utf8_lossy(&part.text[..at]);
        let last = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        let column = u32::try_from(last.chars().count() + 1).unwrap_or(u32::MAX);
        // What would stand there begins the line that is looked for.
        let span = Span { line: count_lines(&format!("{before}-")), column, width: 1 };
        vec![Diagnostic::error(format!("the config is no UTF-8 text: byte {at}")).at(&source, span)]
    })?;
    let source = Arc::new(Source::new(part.name.clone(), text));
    yaml::parse(&source).map(|node| (node, source))
}

/// One tree of all, with places in one text of all.
fn join(parts: Vec<(Node, Arc<Source>)>) -> Result<(Node, Arc<Source>), Report> {
    let names: Vec<&str> = parts.iter().map(|(_, source)| source.name.as_str()).collect();
    let mut whole = Source::new(names.join(", "), String::new());
    let mut roots = Vec::new();
    for (mut node, source) in parts {
        let first = count_lines(&whole.text) + 1;
        whole.parts.push((source.name.clone(), first));
        whole.text.push_str(&source.text);
        if !source.text.ends_with('\n') {
            whole.text.push('\n');
        }
        shift(&mut node, first - 1);
        roots.push(node);
    }
    let source = Arc::new(whole);
    let mut problems = Vec::new();
    let mut entries: Vec<Entry> = Vec::new();
    for root in roots {
        match root.kind {
            Kind::Map(more) => more.into_iter().for_each(|entry| add(&mut entries, entry, &source, &mut problems)),
            // A part may be all comments.
            Kind::Null => {}
            _ => problems.push(Diagnostic::error("a part of the config must be a mapping").at(&source, root.span)),
        }
    }
    if !problems.is_empty() {
        return Err(Report::new(problems));
    }
    let kind = if entries.is_empty() { Kind::Null } else { Kind::Map(entries) };
    Ok((Node { kind, bare: false, span: Span { line: 1, column: 1, width: 0 } }, source))
}

/// Adds a key of the top level to those that are there.
fn add(entries: &mut Vec<Entry>, entry: Entry, source: &Arc<Source>, problems: &mut Vec<Diagnostic>) {
    let Some(known) = entries.iter_mut().find(|known| known.key == entry.key) else {
        entries.push(entry);
        return;
    };
    let again = |key: &str, span: Span, first: Span| {
        let diagnostic = Diagnostic::error(format!("`{key}` is given twice")).at(source, span).label("again here");
        diagnostic.related(source, first, "first here")
    };
    match (&mut known.value.kind, entry.value.kind) {
        (Kind::List(items), Kind::List(more)) => items.extend(more),
        (Kind::Map(items), Kind::Map(more)) => {
            for entry in more {
                match items.iter().find(|known| known.key == entry.key) {
                    Some(first) => problems.push(again(&entry.key, entry.key_span, first.key_span)),
                    None => items.push(entry),
                }
            }
        }
        _ => problems.push(again(&entry.key, entry.key_span, known.key_span)),
    }
}

/// Lines as YAML and [`Source::line`] count them.
fn count_lines(text: &str) -> u32 {
    u32::try_from(text.lines().flat_map(|line| line.split('\r')).count()).unwrap_or(u32::MAX)
}

fn shift(node: &mut Node, lines: u32) {
    node.span.line += lines;
    match &mut node.kind {
        Kind::Null | Kind::Unknown | Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(|item| shift(item, lines)),
        Kind::Map(entries) => {
            for entry in entries {
                entry.key_span.line += lines;
                shift(&mut entry.value, lines);
            }
        }
    }
}

#[cfg(test)]
mod tests;
