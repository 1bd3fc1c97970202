//! The tour: the HTTP requests that show what the gateway makes of the shop's services, with the answer to each.
//!
//! Plain data. Whoever has an HTTP client walks it:
//!
//! ```
//! use tidegate_shop::tour::{Answer, STEPS, Walk};
//!
//! let mut walk = Walk::default();
//! let request = walk.request(&STEPS[0]);
//! assert_eq!((request.method, request.path.as_str()), ("GET", "/v1/customers/ada"));
//! // Send it, then:
//! let answer = Answer { status: 404, headers: Vec::new(), body: Vec::new() };
//! let problem = walk.check(&STEPS[0], &answer).unwrap_err();
//! assert_eq!(problem.to_string(), "GET /v1/customers/ada: status 404 instead of 200");
//! ```
//!
//! It expects a shop freshly seeded and a gateway with its defaults: ProtoJSON, so fields without presence are left
//! out at their default, 64-bit numbers are strings, enums are names.

mod pattern;
mod steps;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

pub use self::steps::STEPS;

/// One request and what must come back.
///
/// `path`, `body` and what is expected may hold placeholders: `{{name}}` stands for what an earlier answer had there
/// (`path`, `body`) or captures it, on first use (expected). `{{*}}` is any string, `{{time}}` any RFC 3339 time in
/// UTC, and the key `"..."` allows further keys in its object.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it shows, for people; unique.
    pub title: &'static str,
    /// `GET`, …
    pub method: &'static str,
    /// Path and query, as sent.
    pub path: &'static str,
    /// Request headers, names in lower case. Any body is sent as `content-type: application/json` unless this says
    /// otherwise.
    pub headers: &'static [(&'static str, &'static str)],
    /// The body, if any.
    pub body: Option<&'static str>,
    /// The HTTP status.
    pub status: u16,
    /// The body that comes back.
    pub expect: Expect,
    /// Headers that come back, names in lower case; values may be `{{*}}`.
    pub expect_headers: &'static [(&'static str, &'static str)],
    /// Is printed in the README: gives the same answer on every fresh shop, and whatever was asked before.
    pub readme: bool,
}

/// What an answer's body must be.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// One JSON value, as `application/json`.
    Json(&'static str),
    /// A JSON value per line, as `application/x-ndjson`.
    Lines(&'static [&'static str]),
    /// Server-sent events, as `text/event-stream`: each one's name (`message` if it has none) and its data.
    Events(&'static [(&'static str, &'static str)]),
}

/// A step as it is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, …
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// All headers that the step needs; `host` and `content-length` are the client's.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The body, if any.
    pub body: Option<String>,
}

/// An answer as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// Goes through the steps in order and remembers what they captured.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    captured: BTreeMap<String, String>,
}

/// How an answer differs from what its step expects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{request}: {difference}")]
pub struct Mismatch {
    /// Method and path, as sent.
    pub request: String,
    /// Where, what came, and what should have.
    pub difference: String,
}

// === impl Step ===

impl Step {
    /// The step as a command for `curl`, to be pasted into a shell; `base` is `http://host:port`.
    ///
    /// # Panics
    /// If the step uses what an earlier one captured. Those of the README do not.
    pub fn curl(&self, base: &str) -> String {
        let request = Walk::default().request(self);
        let mut command = "curl -s".to_owned();
        if request.method != "GET" && !(request.method == "POST" && request.body.is_some()) {
            command.push_str(" -X ");
            command.push_str(request.method);
        }
        for (name, value) in &request.headers {
            command.push_str(&format!(" -H {}", quoted(&format!("{name}: {value}"))));
        }
        if let Some(body) = &request.body {
            command.push_str(" -d ");
            command.push_str(&quoted(body));
        }
        command.push(' ');
        command.push_str(&quoted(&format!("{base}{}", request.path)));
        command
    }
}

// === impl Walk ===

