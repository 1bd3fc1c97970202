//! Servers that tests start: etcd from Debian's package, Apollo's mock from Maven's repository; fetched once
//! into the cache by apt and mvn. Where that cannot be, their tests are left out (under `CI=true` they fail).

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::proc::{self, Workspace};

/// The package of etcd.
const ETCD: &str = "etcd-server";
/// What names Apollo's mock, and what it stands on.
const APOLLO: &str = "adapters/apollo/tests/mock/pom.xml";

/// The program `etcd`: as `TIDEGATE_ETCD` says, else of the system, else fetched.
pub(crate) fn etcd(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("TIDEGATE_ETCD") {
        return Ok(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path).map(|folder| folder.join("etcd")).find(|file| file.is_file()) {
        return Ok(found);
    }
    let folder = cache::folder(workspace)?.join("etcd");
    let program = folder.join("usr/bin/etcd");
    if program.is_file() {
        return Ok(program);
    }
    println!("fetching {ETCD} into {}", folder.display());
    let beside = cache::fresh(&folder.with_extension("partial"))?;
    proc::output(Command::new("apt-get").args(["download", ETCD]).current_dir(&beside))
        .with_context(|| format!("apt-get cannot download {ETCD}; `apt-get update` may help"))?;
    let package = fs::read_dir(&beside)?.next().context("apt-get downloaded nothing")??.path();
    proc::output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&beside))?;
    cache::fresh(&folder)?;
    fs::rename(&beside, &folder)?;
    Ok(program)
}

/// The class path of Apollo's mock: as `TIDEGATE_APOLLO_CLASSPATH` says, else fetched. Needs a JDK and Maven.
pub(crate) fn apollo(workspace: &Workspace) -> Result<OsString> {
    if let Some(named) = std::env::var_os("TIDEGATE_APOLLO_CLASSPATH") {
        return Ok(named);
    }
    proc::output(Command::new("java").arg("-version")).context("there is no java")?;
    let folder = cache::folder(workspace)?.join("apollo");
    if !folder.is_dir() {
        println!("fetching Apollo's mock into {}", folder.display());
        let beside = cache::fresh(&folder.with_extension("partial"))?;
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-f"]).arg(workspace.root.join(APOLLO)).arg("dependency:copy-dependencies");
        proc::output(maven.arg(format!("-DoutputDirectory={}", beside.display()))).context("mvn cannot fetch it")?;
        fs::rename(&beside, &folder)?;
    }
    Ok(folder.join("*").into_os_string())
}
