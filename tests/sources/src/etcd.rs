//! A real etcd, of one member or of several, and its command-line client.

use crate::process::Server;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

use crate::certificates::Certificates;

/// How often a write is given to a leader; each may take etcd's own 7 s to say that it is none.
const LEADERS: u32 = 20;

/// A member of etcd with a data folder of its own. Port and data stay when it is stopped and started again.
#[derive(Debug)]
pub struct Etcd {
    program: PathBuf,
    /// Of the cluster: data, and the sockets by which members find each other.
    folder: Arc<TempDir>,
    /// From 1.
    number: usize,
    members: usize,
    address: String,
    server: Option<Server>,
    /// What its client says of itself, for a cluster with users.
    root: Option<String>,
    /// With them it speaks TLS, to clients that have a certificate of their own.
    certificates: Option<Certificates>,
}

impl Etcd {
    /// Starts one on a free port. `None` where it is not installed.
    ///
    /// # Panics
    /// As [`installed`](crate::installed), or if it does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with(None)
    }

    /// The same with TLS; clients need a certificate.
    ///
    /// # Panics
    /// As [`Etcd::start`].
    #[must_use]
    pub fn start_with_tls() -> Option<Self> {
        Self::start_with(Some(Certificates::new()))
    }

    /// Starts a cluster of several members.
    ///
    /// # Panics
    /// As [`Etcd::start`].
    #[must_use]
    pub fn start_cluster(members: usize) -> Option<Vec<Self>> {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let new = |number| Self::new(Arc::clone(&folder), number, members, None);
        let mut cluster = (1..=members).map(new).collect::<Option<Vec<Self>>>()?;
        // None of them serves before most of them run.
        std::thread::scope(|scope| {
            for member in &mut cluster {
                scope.spawn(|| member.run());
            }
        });
        Some(cluster)
    }

    fn start_with(certificates: Option<Certificates>) -> Option<Self> {
        let mut etcd = Self::new(Arc::new(tempfile::tempdir().expect("a temporary folder")), 1, 1, certificates)?;
        etcd.run();
        Some(etcd)
    }

    fn new(folder: Arc<TempDir>, number: usize, members: usize, certificates: Option<Certificates>) -> Option<Self> {
        let program = crate::installed("etcd/etcd")?;
        let address = "127.0.0.1:0".to_owned();
        Some(Self { program, folder, number, members, address, server: None, root: None, certificates })
    }

    /// `host:port` of its clients.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it again, where it was and with what it had.
    pub fn run(&mut self) {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        let clients = format!("{scheme}://{}", self.address);
        let name = |number: usize| format!("member{number}");
        // Files in the current folder, whatever they look like.
        let socket = |number: usize| format!("unix://127.0.0.1:{number}");
        let cluster: Vec<String> =
            (1..=self.members).map(|number| format!("{}={}", name(number), socket(number))).collect();
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder.path()).args(["--name", &name(self.number)]);
        command.arg("--data-dir").arg(self.data());
        command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
        let socket = socket(self.number);
        command.args(["--listen-peer-urls", &socket, "--initial-advertise-peer-urls", &socket]);
        command.args(["--initial-cluster", &cluster.join(","), "--logger", "zap"]);
        if let Some(certificates) = &self.certificates {
            command.arg("--client-cert-auth").arg("--trusted-ca-file").arg(certificates.path("ca.pem"));
            command.arg("--cert-file").arg(certificates.path("server.pem"));
            command.arg("--key-file").arg(certificates.path("server.key"));
        }
        let (server, address) = Server::start(&mut command, serving);
        self.address = address;
        self.server = Some(server);
    }

    /// Forgets all data; to be called while it is stopped.
    ///
    /// # Panics
    /// The data cannot be removed.
    pub fn wipe(&self) {
        std::fs::remove_dir_all(self.data()).expect("the data goes");
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join(format!("data{}", self.number))
    }

    /// The certificates, of one with TLS.
    ///
    /// # Panics
    /// It has none.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().expect("it was started with TLS")
    }

    /// The process.
    ///
    /// # Panics
    /// It is stopped.
    #[must_use]
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }

    /// Runs its client with these arguments, and this on its standard input.
    ///
    /// # Panics
    /// The client fails.
    pub fn ctl(&self, arguments: &[&str], input: &str) -> String {
        self.try_ctl(arguments, input).unwrap_or_else(|errors| panic!("etcdctl {arguments:?}: {errors}"))
    }

    /// The same; what it said if it failed.
    fn try_ctl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        use std::io::Write as _;
        let mut command = Command::new(&self.program);
        // Five seconds, which it waits otherwise, can be too short for an election on a busy machine.
        command.args(["ctl", "--command-timeout", "60s", "--endpoints", &self.address]).args(arguments);
        if let Some(certificates) = &self.certificates {
            command.arg("--cacert").arg(certificates.path("ca.pem"));
            command.arg("--cert").arg(certificates.path("client.pem"));
            command.arg("--key").arg(certificates.path("client.key"));
        }
        if let Some(root) = &self.root {
            command.args(["--user", root]);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("etcd's client starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(input.as_bytes()).expect("etcd's client reads");
        drop(stdin);
        let output = child.wait_with_output().expect("etcd's client ends");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(String::from_utf8(output.stdout).expect("etcd's client prints text"))
    }

    /// Writes a key. Whether a write is done that a dying leader was given nobody knows, and etcd says of it that the
    /// request timed out, with or without a word of the leader: it is written again until one says that it is done.
    ///
    /// # Panics
    /// The client fails for another reason, or a leader was not found in some minutes.
    pub fn put(&self, key: &str, value: &str) {
        for _ in 0..LEADERS {
            match self.try_ctl(&["put", key], value) {
                Ok(_) => return,
                Err(errors) => {
                    let unsure = errors.contains("leader") || errors.contains("etcdserver: request timed out");
                    assert!(unsure, "etcdctl put {key}: {errors}");
                }
            }
        }
        panic!("etcdctl put {key}: no leader")
    }

    /// Removes a key.
    pub fn delete(&self, key: &str) {
        self.ctl(&["del", key], "");
    }

    /// Forgets all revisions before the present one.
    ///
    /// # Panics
    /// The client prints something else than its JSON.
    pub fn compact(&self) {
        let status = self.ctl(&["endpoint", "status", "--write-out", "json"], "");
        let revision = status.split("\"revision\":").nth(1).and_then(|rest| rest.split([',', '}']).next());
        self.ctl(&["compact", revision.expect("the status has a revision")], "");
    }

    /// Asks everybody for user and password: `root` with `secret` may do everything, `gateway` with `hush` may
    /// read below `/tidegate/`.
    pub fn lock(&mut self) {
        self.ctl(&["user", "add", "root:secret"], "");
        self.ctl(&["user", "grant-role", "root", "root"], "");
        self.ctl(&["role", "add", "reader"], "");
        self.ctl(&["role", "grant-permission", "--prefix=true", "reader", "read", "/tidegate/"], "");
        self.ctl(&["user", "add", "gateway:hush"], "");
        self.ctl(&["user", "grant-role", "gateway", "reader"], "");
        self.ctl(&["auth", "enable"], "");
        self.root = Some("root:secret".into());
    }
}

/// The address in the line that says that clients are served, securely or not.
fn serving(line: &str) -> Option<String> {
    let (_, fields) = line.split_once("\"msg\":\"serving client traffic")?;
    let (_, address) = fields.split_once("\"address\":\"")?;
    address.split('"').next().map(str::to_owned)
}
