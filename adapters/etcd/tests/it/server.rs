//! An etcd in a process of its own, and what writes to it.

use http::uri::PathAndQuery;
use prost::Message;
use std::path::PathBuf;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tonic::Request;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

/// Its data lasts as long as this; the process is killed when this is dropped.
pub(crate) struct Etcd {
    program: PathBuf,
    child: Child,
    port: u16,
    data: TempDir,
}

#[derive(Clone, PartialEq, Message)]
struct Put {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Delete {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Compact {
    #[prost(int64, tag = "1")]
    revision: i64,
    #[prost(bool, tag = "2")]
    physical: bool,
}

/// Any answer, of which only the header is of interest.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(int64, tag = "3")]
    revision: i64,
}

/// The program, if this machine has one. Under `CI=true` it must.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("TIDEGATE_ETCD").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| std::env::split_paths(&path).map(|folder| folder.join("etcd")).find(|p| p.is_file()));
    if found.is_none() {
        let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!ci, "there is no etcd: set TIDEGATE_ETCD");
        eprintln!("left out: there is no etcd; set TIDEGATE_ETCD, or run `cargo xtask test`");
    }
    found
}

impl Etcd {
    /// Starts one, empty; `None` if there is no program.
    pub(crate) async fn start() -> Option<Self> {
        let program = program()?;
        let data = tempfile::tempdir().expect("a temporary folder");
        // It cannot be asked which port it took, so it is told one that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let child = serve(&program, port, &data).await;
        Some(Self { program, child, port, data })
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Starts it again, with its data.
    pub(crate) async fn restart(&mut self) {
        self.child = serve(&self.program, self.port, &self.data).await;
    }

    pub(crate) async fn put(&self, key: &str, value: &str) {
        self.call("/etcdserverpb.KV/Put", Put { key: key.into(), value: value.into() }).await;
    }

    pub(crate) async fn delete(&self, key: &str) {
        self.call("/etcdserverpb.KV/DeleteRange", Delete { key: key.into() }).await;
    }

    /// Forgets all revisions but the last.
    pub(crate) async fn compact(&self) {
        let answer = self.call("/etcdserverpb.KV/DeleteRange", Delete { key: b"/none".to_vec() }).await;
        let revision = answer.header.expect("a header").revision;
        self.call("/etcdserverpb.KV/Compact", Compact { revision, physical: true }).await;
    }

    async fn call<M: Message + 'static>(&self, path: &'static str, message: M) -> Answer {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address())).expect("an address");
        let mut grpc: Grpc<Channel> = Grpc::new(endpoint.connect().await.expect("etcd listens"));
        grpc.ready().await.expect("etcd listens");
        let codec = ProstCodec::<M, Answer>::default();
        let answer = grpc.unary(Request::new(message), PathAndQuery::from_static(path), codec).await;
        answer.expect("etcd does it").into_inner()
    }
}

/// Starts the program and waits until it says that it serves.
async fn serve(program: &PathBuf, port: u16, data: &TempDir) -> Child {
    let client = format!("http://127.0.0.1:{port}");
    let mut child = Command::new(program)
        .args(["--name", "test", "--log-level", "info", "--logger", "zap"])
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", "http://127.0.0.1:0", "--unsafe-no-fsync"])
        .arg("--data-dir")
        .arg(data.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("etcd can be run");
    let mut log = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut told = String::new();
    loop {
        let line = log.next_line().await.expect("a log of text");
        let line = line.unwrap_or_else(|| panic!("etcd ended:\n{told}"));
        if line.contains("serving client traffic") || line.contains("serving insecure client") {
            break;
        }
        told.push_str(&line);
        told.push('\n');
    }
    // It goes on logging, and must not be held up by that.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    child
}
