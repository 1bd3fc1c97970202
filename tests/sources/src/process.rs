//! A server in a process of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running server; ends with this value.
#[derive(Debug)]
pub struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts it, reads its standard error until `find` finds what it looks for in a line, and goes on reading in
    /// the background, so that the server never waits for its log.
    ///
    /// # Panics
    /// It does not start, or ends before that line.
    pub fn start<T>(command: &mut Command, find: impl Fn(&str) -> Option<T>) -> (Self, T) {
        let child = command.stdout(Stdio::piped()).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the server starts");
        let mut log = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let input = child.stdin.take().expect("stdin is piped");
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let server = Self { child, input, output };
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let length = log.read_line(&mut line).expect("the log is text");
            assert!(length > 0, "the server ended while it started:\n{said}");
            said.push_str(&line);
            if let Some(found) = find(&line) {
                std::thread::spawn(move || std::io::copy(&mut log.by_ref(), &mut std::io::sink()));
                return (server, found);
            }
        }
    }

    /// Writes a line to its standard input and reads the answer from its standard output.
    ///
    /// # Panics
    /// It is gone.
    pub fn say(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").expect("the server reads");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the server answers");
        answer.trim_end().to_owned()
    }

    /// Stops the process where it is, as a machine that hangs.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("/bin/sh").args(["-c", &kill]).status().expect("a shell");
        assert!(status.success(), "{kill}");
    }
}

/// Without mercy, as a crash.
impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if the process is gone already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
