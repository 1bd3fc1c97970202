//! `cargo xtask interop`: gRPC's interoperability cases through the gateway, with clients of three languages and
//! grpcurl, before grpc-go's interoperability server.

mod clients;
mod matrix;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::cache;
use crate::golang::{self, Module};
use crate::proc::{self, Workspace};
use crate::subject::Subject;
use clients::Client;
use matrix::{Cell, Matrix};

/// Options of the subcommand.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Only these cases.
    case: Vec<String>,
    /// Without the gateway: what the clients think of the server itself.
    #[arg(long)]
    direct: bool,
    /// Take the programs that `cargo test --workspace` built.
    #[arg(skip)]
    programs_of_tests: bool,
}

impl Args {
    /// Every case through the programs that `cargo test --workspace` built.
    pub(crate) fn after_tests() -> Self {
        Self { programs_of_tests: true, ..Self::default() }
    }
}

/// Those of grpc/grpc's `doc/interop-test-descriptions.md` that need no authentication and that grpc-go's server has.
const CASES: [&str; 14] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
];

const SERVER: Module =
    Module { path: "google.golang.org/grpc/interop/server", version: "v1.85.0", name: "grpc-interop-server" };
const GRPC_GO: Module =
    Module { path: "google.golang.org/grpc/interop/client", version: "v1.85.0", name: "grpc-interop-client" };
const GRPCURL: Module =
    Module { path: "github.com/fullstorydev/grpcurl/cmd/grpcurl", version: "v1.9.4", name: "grpcurl" };

/// Installs what comes from outside.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    for module in [SERVER, GRPC_GO, GRPCURL] {
        golang::program(workspace, module)?;
    }
    for package in [cache::PROTOC, cache::PROTOBUF, cache::GRPCIO, cache::TYPING_EXTENSIONS] {
        cache::pypi(workspace, package)?;
    }
    Ok(())
}

/// Runs every case with every client; an error if one fails. Answers how many passed.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<String> {
    if let Some(unknown) = args.case.iter().find(|case| !CASES.contains(&case.as_str())) {
        bail!("no case {unknown}; there are {}", CASES.join(", "));
    }
    install(workspace)?;
    let folder = cache::fresh(&cache::folder(workspace)?.join("interop"))?;
    let protos = workspace.root.join("tests/interop/proto");
    let clients = clients(workspace, args, &folder, &protos)?;
    let server = golang::program(workspace, SERVER)?;
    let server = Subject::on_free_port("interop server", |address| {
        let mut command = Command::new(&server);
        command.args(["-port", port(address)]).stderr(Stdio::null());
        Ok(command)
    })?;
    let gateway = if args.direct { None } else { Some(gateway(workspace, args, &folder, &protos, &server.address)?) };
    let address = gateway.as_ref().map_or(&server.address, |gateway| &gateway.address);

    let mut matrix = Matrix::new(clients.iter().map(|client| client.name));
    for case in CASES.iter().filter(|case| args.case.is_empty() || args.case.iter().any(|wanted| wanted == *case)) {
        let cells = clients.iter().map(|client| client.run(address, case)).collect::<Result<Vec<Cell>>>()?;
        matrix.add(case, cells);
    }
    println!("\n{matrix}");
    matrix.verdict()
}

/// The gateway as a user starts it.
fn gateway(workspace: &Workspace, args: &Args, folder: &Path, protos: &Path, server: &str) -> Result<Subject> {
    let program = program(workspace, args, "tidegate", "tidegate")?;
    let protos = protos.display();
    Subject::on_free_port("tidegate", |address| {
        let config = format!(
            "listeners: [{{ bind: {address} }}]
upstreams:
  interop: {{ endpoints: [{server}], schema: {{ proto: [{protos}] }} }}
routes:
  - {{ service: grpc.testing.TestService, upstream: interop }}
grpc: {{ reflection: true }}
telemetry: {{ access_log: {{ to: access.log }} }}
"
        );
        let file = folder.join("tidegate.yaml");
        std::fs::write(&file, config)?;
        let mut command = Command::new(&program);
        command.args(["--log", "warn", "run", "-c"]).arg(file);
        Ok(command)
    })
}

fn clients(workspace: &Workspace, args: &Args, folder: &Path, protos: &Path) -> Result<Vec<Client>> {
    let set = folder.join("test.pb");
    let protoc = cache::program(&cache::pypi(workspace, cache::PROTOC)?, "protoc/_bin/protoc")?;
    proc::output(Command::new(protoc).arg("-I").arg(protos).arg("-o").arg(&set).arg("grpc/testing/test.proto"))?;
    let mut python = Vec::new();
    for package in [cache::PROTOBUF, cache::GRPCIO, cache::TYPING_EXTENSIONS] {
        python.push(cache::pypi(workspace, package)?);
    }
    let tonic = program(workspace, args, "tidegate-interop", "interop-tonic")?;
    let script = workspace.root.join("tests/interop/client.py");
    Ok(vec![
        clients::grpc_go(golang::program(workspace, GRPC_GO)?),
        clients::tonic(tonic),
        clients::python(script, python, set.clone()),
        // The server has no reflection of its own.
        clients::grpcurl(golang::program(workspace, GRPCURL)?, args.direct.then_some(set)),
    ])
}

fn program(workspace: &Workspace, args: &Args, package: &str, bin: &str) -> Result<PathBuf> {
    if args.programs_of_tests { workspace.built_with_tests(bin) } else { workspace.build(package, bin, "test") }
}

/// The port of `host:port`.
fn port(address: &str) -> &str {
    address.rsplit(':').next().unwrap_or_default()
}
