//! Python's protobuf in a process of its own: what editions mean, from those who define them.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::workspace;

/// A running `tests/oracle/editions.py`; ends with this value.
#[derive(Debug)]
pub struct Oracle {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

/// What the oracle made of a request: the result, or why it refused.
pub type Answer = Result<Vec<u8>, String>;

impl Oracle {
    /// Starts it. `None`, and a line that says so, where there is no Python with protobuf
    /// (`cargo xtask test` installs it).
    ///
    /// # Panics
    /// There is none, under `CI=true`: there nothing may be left out.
    #[must_use]
    pub fn start(test: &str) -> Option<Self> {
        match Self::try_start() {
            Ok(oracle) => Some(oracle),
            Err(why) => {
                let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
                assert!(!in_ci, "{test} cannot run: {why}");
                eprintln!("LEFT OUT: {test}: {why}. `cargo xtask test` installs what it needs.");
                None
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        let root = workspace::root();
        let cache = std::env::var_os("TIDEGATE_CACHE").map_or(root.join(".cache"), PathBuf::from);
        let package = cache.join("pypi/protobuf");
        let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        // Without the cache's package the system's own protobuf may do.
        let mut child = Command::new(python)
            .arg(root.join("tests/oracle/editions.py"))
            .env("PYTHONPATH", package)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("python3 does not start: {error}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let mut oracle =
            Self { child, input: input.ok_or("stdin was not piped")?, output: output.ok_or("stdout was not piped")? };
        let ready = oracle.exchange(b'S', "", &[]).map_err(|_| "python3 has no protobuf".to_owned())?;
        ready.map(|_| oracle)
    }

    /// Gives it the schema for all later requests, an encoded `FileDescriptorSet`.
    ///
    /// # Panics
    /// The oracle refuses the schema, or is gone.
    pub fn schema(&mut self, descriptor_set: &[u8]) {
        let answer = self.ask(b'S', "", descriptor_set);
        assert_eq!(answer.map_err(|why| format!("schema: {why}")), Ok(Vec::new()));
    }

    /// Wire to JSON.
    ///
    /// # Errors
    /// Python's refusal.
    pub fn json(&mut self, message: &str, wire: &[u8]) -> Answer {
        self.ask(b'J', message, wire)
    }

    /// JSON to wire.
    ///
    /// # Errors
    /// Python's refusal.
    pub fn wire(&mut self, message: &str, json: &[u8]) -> Answer {
        self.ask(b'W', message, json)
    }

    /// Wire to a normal form of it, in which equal messages are equal bytes.
    ///
    /// # Errors
    /// Python's refusal.
    pub fn normal(&mut self, message: &str, wire: &[u8]) -> Answer {
        self.ask(b'N', message, wire)
    }

    fn ask(&mut self, operation: u8, name: &str, payload: &[u8]) -> Answer {
        self.exchange(operation, name, payload).expect("the oracle runs until it is dropped")
    }

    fn exchange(&mut self, operation: u8, name: &str, payload: &[u8]) -> std::io::Result<Answer> {
        let mut request = vec![operation];
        request.extend(length(name.as_bytes()));
        request.extend_from_slice(name.as_bytes());
        request.extend_from_slice(payload);
        self.input.write_all(&length(&request))?;
        self.input.write_all(&request)?;
        self.input.flush()?;
        let mut head = [0; 4];
        self.output.read_exact(&mut head)?;
        let mut response = vec![0; u32::from_le_bytes(head) as usize];
        self.output.read_exact(&mut response)?;
        let result = response.split_off(1);
        Ok(match response[0] {
            0 => Ok(result),
            _ => Err(String::from_utf8_lossy(&result).into_owned()),
        })
    }
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("frames here are small").to_le_bytes()
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // Both fail only if it is gone already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
