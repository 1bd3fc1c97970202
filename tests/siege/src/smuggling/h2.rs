//! Shapes on HTTP/2: what would be a second request, or another one, once written as HTTP/1.1.

use crate::attack::Target;
use crate::frame::{flag, frame, kind};
use crate::h2::H2;
use crate::hpack;
use std::io;
use std::time::Duration;

/// How the gateway refuses or answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The stream is reset with this code.
    Reset(u32),
    /// The connection ends with this code.
    GoAway(u32),
    /// An answer with this status.
    Status(u16),
    /// Nothing within the time.
    Silence,
}

/// One shape.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// What is odd about it; unique.
    pub name: &'static str,
    /// The rule that decides.
    pub rule: &'static str,
    /// The right outcome.
    pub verdict: Verdict,
    /// Fields of the header block, in their order; `{get}` and `{post}` stand for paths that are served.
    fields: &'static [(&'static str, &'static str)],
    /// The body in one DATA frame, if there is one.
    body: Option<&'static str>,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Shape {
    /// Sends it on a connection of its own.
    ///
    /// # Errors
    /// The connection cannot be opened.
    pub fn send(&self, target: &Target) -> io::Result<Verdict> {
        let mut connection = H2::open(target.address, &[])?;
        let mut block = Vec::new();
        for (name, value) in self.fields {
            let value = value.replace("{get}", &target.get).replace("{post}", &target.post);
            hpack::literal(&mut block, name.as_bytes(), value.as_bytes());
        }
        connection.request(1, &block, self.body.is_none());
        if let Some(body) = self.body {
            connection.send(&frame(kind::DATA, flag::END_STREAM, 1, body.as_bytes()));
        }
        let seen = connection
            .wait(PATIENCE, |seen| !seen.answers.is_empty() || !seen.resets.is_empty() || seen.goaway.is_some());
        Ok(match (seen.goaway, seen.resets.get(&1), seen.answers.get(&1)) {
            (Some(code), _, _) => Verdict::GoAway(code),
            (_, _, Some(status)) => Verdict::Status(*status),
            (_, Some(code), _) => Verdict::Reset(*code),
            _ => Verdict::Silence,
        })
    }
}

macro_rules! get {
    ($($field:expr),* $(,)?) => {
        &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "{get}"), $($field),*]
    };
}

macro_rules! post {
    ($($field:expr),* $(,)?) => {
        &[(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "{post}"), $($field),*]
    };
}

type Fields = &'static [(&'static str, &'static str)];

/// RFC 9113, 8.1.1: a malformed request is a stream error of type `PROTOCOL_ERROR`.
const fn malformed(name: &'static str, rule: &'static str, fields: Fields) -> Shape {
    Shape { name, rule, verdict: Verdict::Reset(1), fields, body: None }
}

/// The HPACK decoder refuses it: what follows on the connection could not be read either.
const fn undecodable(name: &'static str, rule: &'static str, fields: Fields) -> Shape {
    Shape { name, rule, verdict: Verdict::GoAway(1), fields, body: None }
}

/// Well-formed for HTTP/2, and refused by us.
const fn refused(name: &'static str, rule: &'static str, fields: Fields) -> Shape {
    Shape { name, rule, verdict: Verdict::Status(400), fields, body: None }
}

