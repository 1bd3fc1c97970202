//! `cargo xtask gen`: the generated code that is checked in, so that a build needs no generator.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::proc::{self, Workspace};

/// Options of the subcommand.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if a file would change.
    #[arg(long)]
    pub check: bool,
}

/// A program of a crate, behind a feature, that writes into its own crate's folder.
struct Generator {
    package: &'static str,
    bin: &'static str,
    features: &'static str,
    /// What it writes, from the root; nothing else is in there.
    folder: &'static str,
}

/// All generators of the workspace.
const GENERATORS: [Generator; 1] = [Generator {
    package: "tidegate-shop",
    bin: "shop-codegen",
    features: "codegen",
    folder: "examples/shop/src/generated",
}];

/// Runs every generator.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    for generator in &GENERATORS {
        let folder = workspace.root.join(generator.folder);
        let before = read(&folder)?;
        proc::run(workspace.cargo(["run", "--quiet", "--profile", "test"]).args([
            "--package",
            generator.package,
            "--bin",
            generator.bin,
            "--features",
            generator.features,
        ]))?;
        let changed = changed(&before, &read(&folder)?);
        if args.check && !changed.is_empty() {
            restore(&before, &changed)?;
            let names: Vec<String> = changed.iter().map(|path| path.display().to_string()).collect();
            bail!("not up to date (run `cargo xtask gen`): {}", names.join(", "));
        }
        for path in changed {
            println!("{}", path.display());
        }
    }
    Ok(())
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn read(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(read(&path)?);
        } else {
            files.insert(path.clone(), fs::read(path)?);
        }
    }
    Ok(files)
}

/// Files that came, went, or have other contents.
fn changed(before: &Files, after: &Files) -> Vec<PathBuf> {
    let mut changed: Vec<PathBuf> =
        before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).cloned().collect();
    changed.sort();
    changed.dedup();
    changed
}

fn restore(before: &Files, changed: &[PathBuf]) -> Result<()> {
    for path in changed {
        match before.get(path) {
            Some(contents) => fs::write(path, contents)?,
            None => fs::remove_file(path)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_came_went_or_differ_are_changed() {
        let files = |list: &[(&str, &str)]| -> Files {
            list.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect()
        };
        let before = files(&[("same", "1"), ("differs", "1"), ("goes", "1")]);
        let after = files(&[("same", "1"), ("differs", "2"), ("comes", "1")]);
        assert_eq!(changed(&before, &after), ["comes", "differs", "goes"].map(PathBuf::from));
    }
}
