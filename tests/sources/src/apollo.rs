//! Apollo's own server for tests, in a process: `com.ctrip.framework.apollo:apollo-mockserver`.
//!
//! It answers a long poll at once, knows no releases, access keys or meta servers, and any app is the same to it.

use crate::process::Server;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The server. Each start has a port of its own, and no contents.
#[derive(Debug)]
pub struct Apollo {
    address: String,
    server: Server,
    _folder: TempDir,
}

impl Apollo {
    /// Starts one that has these namespaces, without content. `None` where it is not installed.
    ///
    /// # Panics
    /// As [`installed`](crate::installed), or if it does not start.
    #[must_use]
    pub fn start(namespaces: &[&str]) -> Option<Self> {
        let classes = crate::installed("apollo")?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        for namespace in namespaces {
            let file = folder.path().join(format!("mockdata-{namespace}.properties"));
            std::fs::write(file, "").expect("a file in a temporary folder");
        }
        let path = [classes.clone(), classes.join("lib/*"), folder.path().to_owned()];
        let path = std::env::join_paths(path.map(PathBuf::into_os_string)).expect("paths without colons");
        let mut command = Command::new("java");
        command.args(["-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dapp.id=gateway", "-Denv=local"]);
        command.arg(format!("-Dapollo.cacheDir={}", folder.path().join("cache").display()));
        command.arg("-cp").arg(path).arg("ApolloServer");
        let (server, address) =
            Server::start(&mut command, |line| Some(line.strip_prefix("serving http://")?.trim_end().to_owned()));
        Some(Self { address, server, _folder: folder })
    }

    /// `host:port`
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Writes a namespace's content.
    ///
    /// # Panics
    /// The server is gone.
    pub fn put(&mut self, namespace: &str, content: &str) {
        assert_eq!(self.server.say(&format!("put {namespace} {}", STANDARD.encode(content))), "done");
    }

    /// Removes a namespace's content, for good: what is written later is not seen.
    ///
    /// # Panics
    /// The server is gone.
    pub fn delete(&mut self, namespace: &str) {
        assert_eq!(self.server.say(&format!("delete {namespace}")), "done");
    }
}
