//! The processes of a run: an upstream, a gateway before it, clients.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::place::Place;
use super::report::Tally;
use crate::cache;
use crate::proc::{self, Workspace};
use crate::subject::Subject;

/// The programs, and a folder for what they need.
#[derive(Debug)]
pub(super) struct Rig {
    gateway: PathBuf,
    faults: PathBuf,
    proto: PathBuf,
    pub(super) folder: PathBuf,
}

/// A gateway that serves.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) subject: Subject,
    admin: String,
}

/// What clients sent, and what became of it.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) samples: Vec<Sample>,
    pub(super) turned_away: u64,
    pub(super) streams_complete: u64,
    pub(super) streams_with_status: u64,
    /// How often each of the expected ends was seen.
    pub(super) ends: Vec<u64>,
    pub(super) unanswered: Tally,
    /// The numbers of those.
    pub(super) lost: Vec<u64>,
    pub(super) wrong: Tally,
    pub(super) streams_cut: Tally,
}

/// A request that was answered; times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// When it was sent, since the Unix epoch.
    pub(super) at: u64,
    /// Until its answer was complete.
    pub(super) took: u64,
    pub(super) status: u16,
    /// Which of the expected ends it had.
    pub(super) end: Option<usize>,
    /// Its client's count of requests before it.
    pub(super) number: u64,
}

impl Rig {
    pub(super) fn build(workspace: &Workspace, profile: &str) -> Result<Self> {
        let gateway = workspace.build("tidegate", "tidegate", profile)?;
        Self::of(workspace, gateway, workspace.build("tidegate-bench", "tidegate-faults", profile)?)
    }

    /// With these programs.
    pub(super) fn of(workspace: &Workspace, gateway: PathBuf, faults: PathBuf) -> Result<Self> {
        let folder = cache::fresh(&cache::folder(workspace)?.join("faults"))?;
        Ok(Self { gateway, faults, proto: workspace.root.join("bench/proto"), folder })
    }

    /// The gateway's program.
    pub(super) fn program(&self) -> Command {
        Command::new(&self.gateway)
    }

    /// A part of the rig, by its subcommand.
    pub(super) fn part(&self, name: &str) -> Command {
        let mut command = Command::new(&self.faults);
        command.arg(name);
        command
    }

    /// An upstream on a free port, that journals nothing.
    pub(super) fn upstream(&self) -> Result<Subject> {
        Subject::reporting("upstream", &mut self.part("upstream"))
    }

    /// The folder of the `.proto` files.
    pub(super) fn proto(&self) -> &Path {
        &self.proto
    }

    /// A gateway before the upstream; `more` are lines of its config.
    pub(super) fn gateway(&self, upstream: &str, more: &str) -> Result<Gateway> {
        let proto = self.proto.display();
        self.gateway_with(&format!(
            "upstreams: {{ items: {{ endpoints: [{upstream}], schema: {{ proto: [{proto}] }} }} }}\n\
             routes: [{{ service: tidegate.bench.v1.Items, upstream: items }}]\n{more}\n"
        ))
    }

    /// A gateway whose config is this, and where it listens.
    pub(super) fn gateway_with(&self, config: &str) -> Result<Gateway> {
        self.gateway_from(&mut Place::File(self.config()), config)
    }

    /// The same, with its config kept there.
    pub(super) fn gateway_from(&self, place: &mut Place, config: &str) -> Result<Gateway> {
        let mut admin = String::new();
        let subject = Subject::on_free_port("Tidegate", |address| {
            admin = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
            place.write(&config_text(address, &admin, config))?;
            let mut command = Command::new(&self.gateway);
            // Not in the workspace: paths are absolute, wherever a config is kept.
            command.current_dir(&self.folder).args(["--log", "error", "run"]).args(place.arguments());
            Ok(command)
        })?;
        Ok(Gateway { subject, admin })
    }

    /// The config file.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.join("tidegate.yaml")
    }

    /// Starts clients that send at a fixed rate. With `--until-told` they end when they are asked what they found.
    pub(super) fn traffic(&self, address: &str, arguments: &[&str]) -> Result<Child> {
        let mut command = self.part("traffic");
        command.args(["--address", address]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().context("cannot start the traffic")
    }

    /// Starts clients that hold what they have, and waits until they have it.
    pub(super) fn quiet(&self, name: &str, address: &str, arguments: &[&str]) -> Result<Quiet> {
        let mut command = self.part(name);
        command.args(["--address", address]).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout was piped")?).read_line(&mut line)?;
        let quiet = Quiet(child);
        if line.trim() != "ready" {
            bail!("{name} did not get what it was to hold");
        }
        Ok(quiet)
    }
}

/// Clients that hold what they have until this is dropped.
#[derive(Debug)]
pub(super) struct Quiet(Child);

