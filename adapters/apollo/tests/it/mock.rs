//! Apollo's mock in a process of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Killed when dropped.
pub(crate) struct Mock {
    pub(crate) address: String,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Mock {
    /// Starts it with the jars that `TIDEGATE_APOLLO_CLASSPATH` names; `None` if it is not set. Under `CI=true`
    /// it must be.
    pub(crate) async fn start() -> Option<Self> {
        let Some(path) = std::env::var_os("TIDEGATE_APOLLO_CLASSPATH") else {
            let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
            assert!(!ci, "there is no Apollo: set TIDEGATE_APOLLO_CLASSPATH");
            eprintln!("left out: there is no Apollo; set TIDEGATE_APOLLO_CLASSPATH, or run `cargo xtask test`");
            return None;
        };
        const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mock");
        let mut path = path;
        path.push(":");
        path.push(FOLDER);
        let mut child = Command::new("java")
            .arg("-cp")
            .arg(path)
            .arg(format!("{FOLDER}/Mock.java"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("there is a java");
        let commands = child.stdin.take().expect("it is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let port = answers.next_line().await.expect("text").expect("it prints its port");
        Some(Self { address: format!("127.0.0.1:{port}"), commands, answers, _child: child })
    }

    pub(crate) async fn put(&mut self, namespace: &str, key: &str, value: &str) {
        self.command(&format!("put {namespace} {key} {}\n", STANDARD.encode(value))).await;
    }

    pub(crate) async fn delete(&mut self, namespace: &str, key: &str) {
        self.command(&format!("delete {namespace} {key}\n")).await;
    }

    async fn command(&mut self, line: &str) {
        self.commands.write_all(line.as_bytes()).await.expect("it runs");
        assert_eq!(self.answers.next_line().await.expect("text").as_deref(), Some("done"));
    }
}
