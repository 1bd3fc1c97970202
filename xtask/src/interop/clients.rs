//! The clients, each a program that makes one case.

mod grpcurl;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};

use super::matrix::Cell;
use super::port;
use crate::cache;

/// The command that makes a case, and how its end is read; `None` for a case that the client does not have.
type Make = Box<dyn Fn(&str, &str) -> Option<(Command, Judge)>>;
/// What is wrong with how a command ended.
type Judge = Box<dyn Fn(&Output) -> Result<(), String>>;

/// A client.
pub(super) struct Client {
    /// For the table.
    pub(super) name: &'static str,
    make: Make,
}

impl Client {
    fn new(name: &'static str, make: impl Fn(&str, &str) -> Option<(Command, Judge)> + 'static) -> Self {
        Self { name, make: Box::new(make) }
    }

    /// Makes one case against the gateway, or the server, at `address`.
    pub(super) fn run(&self, address: &str, case: &str) -> Result<Cell> {
        let Some((mut command, judge)) = (self.make)(address, case) else { return Ok(Cell::None) };
        let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {command:?}"))?;
        Ok(match judge(&output) {
            Ok(()) => Cell::Passed,
            Err(why) => Cell::Failed(why),
        })
    }
}

/// grpc-go's own interoperability client.
pub(super) fn grpc_go(program: PathBuf) -> Client {
    Client::new("grpc-go", move |address, case| {
        let mut command = Command::new(&program);
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        command.args(["-server_host", host, "-server_port", port(address), "-test_case", case]);
        Some((command, Box::new(succeeded)))
    })
}

/// Ours, with tonic.
pub(super) fn tonic(program: PathBuf) -> Client {
    Client::new("tonic", move |address, case| {
        let mut command = Command::new(&program);
        command.args([address, case]);
        Some((command, Box::new(succeeded)))
    })
}

/// Ours, with Python's grpcio.
pub(super) fn python(script: PathBuf, packages: Vec<PathBuf>, descriptors: PathBuf) -> Client {
    Client::new("grpcio", move |address, case| {
        let path = std::env::join_paths(&packages).ok()?;
        let mut command = Command::new(cache::python());
        command.env("PYTHONPATH", path).arg(&script).arg(address).arg(&descriptors).arg(case);
        Some((command, Box::new(succeeded)))
    })
}

/// grpcurl, which learns the services from the gateway's reflection, or from `descriptors`.
pub(super) fn grpcurl(program: PathBuf, descriptors: Option<PathBuf>) -> Client {
    Client::new("grpcurl", move |address, case| {
        let (method, data, judge) = grpcurl::case(case)?;
        let mut command = Command::new(&program);
        command.args(["-plaintext", "-max-time", "30", "-d", data]);
        if let Some(descriptors) = &descriptors {
            command.arg("-protoset").arg(descriptors);
        }
        command.args([address, &format!("grpc.testing.TestService/{method}")]);
        Some((command, Box::new(judge)))
    })
}

fn succeeded(output: &Output) -> Result<(), String> {
    if output.status.success() { Ok(()) } else { Err(format!("{}: {}", output.status, last_line(output))) }
}

/// What a program that failed said last.
fn last_line(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned()
}
