//! Debian's packages without root and without installing them: fetched by apt from the very archive that the system is
//! set up with, into a private apt state, checked with the system's keyring.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::proc;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Unpacks these packages of a suite into a folder. `state` becomes apt's; nothing of it is needed afterwards.
pub(crate) fn unpack(state: &Path, suite: &str, packages: &[&str], into: &Path) -> Result<()> {
    let apt = Apt::new(state, suite)?;
    proc::output(apt.get().arg("update")).context("apt-get update of the private state")?;
    let downloads = cache::fresh(&state.join("downloads"))?;
    proc::output(apt.get().arg("download").args(packages).current_dir(&downloads))?;
    for package in fs::read_dir(&downloads)? {
        proc::output(Command::new("dpkg-deb").arg("-x").arg(package?.path()).arg(into))?;
    }
    Ok(())
}

/// An apt whose whole state is a folder of ours.
struct Apt {
    state: PathBuf,
}

impl Apt {
    fn new(state: &Path, suite: &str) -> Result<Self> {
        let state = cache::fresh(state)?;
        for folder in ["lists/partial", "archives/partial", "empty"] {
            fs::create_dir_all(state.join(folder))?;
        }
        fs::write(state.join("status"), "")?;
        let archive = archive()?;
        let source = format!("deb [signed-by={KEYRING}] {archive} {suite} main\n");
        fs::write(state.join("sources.list"), source)?;
        Ok(Self { state })
    }

    fn get(&self) -> Command {
        let mut command = Command::new("apt-get");
        let at = |name: &str| self.state.join(name).display().to_string();
        for option in [
            format!("Dir::Etc::SourceList={}", at("sources.list")),
            format!("Dir::Etc::SourceParts={}", at("empty")),
            format!("Dir::State::Lists={}", at("lists")),
            format!("Dir::State::Status={}", at("status")),
            format!("Dir::Cache={}", at("")),
            format!("Dir::Cache::Archives={}", at("archives")),
            // Only the package index: no translations, icons or metadata of desktop programs.
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            // The unprivileged user of a root's apt could not write into our folder.
            format!("APT::Sandbox::User={}", user()),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }
}

/// The address of the archive that this system gets its own packages from.
fn archive() -> Result<String> {
    let codename = &system()?;
    let targets = proc::output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(RELEASE) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    ]))?;
    let targets = String::from_utf8(targets)?;
    match archive_of(&targets, codename) {
        Some(archive) => Ok(archive.to_owned()),
        None => bail!("no source of {codename} main in this system's apt"),
    }
}

/// The suite that this system is of.
pub(crate) fn system() -> Result<String> {
    let release = fs::read_to_string("/etc/os-release").context("not a Debian system")?;
    Ok(codename(&release).context("not a Debian system: no VERSION_CODENAME")?.to_owned())
}

fn codename(release: &str) -> Option<&str> {
    release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).map(|name| name.trim_matches('"'))
}

fn archive_of<'a>(targets: &'a str, codename: &str) -> Option<&'a str> {
    let wanted = format!("{codename} main ");
    targets.lines().find_map(|line| line.strip_prefix(&wanted))
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "root".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_that_of_the_main_suite() {
        let targets = "bookworm-updates main mirror:/updates/\n\
                       bookworm contrib mirror:/contrib/\n\
                       bookworm main mirror:/debian/\n";
        assert_eq!(archive_of(targets, "bookworm"), Some("mirror:/debian/"));
        assert_eq!(archive_of(targets, "sid"), None);
    }

    #[test]
    fn the_codename_may_be_quoted() {
        assert_eq!(codename("NAME=x\nVERSION_CODENAME=\"sid\"\n"), Some("sid"));
        assert_eq!(codename("VERSION_CODENAME=trixie"), Some("trixie"));
        assert_eq!(codename("NAME=x"), None);
    }
}
