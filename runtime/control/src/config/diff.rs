//! In what two configs differ, key by key, as they are written.

use super::parts;
use crate::config::redact::{self, HIDDEN};
use crate::diagnostics::Report;
use crate::yaml::{Kind, Node};
use std::collections::BTreeMap;
use tidegate_source::Document;

/// A value that is not the same in both. Secrets are hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `upstreams.shop.endpoints[0]`, `routes[shop.v1.Orders].timeout`. Of lists, items with a name go by it.
    pub path: String,
    /// As it was; `None` if it was not there.
    pub before: Option<String>,
    /// As it is; `None` if it is not there.
    pub after: Option<String>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, before, after } = self;
        match (before, after) {
            (None, Some(after)) => write!(f, "+ {path}: {after}"),
            (Some(before), None) => write!(f, "- {path}: {before}"),
            (Some(before), Some(after)) => write!(f, "~ {path}: {before} -> {after}"),
            (None, None) => Ok(()),
        }
    }
}

/// The changes from one document (or none) to another, in the order of their paths.
///
/// # Errors
/// One of them is no YAML.
pub(crate) fn documents(before: Option<&Document>, after: &Document) -> Result<Vec<Change>, Report> {
    let leaves = |document: &Document| {
        let (root, _) = parts::parse(document)?;
        let mut leaves = BTreeMap::new();
        collect(&root, "", false, &mut leaves);
        Ok::<_, Report>(leaves)
    };
    let before = before.map(leaves).transpose()?.unwrap_or_default();
    Ok(changes(&before, &leaves(after)?))
}

/// A value as it is shown, and as it is compared.
type Leaves = BTreeMap<String, (String, String)>;

fn changes(before: &Leaves, after: &Leaves) -> Vec<Change> {
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let differs = paths.into_iter().filter(|path| before.get(*path).map(|b| &b.1) != after.get(*path).map(|a| &a.1));
    let shown = |leaves: &Leaves, path: &String| leaves.get(path).map(|(shown, _)| shown.clone());
    differs.map(|path| Change { path: path.clone(), before: shown(before, path), after: shown(after, path) }).collect()
}

fn collect(node: &Node, path: &str, secret: bool, leaves: &mut Leaves) {
    let mut leaf = |shown: String, text: String| {
        leaves.insert(path.to_owned(), (shown, text));
    };
    match &node.kind {
        Kind::Null | Kind::Unknown => leaf("~".to_owned(), String::new()),
        Kind::Scalar(text) if secret && !redact::is_reference(text) => leaf(HIDDEN.to_owned(), text.clone()),
        Kind::Scalar(text) => leaf(redact::url(text), text.clone()),
        Kind::List(items) if items.is_empty() => leaf("[]".to_owned(), "[]".to_owned()),
        Kind::Map(entries) if entries.is_empty() => leaf("{}".to_owned(), "{}".to_owned()),
        Kind::List(items) => {
            let mut seen = BTreeMap::<String, usize>::new();
            for (index, item) in items.iter().enumerate() {
                let name = name_of(item).unwrap_or_else(|| index.to_string());
                let count = seen.entry(name.clone()).or_default();
                *count += 1;
                let name = if *count == 1 { name } else { format!("{name}#{count}") };
                collect(item, &format!("{path}[{name}]"), secret, leaves);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                let dot = if path.is_empty() { "" } else { "." };
                let parent = path.rsplit('.').next().unwrap_or_default();
                let secret = secret || redact::is_secret_in(parent, &entry.key);
                collect(&entry.value, &format!("{path}{dot}{}", entry.key), secret, leaves);
            }
        }
    }
}

/// What tells an item of a list from the others, whatever its place.
fn name_of(item: &Node) -> Option<String> {
    let Kind::Map(entries) = &item.kind else { return None };
    let text = |key: &str| {
        let entry = entries.iter().find(|entry| entry.key == key)?;
        if let Kind::Scalar(text) = &entry.value.kind { Some(text.as_str()) } else { None }
    };
    let name = ["bind", "service", "path", "name"].into_iter().find_map(text)?;
    Some(match text("host") {
        Some(host) => format!("{host} {name}"),
        None => name.to_owned(),
    })
}

#[cfg(test)]
mod tests;
