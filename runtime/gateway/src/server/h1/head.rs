//! What hyper does not show of a request's head: whether it had two lengths, and how its lines end.
//!
//! hyper takes `Content-Length` away when there is a `Transfer-Encoding` too, and its parser takes a bare
//! LF for the end of a line. Both are read otherwise by other programs, so that the bytes of one request
//! may hold another.

use crate::pipeline::arrival::Oddity;

/// As much of a line as its name needs.
const KEPT: usize = 32;

/// Reads the lines of each head as its bytes come, in pieces of any size, for as long as it is known
/// where a head begins: after a chunked body, or in a pipeline, it is not. hyper then still closes the
/// connection after a request with two lengths.
#[derive(Debug, Default)]
pub(in crate::server) struct Head {
    /// The beginning of a line that is not complete.
    line: Vec<u8>,
    /// The last byte of that, if there was more of it than is kept.
    last: u8,
    length: bool,
    coding: bool,
    bare: bool,
    /// The first line came.
    begun: bool,
    /// The empty line came.
    over: bool,
    /// Bytes behind it.
    beyond: usize,
    /// It is not known any more where a head begins.
    lost: bool,
}

impl Head {
    /// A request is handed on: what was odd about its head.
    pub(in crate::server) fn take(&mut self) -> Option<Oddity> {
        self.lost |= !self.over;
        match self {
            Self { lost: true, .. } => None,
            Self { bare: true, .. } => Some(Oddity::BareLineFeed),
            Self { length: true, coding: true, .. } => Some(Oddity::TwoLengths),
            _ => None,
        }
    }

    /// The request is answered, and so many bytes behind its head were its body: what comes now is a head,
    /// unless something was left over.
    pub(in crate::server) fn answered(&mut self, body: usize) {
        let lost = self.lost || self.coding || self.beyond != body;
        *self = Self { lost, ..Self::default() };
    }

    /// Takes what was read.
    pub(in crate::server) fn read(&mut self, mut bytes: &[u8]) {
        if self.lost {
            return;
        }
        while !self.over && !bytes.is_empty() {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                self.keep(bytes);
                return;
            };
            let piece = &bytes[..end];
            bytes = &bytes[end + 1..];
            if self.line.is_empty() {
                self.line(piece, piece.last().copied());
            } else {
                self.keep(piece);
                let (line, last) = (std::mem::take(&mut self.line), self.last);
                self.line(&line, Some(last));
            }
        }
        self.beyond += bytes.len();
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = KEPT - self.line.len();
        self.line.extend_from_slice(&piece[..piece.len().min(room)]);
        self.last = piece.last().copied().unwrap_or(self.last);
    }

    /// One line without its LF, or its beginning.
    fn line(&mut self, line: &[u8], last: Option<u8>) {
        self.bare |= last != Some(b'\r');
        if matches!(line, [] | [b'\r']) {
            // Empty lines before the first one do not count (RFC 9112, section 2.2).
            self.over = self.begun;
            return;
        }
        self.begun = true;
        let named = |name: &[u8]| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name);
        self.length |= named(b"content-length:");
        self.coding |= named(b"transfer-encoding:");
    }
}

#[cfg(test)]
mod tests {
    use super::Head;
    use crate::pipeline::arrival::Oddity;

    /// What is found in a head, whole, byte by byte, and cut at every place.
    fn found(head: &str) -> Option<Oddity> {
        let in_pieces = |pieces: &[&[u8]]| {
            let mut head = Head::default();
            pieces.iter().for_each(|piece| head.read(piece));
            head.take()
        };
        let bytes = head.as_bytes();
        let whole = in_pieces(&[bytes]);
        assert_eq!(in_pieces(&bytes.chunks(1).collect::<Vec<_>>()), whole, "{head:?}");
        for at in 0..bytes.len() {
            assert_eq!(in_pieces(&[&bytes[..at], &bytes[at..]]), whole, "{head:?} cut at {at}");
        }
        whole
    }

    #[test]
    fn two_lengths_and_bare_line_feeds_are_found_however_the_bytes_come() {
        let long = "x".repeat(100);
        let cases = [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", None),
            ("\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\nhost: a\r\n\r\nabc\n\n", None),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n", None),
            ("POST / HTTP/1.1\r\nx-content-length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n", None),
            ("POST / HTTP/1.1\r\ncontent-LENGTH: 3\r\nTransfer-encoding:chunked\r\n\r\n", Some(Oddity::TwoLengths)),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length:3\r\n\r\n", Some(Oddity::TwoLengths)),
            ("GET / HTTP/1.1\nhost: a\r\n\r\n", Some(Oddity::BareLineFeed)),
            ("GET / HTTP/1.1\r\nhost: a\n\r\n", Some(Oddity::BareLineFeed)),
            ("GET / HTTP/1.1\r\nhost: a\r\n\n", Some(Oddity::BareLineFeed)),
        ];
        for (head, want) in cases {
            assert_eq!(found(head), want, "{head:?}");
        }
        assert_eq!(found(&format!("GET /{long} HTTP/1.1\nhost: a\r\n\r\n")), Some(Oddity::BareLineFeed));
        assert_eq!(found(&format!("GET /{long} HTTP/1.1\r\nhost: {long}\r\n\r\n")), None);
    }

    #[test]
    fn the_next_head_is_read_when_it_is_known_to_begin() {
        let post = b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\na\n";
        let bare = b"GET / HTTP/1.1\nhost: a\n\n";
        let found_after = |body: &[&[u8]], taken: usize| {
            let mut head = Head::default();
            head.read(post);
            assert_eq!(head.take(), None);
            body.iter().for_each(|bytes| head.read(bytes));
            head.answered(taken);
            head.read(bare);
            head.take()
        };
        assert_eq!(found_after(&[b"\n"], 3), Some(Oddity::BareLineFeed));
        // Answered before the body was read, and with a second request behind the body.
        assert_eq!([found_after(&[], 0), found_after(&[b"\n", b"GET / HT"], 3)], [None, None]);
    }

    #[test]
    fn after_a_chunked_body_nothing_is_known() {
        let mut head = Head::default();
        head.read(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!(head.take(), None);
        head.answered(0);
        head.read(b"GET / HTTP/1.1\n\n");
        assert_eq!(head.take(), None);
    }
}
