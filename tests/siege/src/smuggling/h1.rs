//! Shapes on HTTP/1.1.

use super::HIDDEN;
use crate::attack::Target;
use crate::h1::{Answers, H1};
use std::io;
use std::time::Duration;

/// One shape.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// What is odd about it; unique.
    pub name: &'static str,
    /// The rule that decides.
    pub rule: &'static str,
    /// The statuses of all answers that it gets.
    pub statuses: &'static [u16],
    /// The connection is closed after the last of them.
    pub closed: bool,
    /// What is sent, with `{get}` and `{post}` for paths that are served and `{hidden}` for a whole
    /// request for [`HIDDEN`].
    bytes: &'static str,
}

/// What to wait for more than the expected answers: a second one would come at once.
const MORE: Duration = Duration::from_millis(150);
/// What to wait for the expected answers.
const PATIENCE: Duration = Duration::from_secs(10);

impl Shape {
    /// Sends it on a connection of its own.
    ///
    /// # Errors
    /// The connection cannot be opened.
    pub fn send(&self, target: &Target) -> io::Result<Answers> {
        let mut connection = H1::open(target.address)?;
        connection.send(&self.bytes(target));
        let wanted = if self.closed { usize::MAX } else { self.statuses.len() };
        connection.wait(PATIENCE, wanted);
        Ok(connection.wait(MORE, usize::MAX))
    }

    fn bytes(&self, target: &Target) -> Vec<u8> {
        let hidden = format!("GET {HIDDEN} HTTP/1.1\r\nhost: siege.test\r\n\r\n");
        self.bytes.replace("{get}", &target.get).replace("{post}", &target.post).replace("{hidden}", &hidden).into()
    }
}

/// It is answered 400, and its connection closed.
const fn refused(name: &'static str, rule: &'static str, bytes: &'static str) -> Shape {
    Shape { name, rule, statuses: &[400], closed: true, bytes }
}

/// It is answered so, and the connection goes on.
const fn answered(name: &'static str, rule: &'static str, statuses: &'static [u16], bytes: &'static str) -> Shape {
    Shape { name, rule, statuses, closed: false, bytes }
}

