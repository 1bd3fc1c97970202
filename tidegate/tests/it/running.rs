//! A gateway in a process of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

/// What never comes fails a test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// `tidegate run` that listens. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
    /// Where it listens, in the order of the log: listeners, then the admin port.
    pub(crate) addresses: Vec<String>,
    /// The log until then.
    pub(crate) before: String,
}

impl Running {
    /// Starts it and waits until it listens: on as many addresses as the config has `bind`s.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        Self::start_with(&mut command, 1)
    }

    #[track_caller]
    pub(crate) fn start_with(command: &mut Command, count: usize) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be run");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let (mut addresses, mut before) = (Vec::new(), String::new());
        while addresses.len() < count {
            let mut line = String::new();
            let read = log.read_line(&mut line).expect("a log of text");
            assert!(read > 0, "it ended without listening");
            if let Some(address) = line.split(" on http://").nth(1).and_then(|rest| rest.split('"').next()) {
                addresses.push(address.to_owned());
            }
            before.push_str(&line);
        }
        Self { child, log, addresses, before }
    }

    /// The answer to a GET: status line, headers and body.
    pub(crate) fn get(&self, address: usize, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.addresses[address]).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("send");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer of text");
        answer
    }

    /// The answer to a request that asks for the end of the connection.
    pub(crate) fn ask(&self, address: usize, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.addresses[address]).expect("it listens");
        stream.write_all(request.as_bytes()).expect("send");
        rest(stream)
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("/bin/sh").args(["-c", &kill]).status().expect("a shell");
        assert!(status.success(), "{kill}");
    }

    /// Opens a connection and sends `request`.
    pub(crate) fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.addresses[0]).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("send");
        stream
    }

    /// Opens a connection, sends `request`, and reads until what came ends with `until`.
    pub(crate) fn connect(&self, request: &str, until: &str) -> TcpStream {
        let mut stream = self.send(request);
        let mut answer = String::new();
        let mut byte = [0];
        while !answer.ends_with(until) {
            stream.read_exact(&mut byte).expect("an answer");
            answer.push(char::from(byte[0]));
        }
        stream
    }

    /// Reads the log until a line has `text`, and gives that line.
    pub(crate) fn wait_for_log(&mut self, text: &str) -> String {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(self.log.read_line(&mut line).expect("a log of text") > 0, "it ended without logging {text}");
        }
        line
    }

    /// The answer to a POST: status and body. `headers` are whole lines.
    pub(crate) fn post(&self, address: usize, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.addresses[address]).expect("it listens");
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}");
        write!(stream, "{head}\r\n{headers}\r\n{body}").expect("send");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer of text");
        let status = answer.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// Waits for its end: exit code, standard output, rest of the log.
    pub(crate) fn end(mut self) -> (i32, String, String) {
        let (mut out, mut log) = (String::new(), String::new());
        self.log.read_to_string(&mut log).expect("a log of text");
        self.child.stdout.take().expect("it is piped").read_to_string(&mut out).expect("text");
        (self.child.wait().expect("it ends").code().expect("no signal"), out, log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes until the connection ends, which must not be by a reset.
#[track_caller]
pub(crate) fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an end in order");
    answer
}
