//! Finds the `.proto` files below folders.

use std::fs;
use std::path::{Path, PathBuf};
use tidegate_transcode::ports::SchemaProblem;

/// How deep folders may be nested; also what ends a circle of links.
const MAX_DEPTH: usize = 32;
/// More files than this are taken for a mistake, such as naming a home folder.
const MAX_FILES: usize = 20_000;

/// A `.proto` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProtoFile {
    /// How others import it: relative to its folder, with `/`.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// Every `.proto` file below `folders`, sorted by import path within each. Of files with the same
/// import path the one in the first folder counts, as it does for imports. Hidden folders are left out.
pub(crate) fn find(folders: &[PathBuf]) -> Result<Vec<ProtoFile>, Vec<SchemaProblem>> {
    let mut files: Vec<ProtoFile> = Vec::new();
    let mut problems = Vec::new();
    let mut names = std::collections::HashSet::new();
    for folder in folders {
        let mut found = Vec::new();
        if let Err(problem) = walk(folder, "", 0, &mut found) {
            problems.push(*problem);
        } else if found.is_empty() {
            let help = "name the folder that imports are relative to";
            problems.push(problem(folder, "there is no .proto file in this folder or below".to_owned(), Some(help)));
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        files.extend(found.into_iter().filter(|file| names.insert(file.name.clone())));
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<ProtoFile>) -> Result<(), Box<SchemaProblem>> {
    let cannot_read = |error| Box::new(problem(folder, format!("cannot read the folder: {error}"), None));
    if depth > MAX_DEPTH {
        return Err(Box::new(problem(folder, format!("folders are nested more than {MAX_DEPTH} deep"), None)));
    }
    for entry in fs::read_dir(folder).map_err(cannot_read)? {
        let entry = entry.map_err(cannot_read)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        // Follows links, as protoc does.
        let Ok(meta) = fs::metadata(&path) else { continue };
        if meta.is_dir() && !name.starts_with('.') {
            walk(&path, &format!("{prefix}{name}/"), depth + 1, found)?;
        } else if meta.is_file() && name.ends_with(".proto") {
            if found.len() == MAX_FILES {
                let message = format!("there are more than {MAX_FILES} .proto files below this folder");
                return Err(Box::new(problem(folder, message, None)));
            }
            found.push(ProtoFile { name: format!("{prefix}{name}"), path });
        }
    }
    Ok(())
}

fn problem(path: &Path, message: String, help: Option<&str>) -> SchemaProblem {
    SchemaProblem { file: path.display().to_string(), line: None, column: None, message, help: help.map(str::to_owned) }
}
