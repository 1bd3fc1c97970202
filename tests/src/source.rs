//! The workspace's files, and which of their lines are code of the product.

use std::fs;
use std::path::Path;

/// A text file of the repository.
#[derive(Debug, Clone)]
pub struct Source {
    /// From the root, with `/`.
    pub path: String,
    /// Its contents.
    pub text: String,
}

/// Folders that hold no source of ours.
const SKIPPED: [&str; 5] = [".git", ".cache", "target", "node_modules", "__pycache__"];

impl Source {
    /// A test file, or one under a folder of tests.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.split('/').any(|part| part == "tests")
    }

    /// A file that a generator wrote.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        let mut head = self.text.lines().take(5);
        head.any(|line| line.contains("@generated")) || self.path.contains("/generated/")
    }

    /// The lines that are code of the product, with their numbers from 1: without comments, and
    /// without what follows `#[cfg(test)]` in front of a module with a body (tests come last).
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let tests = lines.windows(2).position(|pair| {
            pair[0].trim() == "#[cfg(test)]" && pair[1].trim_start().starts_with("mod ") && pair[1].ends_with('{')
        });
        let end = tests.unwrap_or(lines.len());
        lines
            .into_iter()
            .take(end)
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(index, line)| (index + 1, line))
    }
}

/// Every text file below a folder.
///
/// # Panics
/// A folder cannot be read.
#[must_use]
pub fn files(root: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("folders of the workspace can be read") {
            let path = entry.expect("entries can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    open.push(path);
                }
                continue;
            }
            // What is not text has no lines to check.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let path = path.strip_prefix(root).expect("found below the root");
            found.push(Source { path: path.to_string_lossy().replace('\\', "/"), text });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// True if `word` stands in the line and is not a part of a longer name.
#[must_use]
pub fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !(before.is_some_and(part_of_name) || after.is_some_and(part_of_name))
    })
}
