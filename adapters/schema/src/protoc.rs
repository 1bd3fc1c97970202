//! Compiles with `protoc`: for files of protobuf editions.

use crate::bundled;
use crate::files::ProtoFile;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};
use tidegate_transcode::ports::SchemaProblem;

/// The program `protoc` in one of the folders of `path`, which has the form of the variable `PATH`.
pub(crate) fn find(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join("protoc")).find(|file| file.is_file())
}

pub(crate) fn compile(protoc: &Path, folders: &[PathBuf], files: &[ProtoFile]) -> Result<Vec<u8>, Vec<SchemaProblem>> {
    match run(protoc, folders, files) {
        Ok(Outcome::Compiled(set)) => Ok(set),
        Ok(Outcome::Refused(output)) => Err(problems(&output, protoc, files)),
        Err(error) => Err(vec![SchemaProblem {
            file: protoc.display().to_string(),
            line: None,
            column: None,
            message: format!("cannot be run: {error}"),
            help: Some("it is needed for files of protobuf editions; `descriptor_set` works without it".to_owned()),
        }]),
    }
}

enum Outcome {
    /// The descriptor set.
    Compiled(Vec<u8>),
    /// What it wrote to standard error.
    Refused(String),
}

fn run(protoc: &Path, folders: &[PathBuf], files: &[ProtoFile]) -> io::Result<Outcome> {
    let scratch = tempfile::tempdir()?;
    let include = scratch.path().join("include");
    for (name, text) in bundled::FILES {
        let path = include.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&include))?;
        fs::write(path, text)?;
    }
    let set = scratch.path().join("schema.pb");
    let flag = |name: &str, value: &Path| {
        let mut flag = std::ffi::OsString::from(name);
        flag.push(value);
        flag
    };
    let output = Command::new(protoc)
        .args(folders.iter().map(|folder| flag("--proto_path=", folder)))
        .arg(flag("--proto_path=", &include))
        .arg("--include_imports")
        .arg(flag("--descriptor_set_out=", &set))
        .args(files.iter().map(|file| &file.path))
        .args(
            bundled::ALWAYS
                .iter()
                .filter(|name| !files.iter().any(|file| file.name == **name))
                .map(|name| include.join(name)),
        )
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return fs::read(set).map(Outcome::Compiled);
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Outcome::Refused(if text.trim().is_empty() { output.status.to_string() } else { text }))
}

/// Reads `file:line:column: message`, `file: message` and lines without a place.
fn problems(output: &str, protoc: &Path, files: &[ProtoFile]) -> Vec<SchemaProblem> {
    let mut problems: Vec<SchemaProblem> = Vec::new();
    for line in output.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.contains(": warning: ") {
            continue;
        }
        let problem = located(line, files).unwrap_or_else(|| SchemaProblem {
            file: protoc.display().to_string(),
            line: None,
            column: None,
            message: line.to_owned(),
            help: None,
        });
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

fn located(line: &str, files: &[ProtoFile]) -> Option<SchemaProblem> {
    let (place, message) = line.split_once(": ")?;
    let mut parts = place.rsplitn(3, ':');
    let (column, row, name) = (parts.next()?, parts.next(), parts.next());
    let (name, row, column) = match (name, row.and_then(|row| row.parse().ok()), column.parse().ok()) {
        (Some(name), Some(row), Some(column)) => (name, Some(row), Some(column)),
        _ => (place, None, None),
    };
    if !name.ends_with(".proto") {
        return None;
    }
    let file = files.iter().find(|file| file.name == name || file.path == Path::new(name));
    Some(SchemaProblem {
        file: file.map_or_else(|| name.to_owned(), |file| file.path.display().to_string()),
        line: row,
        column,
        message: message.to_owned(),
        help: None,
    })
}
