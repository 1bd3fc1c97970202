//! A request on its way out: its head as text, its body as it is pulled.

use std::{
    io::{self, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName,
    header::{self, CONNECTION, CONTENT_LENGTH, HOST, TRAILER, TRANSFER_ENCODING},
    request::Parts as Head,
    uri::Authority,
};
use http_body::{Body as _, Frame};
use tokio::io::AsyncWrite;

use super::{
    head::{decimal, says},
    out::Out,
};
use crate::{BodyError, RequestBody, body::Parts};

/// A request on its way out.
pub(super) struct Sending {
    out: Out,
    /// What is still to be pulled.
    body: Option<Pulled>,
    stays: bool,
}

struct Pulled {
    source: RequestBody,
    framing: Framing,
}

/// How the end of a body is told.
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    /// So many bytes are to come.
    Left(u64),
    /// By chunks; trailers of these names may follow.
    Chunked(Vec<HeaderName>),
}

/// Why a request cannot be sent to its end.
#[derive(Debug)]
pub(super) enum Failed {
    /// Its source failed.
    Source(BodyError),
    /// Its source ended before the length that it has told.
    Short,
    /// The socket takes no more.
    Socket(io::Error),
}

// === impl Sending ===

impl Sending {
    /// The request in origin form, with a `Host`: that of the URI, or of the endpoint, if it has none.
    pub(super) fn new(head: &Head, body: Parts, authority: Option<&Authority>) -> Self {
        // Lines are about as long as this.
        let mut text = Vec::with_capacity(128 + 48 * head.headers.len());
        write_line(&mut text, head);
        if !head.headers.contains_key(HOST) {
            let named = head.uri.authority().or(authority).map_or("", Authority::as_str);
            write_field(&mut text, HOST.as_str(), named.as_bytes());
        }
        let (mut length, mut connection) = (false, false);
        write_fields(&mut text, &head.headers, |name| match *name {
            // How long the body is, is said anew.
            CONTENT_LENGTH => {
                length = true;
                false
            }
            TRANSFER_ENCODING => false,
            _ => {
                connection |= *name == CONNECTION;
                true
            }
        });
        let stays = !(connection && says(&head.headers, "close"));
        match body {
            Parts::Whole(bytes) => {
                // None at all and one without bytes are told apart, as they came.
                if !bytes.is_empty() || length {
                    write_length(&mut text, bytes.len() as u64);
                }
                text.extend_from_slice(b"\r\n");
                let mut out = Out::new(text);
                out.data(bytes, b"");
                Self { out, body: None, stays }
            }
            Parts::Stream(source) => {
                let framing = Framing::of(&source, &head.headers);
                match &framing {
                    Framing::Left(length) => write_length(&mut text, *length),
                    Framing::Chunked(_) => write_field(&mut text, TRANSFER_ENCODING.as_str(), b"chunked"),
                }
                text.extend_from_slice(b"\r\n");
                Self { out: Out::new(text), body: Some(Pulled { source, framing }), stays }
            }
        }
    }

    /// Whether the request leaves the connection open.
    pub(super) fn stays(&self) -> bool {
        self.stays
    }

    /// Whether the kernel has taken anything so far.
    pub(super) fn began(&self) -> bool {
        self.out.began()
    }

    /// Ready when all of it is sent.
    pub(super) fn poll<W: AsyncWrite + Unpin>(&mut self, io: &mut W, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        loop {
            while let Some(pulled) = self.body.as_mut().filter(|_| self.out.has_room()) {
                match pulled.poll(&mut self.out, cx) {
                    Poll::Ready(Ok(true)) => self.body = None,
                    Poll::Ready(Ok(false)) => {}
                    Poll::Ready(Err(failed)) => return Poll::Ready(Err(failed)),
                    Poll::Pending => break,
                }
            }
            if self.out.is_empty() {
                return if self.body.is_none() { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            ready!(self.out.poll_send(io, cx)).map_err(Failed::Socket)?;
        }
    }
}

fn write_line(text: &mut Vec<u8>, head: &Head) {
    text.extend_from_slice(head.method.as_str().as_bytes());
    text.push(b' ');
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    text.extend_from_slice(path.as_bytes());
    text.extend_from_slice(b" HTTP/1.1\r\n");
}

fn write_field(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

fn write_fields(text: &mut Vec<u8>, headers: &HeaderMap, mut goes: impl FnMut(&HeaderName) -> bool) {
    for (name, value) in headers {
        if goes(name) {
            write_field(text, name.as_str(), value.as_bytes());
        }
    }
}

fn write_length(text: &mut Vec<u8>, length: u64) {
    // A vector takes what is written.
    let _ = write!(text, "content-length: {length}\r\n");
}

// === impl Framing ===

impl Framing {
    /// A length that was told holds; else the body says it; else chunks do.
    fn of(body: &RequestBody, headers: &HeaderMap) -> Self {
        let told = headers.get(CONTENT_LENGTH).and_then(|value| decimal(value.as_bytes()));
        match told.or_else(|| body.size_hint().exact()) {
            Some(length) => Self::Left(length),
            None => Self::Chunked(trailers(headers)),
        }
    }
}

/// Names that `Trailer` announces: who has not announced a trailer may not send it.
fn trailers(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(TRAILER).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).filter(may_trail).collect()
}

/// What decides how a message is read cannot come behind it (RFC 9110, section 6.5.1).
fn may_trail(name: &HeaderName) -> bool {
    ![
        header::AUTHORIZATION,
        header::CACHE_CONTROL,
        header::CONTENT_ENCODING,
        CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        HOST,
        header::MAX_FORWARDS,
        header::SET_COOKIE,
        header::TE,
        TRAILER,
        TRANSFER_ENCODING,
    ]
    .contains(name)
}

// === impl Pulled ===

impl Pulled {
    /// Pulls one frame; says whether it was the last.
    fn poll(&mut self, out: &mut Out, cx: &mut Context<'_>) -> Poll<Result<bool, Failed>> {
        let frame = match ready!(Pin::new(&mut self.source).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Err(Failed::Source(error))),
            None => return Poll::Ready(self.end(out)),
        };
        match frame.into_data() {
            Ok(data) => self.data(data, out),
            Err(frame) => return Poll::Ready(self.trailers(frame, out)),
        }
        Poll::Ready(Ok(matches!(self.framing, Framing::Left(0))))
    }

    fn data(&mut self, mut data: Bytes, out: &mut Out) {
        match &mut self.framing {
            Framing::Left(left) => {
                // Nothing beyond what was told: it would be another request.
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= data.len() as u64;
                out.data(data, b"");
            }
            // It would be the last chunk.
            Framing::Chunked(_) if data.is_empty() => {}
            Framing::Chunked(_) => {
                let _ = write!(out.text(), "{:x}\r\n", data.len());
                out.data(data, b"\r\n");
            }
        }
    }

    fn trailers(&mut self, frame: Frame<Bytes>, out: &mut Out) -> Result<bool, Failed> {
        let Framing::Chunked(announced) = &self.framing else { return self.end(out) };
        let Ok(trailers) = frame.into_trailers() else { return Ok(false) };
        out.text().extend_from_slice(b"0\r\n");
        write_fields(out.text(), &trailers, |name| announced.contains(name));
        out.text().extend_from_slice(b"\r\n");
        Ok(true)
    }

    fn end(&mut self, out: &mut Out) -> Result<bool, Failed> {
        match self.framing {
            Framing::Left(0) => {}
            Framing::Left(_) => return Err(Failed::Short),
            Framing::Chunked(_) => out.text().extend_from_slice(b"0\r\n\r\n"),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
