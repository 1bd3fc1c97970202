//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer.
//!
//! Built by cargo-fuzz, with AddressSanitizer on a nightly compiler, or without it on the one that runs us. Inputs that
//! are worth keeping gather in the cache; what fails is kept there too, and belongs into `fuzz/corpus`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

use crate::cache;
use crate::proc::{self, Workspace};
use crate::steps::{Outcome, Steps};

/// cargo-fuzz, at the one version that we use.
const CARGO_FUZZ: &str = "0.13.2";

/// An input that takes longer is a failure, in seconds.
const TIMEOUT: u32 = 10;

/// A process that holds more is a failure, in MiB; AddressSanitizer keeps what was freed for a while.
const MEMORY: u32 = 2048;

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The targets; all unless given.
    targets: Vec<String>,
    /// How long each target runs.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, conflicts_with = "runs")]
    seconds: u32,
    /// In place of a time, how many inputs each target gets, the same ones every time.
    #[arg(long, value_name = "COUNT")]
    runs: Option<u32>,
    /// What watches memory. With `none` no nightly compiler is needed.
    #[arg(long, value_enum, default_value_t = Sanitizer::Address)]
    sanitizer: Sanitizer,
    /// Targets that run at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    jobs: usize,
    /// Runs the target on this one input and shows what comes of it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["runs", "jobs"])]
    input: Option<PathBuf>,
}

/// What watches memory while a target runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Sanitizer {
    /// AddressSanitizer, leaks included; needs a nightly compiler.
    Address,
    /// Nothing.
    None,
}

impl Args {
    /// What `cargo xtask test` runs: the same inputs every time, on the compiler that is there.
    pub(crate) fn short() -> Self {
        Self { targets: Vec::new(), seconds: 0, runs: Some(20_000), sanitizer: Sanitizer::None, jobs: 2, input: None }
    }
}

/// The programs of one build, and where they keep things.
struct Built<'w> {
    workspace: &'w Workspace,
    programs: PathBuf,
    cache: PathBuf,
}

/// Builds the targets and runs them; fails if one of them does.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let targets = chosen(&all(workspace)?, &args.targets)?;
    let built = build(workspace, args.sanitizer)?;
    if let Some(input) = &args.input {
        let [target] = &targets[..] else { bail!("name the one target that --input is for") };
        return proc::run(built.program(target).arg(workspace.root.join(input)));
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            println!("{target} …");
            let begin = Instant::now();
            let result = built.fuzz(target, args);
            done.push((target, begin.elapsed(), result));
        }
        done
    };
    let done = std::thread::scope(|scope| -> Result<Vec<_>> {
        let workers: Vec<_> = (0..args.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a worker panicked")));
        Ok(joined.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })?;
    let mut steps = Steps::default();
    for (target, took, result) in done {
        steps.add(target, took, result.map(Outcome::Passed));
    }
    steps.finish()
}

/// The names of all targets: those of their programs.
fn all(workspace: &Workspace) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace.root.join("fuzz/targets/fuzz_targets"))? {
        names.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn chosen(all: &[String], wanted: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(name)) {
        bail!("there is no target {unknown}; there are {}", all.join(", "));
    }
    Ok(if wanted.is_empty() { all.to_vec() } else { wanted.to_vec() })
}

fn build(workspace: &Workspace, sanitizer: Sanitizer) -> Result<Built<'_>> {
    let cache = cache::folder(workspace)?;
    let cargo_fuzz = cargo_fuzz(workspace, &cache)?;
    let (name, toolchain) = match sanitizer {
        Sanitizer::Address if has_nightly() => ("address", Some("nightly")),
        Sanitizer::Address => {
            println!("NO NIGHTLY COMPILER: fuzzing without AddressSanitizer (`rustup toolchain install nightly`)");
            ("none", None)
        }
        Sanitizer::None => ("none", None),
    };
    let target_dir = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace.root.join(folder),
        None => workspace.root.join("target"),
    };
    let target_dir = target_dir.join("fuzz").join(name);
    // As `cargo fuzz` would be started by a shell: our own cargo's variables would choose its compiler.
    let mut command = Command::new(cargo_fuzz);
    command.current_dir(&workspace.root).env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTFLAGS");
    command.env_remove("CARGO_MANIFEST_DIR");
    if let Some(toolchain) = toolchain {
        command.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    command.args(["fuzz", "build", "--fuzz-dir", "fuzz/targets", "--sanitizer", name, "--target-dir"]).arg(&target_dir);
    proc::run(&mut command)?;
    let programs = target_dir.join(host()?).join("release");
    Ok(Built { workspace, programs, cache: cache.join("fuzz") })
}

