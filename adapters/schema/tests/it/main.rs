//! Compiles real files in real folders.

mod bundled;
mod editions;
mod folders;
mod problems;
mod reflection;

use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidegate_transcode::ports::SchemaProblem;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("create folders");
    fs::write(path, text).expect("write a file");
}

/// Names of the files in a descriptor set.
fn names(set: &[u8]) -> Vec<String> {
    use prost::Message as _;
    let set = prost_types::FileDescriptorSet::decode(set).expect("a descriptor set");
    set.file.into_iter().map(|file| file.name.unwrap_or_default()).collect()
}

/// `file:line:column: message (help)`, paths relative to `folder`.
fn shown(problems: &[SchemaProblem], folder: &Path) -> Vec<String> {
    let folder = format!("{}/", folder.display());
    problems
        .iter()
        .map(|problem| {
            let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{problem}{help}").replace(&folder, "")
        })
        .collect()
}

fn paths(folder: &TempDir, names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| folder.path().join(name)).collect()
}
