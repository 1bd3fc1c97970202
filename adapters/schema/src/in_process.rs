//! Compiles proto2 and proto3 with the compiler that is part of the gateway.

use crate::bundled;
use crate::edition::place;
use crate::files::ProtoFile;
use miette::Diagnostic;
use protox::file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver};
use std::path::{Path, PathBuf};
use tidegate_transcode::ports::SchemaProblem;

pub(crate) fn compile(folders: &[PathBuf], files: &[ProtoFile]) -> Result<Vec<u8>, Vec<SchemaProblem>> {
    let mut resolver = ChainFileResolver::new();
    for folder in folders {
        resolver.add(IncludeFileResolver::new(folder.clone()));
    }
    resolver.add(bundled::Resolver);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(false);

    let mut problems = Vec::new();
    for file in files {
        if let Err(error) = compiler.open_file(&file.name) {
            for problem in translate(&error, folders, files) {
                // A file with an error is reported once, not once for each file that imports it.
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    for name in bundled::ALWAYS {
        // Fails only if the user's files declare the same messages under another import path. Then
        // they are there, which is all that is asked.
        drop(compiler.open_file(name));
    }
    Ok(compiler.encode_file_descriptor_set())
}

/// Every file that comes with the gateway, as a descriptor set.
pub(crate) fn everything_bundled() -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(bundled::Resolver);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(false);
    for name in bundled::FILES.iter().map(|(name, _)| name).chain(bundled::OF_PROTOBUF) {
        compiler.open_file(name).expect("invariant: the bundled files compile");
    }
    compiler.encode_file_descriptor_set()
}

/// The error and those that come with it.
fn translate(error: &protox::Error, folders: &[PathBuf], files: &[ProtoFile]) -> Vec<SchemaProblem> {
    let name = error.file().unwrap_or_default();
    let path = files.iter().find(|file| file.name == name).map(|file| file.path.as_path());
    let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let shown = path.map_or_else(|| name.to_owned(), |path| path.display().to_string());
    let one = |diagnostic: &dyn Diagnostic| {
        // Of two labels ("first here", "again here") the second is the one to blame.
        let label = diagnostic.labels().and_then(Iterator::last);
        let (line, column) = match label {
            Some(label) if !text.is_empty() => {
                let (line, column) = place(&text, label.offset());
                (Some(line), Some(column))
            }
            _ => (None, None),
        };
        let message = diagnostic.to_string();
        let help = help(&message, folders).or_else(|| diagnostic.help().map(|help| help.to_string()));
        SchemaProblem { file: shown.clone(), line, column, message: unquoted(&message), help }
    };
    let mut problems = vec![one(error)];
    problems.extend(error.related().into_iter().flatten().map(one));
    problems
}

/// The compiler's 'quotes' in the gateway's own style.
fn unquoted(message: &str) -> String {
    message.replace('\'', "`")
}

/// For an import that is not found: the folder that it is relative to, if that can be told.
fn help(message: &str, folders: &[PathBuf]) -> Option<String> {
    let import = message.strip_prefix("import '")?.strip_suffix("' not found")?;
    let root = folders.iter().flat_map(|folder| folder.ancestors().skip(1)).find(|root| root.join(import).is_file());
    if let Some(root) = root {
        let root = if root == Path::new("") { Path::new(".") } else { root };
        return Some(format!("it is below `{}`: name that folder in `proto`", root.display()));
    }
    let searched: Vec<String> = folders.iter().map(|folder| format!("`{}`", folder.display())).collect();
    Some(format!("it is not below {}: name the folder that it is relative to as well", searched.join(", ")))
}