/// Every shape.
pub const SHAPES: &[Shape] = &[
    // Two lengths.
    refused(
        "content-length, then transfer-encoding",
        "RFC 9112, 6.3, item 3",
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "transfer-encoding, then content-length",
        "RFC 9112, 6.3, item 3",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "transfer-encoding, then content-length of zero",
        "RFC 9112, 6.3, item 3",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ),
    refused(
        "two lengths that differ",
        "RFC 9112, 6.3, item 5",
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 60\r\n\r\n{}{hidden}",
    ),
    refused(
        "two lengths that differ in one field",
        "RFC 9112, 6.3, item 5",
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length: 2, 60\r\n\r\n{}{hidden}",
    ),
    refused(
        "one length twice in one field",
        "RFC 9110, 8.6",
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length: 2, 2\r\n\r\n{}{hidden}",
    ),
    refused(
        "a length with a sign",
        "RFC 9110, 8.6",
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length: +2\r\n\r\n{}{hidden}",
    ),
    refused(
        "a length below zero",
        "RFC 9110, 8.6",
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length: -2\r\n\r\n{hidden}",
    ),
    refused(
        "a length in hexadecimal digits",
        "RFC 9110, 8.6",
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length: 0x2\r\n\r\n{}{hidden}",
    ),
    refused(
        "a length of two words",
        "RFC 9110, 8.6",
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length: 2 2\r\n\r\n{}{hidden}",
    ),
    refused("an empty length", "RFC 9110, 8.6", "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\n{hidden}"),
    refused(
        "a length beyond 64 bits",
        "RFC 9110, 8.6",
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length: 18446744073709551618\r\n\r\n{}{hidden}",
    ),
    // Transfer-Encoding, in disguise.
    refused(
        "transfer-encoding on HTTP/1.0",
        "RFC 9112, 6.1",
        "POST {post} HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "chunked twice in one field",
        "RFC 9112, 6.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "chunked twice in two fields",
        "RFC 9112, 6.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "a coding that ends like chunked",
        "RFC 9112, 6.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "another coding before chunked",
        "RFC 9112, 6.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "chunked before another coding",
        "RFC 9112, 6.3, item 4",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "the coding identity",
        "RFC 9112, 7",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\ncontent-length: 2\r\n\r\n{}{hidden}",
    ),
    refused(
        "chunked with a parameter",
        "RFC 9112, 7",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked;q=1\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "chunked in quotes",
        "RFC 9112, 7",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \"chunked\"\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "chunked after a vertical tab",
        "RFC 9110, 5.5",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "an empty transfer-encoding",
        "RFC 9112, 6.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\ncontent-length: 2\r\n\r\n{}{hidden}",
    ),
    refused(
        "a space before the colon",
        "RFC 9112, 5.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "a space before the first header",
        "RFC 9112, 2.2",
        "POST {post} HTTP/1.1\r\n transfer-encoding: chunked\r\nhost: a\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "a folded transfer-encoding",
        "RFC 9112, 5.2",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "a folded header",
        "RFC 9112, 5.2",
        "GET {get} HTTP/1.1\r\nhost: a\r\nx-folded: one\r\n\ttwo\r\n\r\n{hidden}",
    ),
    answered(
        "a length with an underscore",
        "RFC 9110, 5.1; CGI maps it to content-length",
        &[400],
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent_length: 2\r\n\r\n",
    ),
    // Ends of lines.
    refused("lines that end in LF alone", "RFC 9112, 2.2", "GET {get} HTTP/1.1\nhost: a\n\n{hidden}"),
    refused(
        "one header that ends in LF alone",
        "RFC 9112, 2.2",
        "POST {post} HTTP/1.1\r\nhost: a\r\nx-a: b\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    ),
    refused("a head that ends in LF alone", "RFC 9112, 2.2", "GET {get} HTTP/1.1\r\nhost: a\r\n\n{hidden}"),
    refused(
        "CR within a value",
        "RFC 9112, 2.2",
        "GET {get} HTTP/1.1\r\nhost: a\r\nx-a: b\rtransfer-encoding: chunked\r\n\r\n{hidden}",
    ),
    refused("NUL within a value", "RFC 9110, 5.5", "GET {get} HTTP/1.1\r\nhost: a\r\nx-a: b\0c\r\n\r\n{hidden}"),
    refused("NUL within a name", "RFC 9110, 5.1", "GET {get} HTTP/1.1\r\nhost: a\r\nx\0a: b\r\n\r\n{hidden}"),
    refused("a name that is empty", "RFC 9110, 5.1", "GET {get} HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n{hidden}"),
    refused("a header without a colon", "RFC 9112, 5", "GET {get} HTTP/1.1\r\nhost: a\r\nnothing\r\n\r\n{hidden}"),
    // Chunks.
    refused(
        "a chunk size beyond 64 bits",
        "RFC 9112, 7.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "a chunk size with a prefix",
        "RFC 9112, 7.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "a chunk size with a sign",
        "RFC 9112, 7.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "a chunk size that is empty",
        "RFC 9112, 7.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\r\n{hidden}",
    ),
    refused(
        "a chunk size that ends in LF alone",
        "RFC 9112, 2.2 and 7.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "LF within a chunk extension",
        "RFC 9112, 7.1.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2;\nxx\r\n{}\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "CR within a chunk extension",
        "RFC 9112, 7.1.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2;\rxx\r\n{}\r\n0\r\n\r\n{hidden}",
    ),
    refused(
        "a chunk that does not end in CRLF",
        "RFC 9112, 7.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n{hidden}",
    ),
    refused(
        "a chunk that ends in LF alone",
        "RFC 9112, 7.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\n0\r\n\r\n{hidden}",
    ),
    refused(
        "a chunk that is longer than its size",
        "RFC 9112, 7.1",
        "POST {post} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n{hidden}",
    ),
    // The request line.
    refused("two spaces in the request line", "RFC 9112, 3", "GET  {get} HTTP/1.1\r\nhost: a\r\n\r\n{hidden}"),
    refused("tabs in the request line", "RFC 9112, 3", "GET\t{get}\tHTTP/1.1\r\nhost: a\r\n\r\n{hidden}"),
    refused("a space within the target", "RFC 9112, 3.2", "GET {get} {get} HTTP/1.1\r\nhost: a\r\n\r\n{hidden}"),
    refused("no version", "RFC 9112, 3", "GET {get}\r\nhost: a\r\n\r\n{hidden}"),
    refused("version 2.0 on HTTP/1", "RFC 9112, 2.3", "GET {get} HTTP/2.0\r\nhost: a\r\n\r\n{hidden}"),
    refused("version 1.10", "RFC 9112, 2.3", "GET {get} HTTP/1.10\r\nhost: a\r\n\r\n{hidden}"),
    refused("a version in lower case", "RFC 9112, 2.3", "GET {get} http/1.1\r\nhost: a\r\n\r\n{hidden}"),
    answered(
        "a fragment in the target",
        "RFC 9110, 4.1: no part of what is asked for, and it goes nowhere",
        &[200],
        "GET {get}#a HTTP/1.1\r\nhost: a\r\n\r\n",
    ),
    refused("a colon in the method", "RFC 9110, 9.1", "GE:T {get} HTTP/1.1\r\nhost: a\r\n\r\n{hidden}"),
    // Hosts.
    answered("no host", "RFC 9112, 3.2", &[400], "GET {get} HTTP/1.1\r\n\r\n"),
    answered("two hosts", "RFC 9112, 3.2", &[400], "GET {get} HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
    answered("one host twice", "RFC 9112, 3.2", &[400], "GET {get} HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n"),
    answered("a host with a space", "RFC 9112, 3.2", &[400], "GET {get} HTTP/1.1\r\nhost: a b\r\n\r\n"),
    answered("a host with a path", "RFC 9112, 3.2", &[400], "GET {get} HTTP/1.1\r\nhost: a/b\r\n\r\n"),
    answered("a host with a user", "RFC 9112, 3.2", &[400], "GET {get} HTTP/1.1\r\nhost: a@b\r\n\r\n"),
    answered("a host with a port of letters", "RFC 9112, 3.2", &[400], "GET {get} HTTP/1.1\r\nhost: a:b\r\n\r\n"),
    answered("two hosts in one", "RFC 9112, 3.2", &[400], "GET {get} HTTP/1.1\r\nhost: a, b\r\n\r\n"),
    answered(
        "a target with a host of its own",
        "RFC 9112, 3.2.2: Host is ignored",
        &[200],
        "GET http://b{get} HTTP/1.1\r\nhost: a\r\n\r\n",
    ),
    // What is right, and must not be taken for two.
    answered("an empty line before the request", "RFC 9112, 2.2", &[200], "\r\nGET {get} HTTP/1.1\r\nhost: a\r\n\r\n"),
    answered(
        "a body that looks like a request",
        "RFC 9112, 6.2",
        &[400],
        "POST {post} HTTP/1.1\r\nhost: a\r\ncontent-length: 42\r\n\r\n{hidden}",
    ),
    answered(
        "a body under GET that looks like a request",
        "RFC 9110, 9.3.1",
        &[400],
        "GET {get} HTTP/1.1\r\nhost: a\r\ncontent-length: 42\r\n\r\n{hidden}",
    ),
    answered(
        "headers that Connection names and that frame the body",
        "RFC 9110, 7.6.1",
        &[400],
        "POST {post} HTTP/1.1\r\nhost: a\r\nconnection: content-length\r\ncontent-length: 42\r\n\r\n{hidden}",
    ),
    answered(
        "an upgrade to h2c",
        "RFC 9113, 3.1",
        &[200],
        "GET {get} HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
    ),
    answered(
        "an upgrade to websocket",
        "RFC 9110, 7.8",
        &[200],
        "GET {get} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    ),
    Shape {
        name: "bytes after the body",
        rule: "RFC 9112, 6.3",
        statuses: &[200, 400],
        closed: true,
        bytes: "GET {get} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n{}\r\n\r\n",
    },
    Shape {
        name: "an early answer, its body unread",
        rule: "RFC 9112, 9.3; CVE-2025-4366",
        statuses: &[404],
        closed: true,
        bytes: "POST /nothing HTTP/1.1\r\nhost: a\r\ncontent-length: 9000000\r\n\r\n{hidden}",
    },
    Shape {
        name: "a tunnel",
        rule: "RFC 9110, 9.3.6",
        statuses: &[501],
        closed: true,
        bytes: "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n{hidden}",
    },
    Shape {
        name: "HTTP/1.0 closes",
        rule: "RFC 9112, 9.3",
        statuses: &[200],
        closed: true,
        bytes: "GET {get} HTTP/1.0\r\nhost: a\r\n\r\n{hidden}",
    },
];
