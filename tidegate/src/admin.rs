//! Asks the admin port of a gateway that runs.

use crate::cli::Running;
use crate::exit::Exit;
use crate::load::Failure;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use tidegate_control::{Diagnostic, Report};

/// A reload compiles schemas and may ask upstreams for theirs.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest answer that is read.
const ANSWER_MAX: u64 = 16 << 20;

/// An admin port.
pub(crate) struct Admin {
    address: String,
    token: Option<String>,
}

/// What it answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Admin {
    /// The one that the command line names, or else the config.
    pub(crate) fn of(running: &Running) -> Result<Self, Failure> {
        let environment = |name: &str| std::env::var_os(name)?.into_string().ok();
        if let Some(address) = &running.admin {
            return Ok(Self { address: address.clone(), token: environment("TIDEGATE_ADMIN_TOKEN") });
        }
        let loaded = tidegate_control::load(&running.config, &environment).map_err(Failure::config)?;
        let Some(admin) = loaded.admin else {
            let message = format!("`{}` has no `admin`: a gateway with it cannot be asked", running.config.display());
            return Err(Failure::config(Report::new(vec![Diagnostic::error(message)])));
        };
        let mut address = admin.bind;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        Ok(Self { address: address.to_string(), token: admin.token })
    }

    /// Sends a GET and reads the answer.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask("GET", path, &[])
    }

    /// Sends a POST and reads the answer.
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        self.ask("POST", path, body)
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Result<Answer, Failure> {
        self.exchange(method, path, body).map_err(|why| {
            let message = format!("the admin port on {} cannot be asked: {why}", self.address);
            let diagnostic = Diagnostic::error(message).help("does the gateway run? `--admin HOST:PORT` names another");
            Failure { exit: Exit::Unavailable, ..Failure::runtime(diagnostic) }
        })
    }

    fn exchange(&self, method: &str, path: &str, body: &[u8]) -> Result<Answer, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(&self.address).map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(text)?;
        let token = self.token.as_ref().map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{token}content-length: {}\r\nconnection: close\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).map_err(text)?;
        let mut answer = String::new();
        stream.take(ANSWER_MAX).read_to_string(&mut answer).map_err(text)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("it does not answer in HTTP")?;
        let status =
            head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("it does not answer in HTTP")?;
        let body = serde_json::from_str(body).map_err(|_| format!("it answers {status} without JSON"))?;
        Ok(Answer { status, body })
    }
}

impl Answer {
    /// What is wrong, if the answer is an error: told on standard error, with the exit code for it.
    pub(crate) fn failed(&self) -> Option<Exit> {
        if self.status < 300 {
            return None;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        eprintln!("error: {}", text(&self.body["message"]));
        let violations = self.body["details"][0]["fieldViolations"].as_array();
        for violation in violations.into_iter().flatten() {
            eprintln!("  {}: {}", text(&violation["field"]), text(&violation["description"]));
        }
        Some(match self.status {
            400 => Exit::Config,
            503 => Exit::Unavailable,
            _ => Exit::Failure,
        })
    }
}
