//! Links of the Markdown files: to files and headings that exist.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::source::Source;

/// Every link to a file or heading that is not there. Links to other sites are not followed.
#[must_use]
pub fn check_links(root: &Path, sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for page in sources.iter().filter(|source| source.path.ends_with(".md")) {
        for (number, link) in links(&page.text) {
            if let Err(why) = resolve(root, page, sources, &link) {
                wrong.push(format!("{}:{number}: {link}: {why}", page.path));
            }
        }
    }
    wrong
}

fn resolve(root: &Path, page: &Source, sources: &[Source], link: &str) -> Result<(), String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        PathBuf::from(&page.path)
    } else {
        let folder = Path::new(&page.path).parent().unwrap_or(Path::new(""));
        normal(&folder.join(file)).ok_or("leads out of the repository")?
    };
    let page_of_ours = sources.iter().find(|source| Path::new(&source.path) == target);
    if page_of_ours.is_none() && !root.join(&target).exists() {
        return Err("no such file".to_owned());
    }
    if heading.is_empty() || target.extension().is_none_or(|extension| extension != "md") {
        return Ok(());
    }
    let text = page_of_ours.map_or("", |page| &page.text);
    if headings(text).contains(heading) { Ok(()) } else { Err("no such heading".to_owned()) }
}

/// Without `.` and `..`; nothing if it leaves the root.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir if normal.pop() => {}
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(normal)
}

/// Lines outside of fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// Targets of `[text](target)` and `[name]: target`.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        // Odd pieces are code.
        let line: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or("");
            links.push((number, target.to_owned()));
        }
        let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        if let Some((_, target)) = definition {
            links.push((number, target.trim().to_owned()));
        }
    }
    links
}

/// The anchors of a page's headings: lower case, punctuation dropped, blanks as `-`; a repeated one
/// is numbered.
fn headings(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let anchor: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            })
            .collect();
        let mut unique = anchor.clone();
        let mut number = 0;
        while !anchors.insert(unique.clone()) {
            number += 1;
            unique = format!("{anchor}-{number}");
        }
    }
    anchors
}