impl Drop for Quiet {
    fn drop(&mut self) {
        // Fails only if the process is gone already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Gateway {
    pub(super) fn address(&self) -> &str {
        &self.subject.address
    }

    /// Puts another config, beside where it listens, where its config is kept.
    pub(super) fn configure(&self, place: &mut Place, config: &str) -> Result<()> {
        place.write(&config_text(self.address(), &self.admin, config))
    }

    /// SIGTERM.
    pub(super) fn terminate(&self) -> Result<()> {
        proc::run(Command::new("kill").args(["-TERM", &self.subject.id().to_string()]))
    }

    /// Waits for its end, which must be with 0; how long that took.
    pub(super) fn ended(&mut self, within: Duration) -> Result<Duration> {
        let begin = Instant::now();
        loop {
            match self.subject.ended()? {
                Some(status) if status.success() => return Ok(begin.elapsed()),
                Some(status) => bail!("the gateway ended with {status}"),
                None if begin.elapsed() > within => bail!("the gateway did not end within {within:?}"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Resident memory.
    pub(super) fn resident_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.subject.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// The value of a metric, all its series together; the name may have labels after it, to the end of one.
    pub(super) fn metric(&self, name: &str) -> Result<f64> {
        let mut stream = TcpStream::connect(&self.admin)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with(['{', ',', '}', ' ']).then(|| rest.rsplit(' ').next())??.parse::<f64>().ok()
        });
        Ok(values.sum())
    }
}

impl Traffic {
    /// Waits for the clients' end and reads what they found.
    pub(super) fn of(child: Child) -> Result<Self> {
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("the traffic ended with {}", output.status);
        }
        Self::read(&serde_json::from_slice(&output.stdout)?).context("the traffic's report is not as it should be")
    }

    fn read(found: &Value) -> Option<Self> {
        let tally = |name: &str| {
            let first = found[name]["first"].as_array()?.iter().filter_map(|one| one.as_str().map(str::to_owned));
            Some(Tally { count: found[name]["count"].as_u64()?, first: first.collect() })
        };
        let sample = |sample: &Value| {
            let status = u16::try_from(sample[2].as_u64()?).ok()?;
            let end = sample[3].as_u64().and_then(|end| usize::try_from(end).ok());
            Some(Sample {
                at: sample[0].as_u64()?,
                took: sample[1].as_u64()?,
                status,
                end,
                number: sample[4].as_u64()?,
            })
        };
        Some(Self {
            samples: found["samples"].as_array()?.iter().map(sample).collect::<Option<_>>()?,
            turned_away: found["turned_away"].as_u64()?,
            streams_complete: found["streams_complete"].as_u64()?,
            streams_with_status: found["streams_with_status"].as_u64()?,
            ends: found["ends"].as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?,
            unanswered: tally("unanswered")?,
            lost: found["lost"].as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?,
            wrong: tally("wrong")?,
            streams_cut: tally("streams_cut")?,
        })
    }
}

fn config_text(address: &str, admin: &str, more: &str) -> String {
    format!("listeners: [{{ bind: {address} }}]\nadmin: {{ bind: {admin} }}\ntelemetry: {{ access_log: off }}\n{more}")
}

/// The clock of [`Sample::at`].
pub(super) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The value at this share of all; 0 of nothing.
pub(super) fn quantile(mut values: Vec<u64>, share: f64) -> u64 {
    values.sort_unstable();
    let last = values.len().saturating_sub(1);
    values.get((share * last as f64).ceil() as usize).copied().unwrap_or(0)
}

/// Microseconds, for people.
pub(super) fn ms(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values = || vec![30, 10, 20, 40, 50];
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| quantile(values(), share)), [10, 30, 50, 50]);
        assert_eq!(quantile(Vec::new(), 0.5), 0);
    }

    #[test]
    fn a_report_of_the_traffic_is_read_whole_or_not_at_all() {
        let tally = json!({"count": 2, "first": ["why"]});
        let mut report = json!({
            "samples": [[7, 8, 200, 1, 0], [9, 1, 503, null, 2]], "turned_away": 3, "streams_complete": 4,
            "streams_with_status": 5, "ends": [1], "lost": [1], "unanswered": tally, "wrong": tally, "streams_cut": tally,
        });
        let found = Traffic::read(&report).expect("it is whole");
        let refused = Sample { at: 9, took: 1, status: 503, end: None, number: 2 };
        assert_eq!(found.samples, [Sample { at: 7, took: 8, status: 200, end: Some(1), number: 0 }, refused]);
        assert_eq!((found.turned_away, found.streams_complete, found.streams_with_status), (3, 4, 5));
        assert_eq!(found.lost, [1]);
        assert_eq!((found.wrong.count, found.wrong.first, found.ends), (2, vec!["why".to_owned()], vec![1]));
        report["samples"][0][2] = json!("200");
        assert!(Traffic::read(&report).is_none());
    }
}