/// Every shape.
pub const SHAPES: &[Shape] = &[
    malformed("transfer-encoding", "RFC 9113, 8.2.2", get![("transfer-encoding", "chunked")]),
    malformed("connection", "RFC 9113, 8.2.2", get![("connection", "close")]),
    malformed("keep-alive", "RFC 9113, 8.2.2", get![("keep-alive", "1")]),
    malformed("proxy-connection", "RFC 9113, 8.2.2", get![("proxy-connection", "close")]),
    malformed("upgrade", "RFC 9113, 8.2.2", get![("upgrade", "h2c")]),
    malformed("te other than trailers", "RFC 9113, 8.2.2", get![("te", "gzip")]),
    undecodable("a name in upper case", "RFC 9113, 8.2.1", get![("X-Upper", "1")]),
    undecodable("a name with a space", "RFC 9113, 8.2.1", get![("x a", "1")]),
    undecodable("a name with a colon", "RFC 9113, 8.2.1", get![("x:a", "1")]),
    undecodable("a name that is empty", "RFC 9113, 8.2.1", get![("", "1")]),
    undecodable("a name with CRLF", "RFC 9113, 8.2.1", get![("x\r\nhost", "1")]),
    undecodable("a value with CRLF", "RFC 9113, 8.2.1", get![("x", "1\r\ntransfer-encoding: chunked")]),
    undecodable("a value with LF", "RFC 9113, 8.2.1", get![("x", "1\n2")]),
    undecodable("a value with NUL", "RFC 9113, 8.2.1", get![("x", "1\u{0}2")]),
    malformed(
        "a field before the pseudo-fields",
        "RFC 9113, 8.3",
        &[("x", "1"), (":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "{get}")],
    ),
    malformed("a pseudo-field twice", "RFC 9113, 8.3", get![(":path", "/hidden")]),
    malformed("a pseudo-field of responses", "RFC 9113, 8.3", get![(":status", "200")]),
    undecodable("an unknown pseudo-field", "RFC 9113, 8.3", get![(":unknown", "1")]),
    malformed("no path", "RFC 9113, 8.3.1", &[(":method", "GET"), (":scheme", "http"), (":authority", "a")]),
    malformed("no method", "RFC 9113, 8.3.1", &[(":scheme", "http"), (":authority", "a"), (":path", "{get}")]),
    malformed("no scheme", "RFC 9113, 8.3.1", &[(":method", "GET"), (":authority", "a"), (":path", "{get}")]),
    malformed(
        "an empty path",
        "RFC 9113, 8.3.1",
        &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "")],
    ),
    malformed(
        "a path without a slash",
        "RFC 9113, 8.3.1",
        &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "s/docs")],
    ),
    malformed(
        "a path with another host",
        "RFC 9113, 8.3.1",
        &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "http://b{get}")],
    ),
    malformed(
        "a path that is a request line",
        "RFC 9113, 8.3.1",
        &[
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "{get} HTTP/1.1\r\nhost: b\r\n\r\nGET /hidden"),
        ],
    ),
    Shape {
        name: "a path with a fragment",
        rule: "RFC 9110, 4.1: no part of what is asked for, and it goes nowhere",
        verdict: Verdict::Status(200),
        fields: &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "{get}#a")],
        body: None,
    },
    undecodable(
        "a method that is a request line",
        "RFC 9113, 8.3.1",
        &[
            (":method", "GET /hidden HTTP/1.1\r\nhost: b\r\n\r\nGET"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "{get}"),
        ],
    ),
    malformed(
        "a scheme with a host",
        "RFC 9113, 8.3.1",
        &[(":method", "GET"), (":scheme", "http://b/"), (":authority", "a"), (":path", "{get}")],
    ),
    refused(
        "an authority with a user",
        "RFC 9113, 8.3.1",
        &[(":method", "GET"), (":scheme", "http"), (":authority", "b@a"), (":path", "{get}")],
    ),
    malformed(
        "an authority with a path",
        "RFC 9113, 8.3.1",
        &[(":method", "GET"), (":scheme", "http"), (":authority", "a/hidden"), (":path", "{get}")],
    ),
    refused("a host beside another authority", "RFC 9113, 8.3.1", get![("host", "b")]),
    refused(
        "neither host nor authority",
        "RFC 9113, 8.3.1",
        &[(":method", "GET"), (":scheme", "http"), (":path", "{get}")],
    ),
    refused(
        "two hosts",
        "RFC 9110, 7.2",
        &[(":method", "GET"), (":scheme", "http"), (":path", "{get}"), ("host", "a"), ("host", "b")],
    ),
    refused("a name with an underscore", "CGI maps it to another", get![("content_length", "2")]),
    malformed(
        "a tunnel with a path",
        "RFC 9113, 8.5",
        &[(":method", "CONNECT"), (":scheme", "http"), (":authority", "a"), (":path", "{get}")],
    ),
    malformed(
        "an extended tunnel that nobody offered",
        "RFC 8441, 3",
        &[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "{get}"),
        ],
    ),
    malformed("a length without a body", "RFC 9113, 8.1.1", post![("content-length", "2")]),
    Shape {
        name: "a body beyond its length",
        rule: "RFC 9113, 8.1.1",
        verdict: Verdict::Reset(1),
        fields: post![("content-length", "2")],
        body: Some("{}GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n"),
    },
    Shape {
        name: "a body short of its length",
        rule: "RFC 9113, 8.1.1",
        verdict: Verdict::Reset(1),
        fields: post![("content-length", "48")],
        body: Some("{}"),
    },
    Shape {
        name: "two lengths",
        rule: "RFC 9110, 8.6",
        verdict: Verdict::Reset(1),
        fields: post![("content-length", "2"), ("content-length", "48")],
        body: Some("{}"),
    },
    Shape {
        name: "a length with a sign",
        rule: "RFC 9110, 8.6",
        verdict: Verdict::Reset(1),
        fields: post![("content-length", "+2")],
        body: Some("{}"),
    },
];