impl Walk {
    /// `step` with what was captured so far.
    ///
    /// # Panics
    /// If the step uses what no earlier step captured: the steps were not taken in order.
    pub fn request(&self, step: &Step) -> Request {
        let mut headers = step.headers.to_vec();
        if step.body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            headers.push(("content-type", "application/json"));
        }
        Request {
            method: step.method,
            path: self.filled(step.path),
            headers,
            body: step.body.map(|body| self.filled(body)),
        }
    }

    /// Compares `answer` with what `step` expects, and captures what it names.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&mut self, step: &Step, answer: &Answer) -> Result<(), Mismatch> {
        let path = self.filled(step.path);
        self.compare(step, answer)
            .map_err(|difference| Mismatch { request: format!("{} {path}", step.method), difference })
    }

    fn compare(&mut self, step: &Step, answer: &Answer) -> Result<(), String> {
        if answer.status != step.status {
            let body = String::from_utf8_lossy(&answer.body);
            let body = if body.is_empty() { String::new() } else { format!(", with {body}") };
            return Err(format!("status {} instead of {}{body}", answer.status, step.status));
        }
        let content_type = ("content-type", step.expect.content_type());
        for (name, expected) in step.expect_headers.iter().chain([&content_type]) {
            let values = answer.headers.iter().filter(|(there, _)| there == name);
            let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
            if values.is_empty() || *expected != "{{*}}" && values != [*expected] {
                return Err(format!("header {name} is {values:?} instead of {expected:?}"));
            }
        }
        let body = std::str::from_utf8(&answer.body).map_err(|error| format!("body is no UTF-8: {error}"))?;
        match step.expect {
            Expect::Json(expected) => self.matches("$", expected, body),
            Expect::Lines(expected) => {
                // Every line ends, the last one too.
                let lines: Vec<&str> = body.split_terminator('\n').collect();
                if !(body.is_empty() || body.ends_with('\n')) || lines.len() != expected.len() {
                    return Err(format!("{} lines instead of {}: {body}", lines.len(), expected.len()));
                }
                expected
                    .iter()
                    .zip(lines)
                    .enumerate()
                    .try_for_each(|(at, (expected, line))| self.matches(&format!("line {}", at + 1), expected, line))
            }
            Expect::Events(expected) => {
                let events = events(body);
                let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
                let expected_names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
                if names != expected_names {
                    return Err(format!("events {names:?} instead of {expected_names:?}: {body}"));
                }
                expected.iter().zip(&events).enumerate().try_for_each(|(at, ((_, expected), (_, data)))| {
                    self.matches(&format!("event {}", at + 1), expected, data)
                })
            }
        }
    }

    fn matches(&mut self, at: &str, expected: &str, actual: &str) -> Result<(), String> {
        let parse = |text: &str| serde_json::from_str::<Value>(text);
        let expected = parse(expected).map_err(|error| format!("{at}: the step's own JSON: {error}"))?;
        let actual = parse(actual).map_err(|error| format!("{at}: {error} in {actual}"))?;
        pattern::matches(at, &expected, &actual, &mut self.captured)
    }

    fn filled(&self, text: &str) -> String {
        pattern::filled(text, &self.captured)
    }
}

// === impl Expect ===

impl Expect {
    /// The media type of such an answer.
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Lines(_) => "application/x-ndjson",
            Self::Events(_) => "text/event-stream",
        }
    }
}

impl fmt::Display for Expect {
    /// The body as it would come, placeholders and all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(json) => writeln!(f, "{json}"),
            Self::Lines(lines) => lines.iter().try_for_each(|line| writeln!(f, "{line}")),
            Self::Events(events) => events.iter().try_for_each(|(name, data)| {
                if *name != "message" {
                    writeln!(f, "event: {name}")?;
                }
                writeln!(f, "data: {data}\n")
            }),
        }
    }
}

/// The events of a stream (WHATWG HTML, 9.2.6): name and data of each that has data.
fn events(body: &str) -> Vec<(String, String)> {
    let mut events = Vec::new();
    let (mut name, mut data): (&str, Vec<&str>) = ("message", Vec::new());
    for line in body.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            // An event ends with an empty line; one that the end of the body cuts off does not count.
            "" if line.is_empty() => {
                if !data.is_empty() {
                    events.push((name.to_owned(), data.join("\n")));
                }
                (name, data) = ("message", Vec::new());
            }
            "event" => name = value,
            "data" => data.push(value),
            // Comments, ids and retry times.
            _ => {}
        }
    }
    events
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b':' | b'.' | b'-' | b'_' | b'=');
    if text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
