//! Running other programs: where the workspace is, how cargo is called, how a child is ended.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// The workspace that this xtask belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub root: PathBuf,
}

impl Workspace {
    /// Finds the root from where this crate was compiled, which is inside the workspace.
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().context("xtask has no parent folder")?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// A cargo command in the root. The cargo that runs us is the one that is called.
    pub(crate) fn cargo<I, S>(&self, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(&self.root).args(args);
        // Set by the `cargo run` that started us; a nested cargo must find its own.
        command.env_remove("CARGO_MANIFEST_DIR");
        command
    }

    /// Builds one binary and answers where it is.
    pub(crate) fn build(&self, package: &str, bin: &str, profile: &str) -> Result<PathBuf> {
        let mut command = self.cargo([
            "build",
            "--package",
            package,
            "--bin",
            bin,
            "--profile",
            profile,
            "--message-format",
            "json-render-diagnostics",
        ]);
        let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {command:?}"))?;
        if !output.status.success() {
            bail!("building {package} ({profile}) failed");
        }
        executable(&output.stdout, bin).with_context(|| format!("cargo named no executable {bin} of {package}"))
    }
}

impl Workspace {
    /// A program that `cargo test --workspace` built for its integration tests. After those it
    /// costs nothing, while building the package alone would compile its dependencies again, with
    /// fewer features.
    pub(crate) fn built_with_tests(&self, bin: &str) -> Result<PathBuf> {
        let messages = output(&mut self.cargo([
            "test",
            "--workspace",
            "--no-run",
            "--message-format",
            "json-render-diagnostics",
        ]))?;
        executable(&messages, bin).with_context(|| format!("no package with integration tests has the program {bin}"))
    }
}

/// The path of the executable `bin` in cargo's JSON messages.
fn executable(messages: &[u8], bin: &str) -> Option<PathBuf> {
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == bin && message["profile"]["test"] != true)
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
}

/// Runs to the end with our standard streams; anything but success is an error that shows the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{status}: {}", spelled(command));
    }
    Ok(())
}

/// The command as one would type it, without the environment.
fn spelled(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Runs to the end and answers what it printed; a failure carries what it said on stderr.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{}: {command:?}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// A child that is killed, by its own id, when this is dropped: on success, error and panic alike.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: String,
}

impl Running {
    /// Starts the command.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child, name: name.to_owned() })
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's standard output, if it was piped and not taken yet.
    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The child's standard input, if it was piped and not taken yet.
    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// An error if the process has ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.ended()? {
            bail!("{} ended early: {status}", self.name);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if the process is gone already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_the_one_of_the_named_target() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"it"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"it"},"executable":"/t/it"}"#,
            "\n",
            r#"{"target":{"name":"it"},"profile":{"test":true},"executable":"/t/it-tests"}"#,
            "\nnot json\n",
        );
        assert_eq!(executable(messages.as_bytes(), "it"), Some(PathBuf::from("/t/it")));
        assert_eq!(executable(messages.as_bytes(), "nothing"), None);
    }

    #[test]
    fn a_command_that_fails_is_named_as_one_would_type_it() {
        let mut command = Command::new("/usr/bin/env");
        let error = run(command.args(["false", "-x"]).env("A", "B")).expect_err("false fails");
        assert_eq!(error.to_string(), "exit status: 1: env false -x");
    }

    #[test]
    fn a_running_child_is_gone_after_drop() {
        let running = Running::start("sleep", Command::new("sleep").arg("600")).expect("sleep");
        let stat = format!("/proc/{}/stat", running.id());
        assert!(Path::new(&stat).exists());
        drop(running);
        assert!(!Path::new(&stat).exists());
    }
}