/// cargo-fuzz in the cache, installed if need be.
fn cargo_fuzz(workspace: &Workspace, cache: &Path) -> Result<PathBuf> {
    let home = cache.join("cargo");
    let program = home.join("bin/cargo-fuzz");
    let stamp = home.join(".cargo-fuzz-version");
    if !program.is_file() || !fs::read_to_string(&stamp).is_ok_and(|found| found == CARGO_FUZZ) {
        println!("installing cargo-fuzz {CARGO_FUZZ} into {}", home.display());
        let mut install = workspace.cargo(["install", "--quiet", "--locked", "--force", "cargo-fuzz", "--version"]);
        proc::run(install.args([CARGO_FUZZ, "--root"]).arg(&home)).context("cargo-fuzz cannot be installed")?;
        fs::write(stamp, CARGO_FUZZ)?;
    }
    Ok(program)
}

fn has_nightly() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.env("RUSTUP_TOOLCHAIN", "nightly").arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
    rustc.output().is_ok_and(|output| output.status.success())
}

fn host() -> Result<String> {
    let output = proc::output(Command::new("rustc").arg("-vV"))?;
    let text = String::from_utf8(output)?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).context("rustc -vV names no host")
}

impl Built<'_> {
    fn program(&self, target: &str) -> Command {
        let mut command = Command::new(self.programs.join(target));
        command.current_dir(&self.workspace.root).stdin(Stdio::null());
        command.arg(format!("-timeout={TIMEOUT}")).arg(format!("-rss_limit_mb={MEMORY}"));
        command
    }

    /// Runs one target; what it did, in a line.
    fn fuzz(&self, target: &str, args: &Args) -> Result<String> {
        let folder = |name: &str| -> Result<PathBuf> {
            let folder = self.cache.join(name).join(target);
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            Ok(folder)
        };
        let found = folder("failures")?;
        let log = self.cache.join(format!("{target}.log"));
        let file = File::create(&log)?;
        let mut command = self.program(target);
        command.arg("-print_final_stats=1").arg(format!("-artifact_prefix={}/", found.display()));
        command.arg(format!("-dict=fuzz/dict/{target}"));
        match args.runs {
            // What was found before would change what is tried next.
            Some(runs) => {
                command.args(["-seed=1".to_owned(), format!("-runs={runs}")]).arg(cache::fresh(&folder("short")?)?)
            }
            None => command.arg(format!("-max_total_time={}", args.seconds)).arg(folder("corpus")?),
        };
        command.arg(format!("fuzz/corpus/{target}"));
        let status = command.stdout(file.try_clone()?).stderr(file).status()?;
        let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        if status.success() {
            return Ok(summary(&text));
        }
        let why = text.lines().filter(|line| line.contains("panicked at") || line.starts_with("SUMMARY:"));
        let why: Vec<&str> = why.collect();
        let input = text.lines().find_map(|line| line.split_once("Test unit written to ")).map_or("", |(_, path)| path);
        bail!("{status}: {}\n  input: {input}\n  log: {}", why.join("; "), log.display())
    }
}

/// libFuzzer's last words, in one line.
fn summary(log: &str) -> String {
    let stat = |name: &str| {
        let value =
            log.lines().rev().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'));
        value.map_or("?", str::trim)
    };
    let last = log.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: "));
    let covered = last.and_then(|line| line.split_once(" cov: ")?.1.split(' ').next()).unwrap_or("?");
    format!(
        "{} inputs, {} edges, {} s for the slowest, {} MiB",
        stat("number_of_executed_units"),
        covered,
        stat("slowest_unit_time_sec"),
        stat("peak_rss_mb")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read_from_the_log() {
        let log = "#2\tINITED cov: 7 ft: 8 corp: 1/1b\n#20000\tDONE   cov: 1234 ft: 5678 corp: 90/12Kb\n\
                   stat::number_of_executed_units: 20000\nstat::slowest_unit_time_sec:         0\n\
                   stat::peak_rss_mb:                   61\n";
        assert_eq!(summary(log), "20000 inputs, 1234 edges, 0 s for the slowest, 61 MiB");
        assert_eq!(summary(""), "? inputs, ? edges, ? s for the slowest, ? MiB");
    }

    #[test]
    fn a_target_that_does_not_exist_is_named() {
        let all = ["config", "query"].map(str::to_owned);
        assert_eq!(chosen(&all, &[]).expect("all"), all);
        assert_eq!(chosen(&all, &all[1..]).expect("one"), ["query"]);
        let error = chosen(&all, &["queri".to_owned()]).expect_err("none").to_string();
        assert_eq!(error, "there is no target queri; there are config, query");
    }
}
