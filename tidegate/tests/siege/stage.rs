//! The program in a process of its own, before an upstream in this one.

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tidegate_siege::attack::Target;
use tidegate_siege::upstream::{PROTO, SERVICE, Upstream};

/// Calls that a stage makes when it is set.
pub(crate) const WARM_UP: u64 = 20;

/// A gateway that listens. Killed when dropped.
pub(crate) struct Stage {
    child: Child,
    /// What is attacked.
    pub(crate) target: Target,
    upstream: Upstream,
    _folder: TempDir,
}

impl Stage {
    /// Starts a gateway with these keys of its listener and of its route, `, key: value, …`.
    pub(crate) fn set(listener: &str, route: &str) -> Self {
        let upstream = Upstream::start().expect("a free port");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("proto")).expect("a folder");
        fs::write(folder.path().join("proto/siege.proto"), PROTO).expect("a file");
        let config = format!(
            "workers: 1
listeners: [{{ bind: 127.0.0.1:0{listener} }}]
upstreams:
  siege: {{ endpoints: [{}], schema: {{ proto: [proto] }} }}
routes:
  - {{ service: {SERVICE}, upstream: siege{route} }}
telemetry: {{ access_log: off }}
",
            upstream.address
        );
        fs::write(folder.path().join("tidegate.yaml"), config).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.current_dir(folder.path()).arg("run").env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it can be run");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let address = listening(&mut log);
        // It must not wait for a reader.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let target = Target::at(address);
        let stage = Self { child, target, upstream, _folder: folder };
        // Connects upstream, and fills what is filled once.
        for _ in 0..WARM_UP {
            let answer = stage.get("/large");
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        stage
    }

    /// The gateway's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The answer to a GET, whole.
    pub(crate) fn get(&self, path: &str) -> String {
        get(self.target.address, path)
    }

    /// How many calls came upstream.
    pub(crate) fn calls(&self) -> u64 {
        self.upstream.calls()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads the log until it says where it listens.
fn listening(log: &mut impl BufRead) -> SocketAddr {
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).expect("a log of text") > 0, "it ended without listening");
        if let Some(address) = line.split("listening on http://").nth(1) {
            return address.split(['"', ' ', '\n']).next().and_then(|text| text.parse().ok()).expect("an address");
        }
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer of text");
    answer
}
