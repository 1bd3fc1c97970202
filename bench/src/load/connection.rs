//! One keep-alive HTTP/1.1 connection, as little of it as a load generator needs.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
    /// The last answer said that it is.
    last: bool,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("nobody listens on {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self::on(stream))
    }

    pub(crate) fn on(stream: TcpStream) -> Self {
        Self { stream, buffer: vec![0; 64 * 1024].into(), begin: 0, end: 0, last: false }
    }

    /// Sends a request and reads its answer; the pieces of the body go to `sink`, its length is
    /// returned. An error if the status is not 200.
    pub(crate) async fn exchange(&mut self, request: &[u8], mut sink: impl FnMut(&[u8])) -> Result<usize> {
        let mut length = 0;
        let head = self.ask(request, |piece| {
            length += piece.len();
            sink(piece);
        });
        match head.await?.status {
            200 => Ok(length),
            status => bail!("status {status}"),
        }
    }

    /// The server takes no further request on this connection.
    pub(crate) fn is_over(&self) -> bool {
        self.last
    }

    /// The socket without the buffer, between two exchanges.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Ready when the server has closed the connection.
    pub(crate) async fn closed(&mut self) {
        let mut byte = [0];
        // Bytes that nobody asked for are no better than an end.
        let _ = self.stream.peek(&mut byte).await;
    }

    /// Sends a request and reads its answer, whatever its status.
    pub(crate) async fn ask(&mut self, request: &[u8], mut sink: impl FnMut(&[u8])) -> Result<Head> {
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(head) = head(&self.buffer[self.begin..self.end])? {
                self.begin += head.length;
                break head;
            }
            self.fill().await?;
        };
        match head.framing {
            Framing::Length(mut left) => loop {
                let piece = left.min(self.end - self.begin);
                sink(&self.buffer[self.begin..self.begin + piece]);
                self.begin += piece;
                left -= piece;
                if left == 0 {
                    break;
                }
                self.fill().await?;
            },
            Framing::Chunked => {
                let mut chunks = Chunks::Size(0);
                loop {
                    let filled = &self.buffer[self.begin..self.end];
                    self.begin += chunks.feed(filled, &mut sink)?;
                    if chunks == Chunks::Done {
                        break;
                    }
                    self.fill().await?;
                }
            }
        }
        if self.begin != self.end {
            bail!("bytes after the answer");
        }
        self.last = head.close;
        Ok(head)
    }

    async fn fill(&mut self) -> Result<()> {
        if self.begin == self.end {
            self.begin = 0;
            self.end = 0;
        }
        if self.end == self.buffer.len() {
            bail!("a head of more than {} bytes", self.buffer.len());
        }
        let read = self.stream.read(&mut self.buffer[self.end..]).await?;
        if read == 0 {
            bail!("the connection was closed before the answer was complete");
        }
        self.end += read;
        Ok(())
    }
}

/// A complete head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    length: usize,
    framing: Framing,
    /// The status code.
    pub(crate) status: u16,
    /// The connection ends with this answer.
    pub(crate) close: bool,
}

fn head(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes)? else {
        return Ok(None);
    };
    let mut framing = None;
    let mut close = false;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            framing = Some(Framing::Length(std::str::from_utf8(header.value)?.parse()?));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Some(Framing::Chunked);
        } else if header.name.eq_ignore_ascii_case("connection") {
            close = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let framing = framing.context("an answer without a length")?;
    Ok(Some(Head { length, framing, status: response.code.unwrap_or(0), close }))
}

/// A chunked body, read as it comes (RFC 9112, 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunks {
    /// In the line with a chunk's size, so far.
    Size(usize),
    /// In an extension, or at the end, of that line.
    SizeEnd(usize),
    /// In the data, so many bytes before its end.
    Data(usize),
    /// In the line end after the data.
    DataEnd,
    /// In the trailer section; whether the line has anything in it.
    Trailer(bool),
    /// Past the end.
    Done,
}

impl Chunks {
    /// Takes bytes, hands the data in them to `sink` and answers how many were taken: all, unless
    /// the body ended.
    fn feed(&mut self, bytes: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<usize> {
        let mut at = 0;
        while at < bytes.len() && *self != Self::Done {
            if let Self::Data(left) = *self {
                let piece = left.min(bytes.len() - at);
                sink(&bytes[at..at + piece]);
                at += piece;
                *self = if piece == left { Self::DataEnd } else { Self::Data(left - piece) };
                continue;
            }
            *self = self.step(bytes[at])?;
            at += 1;
        }
        Ok(at)
    }

    fn step(self, byte: u8) -> Result<Self> {
        Ok(match (self, byte) {
            (Self::Size(0) | Self::SizeEnd(0), b'\n') => Self::Trailer(false),
            (Self::Size(size) | Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::Size(size), b'\r' | b';' | b' ') | (Self::SizeEnd(size), _) => Self::SizeEnd(size),
            (Self::Size(size), digit) => {
                let digit = char::from(digit).to_digit(16).context("not a chunk size")?;
                let size = size.checked_mul(16).context("an endless chunk")?;
                Self::Size(size + digit as usize)
            }
            (Self::DataEnd, b'\n') => Self::Size(0),
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, _) => bail!("data beyond its chunk's size"),
            (Self::Trailer(false), b'\n') | (Self::Done, _) => Self::Done,
            (Self::Trailer(true), b'\n') => Self::Trailer(false),
            (Self::Trailer(any), b'\r') => Self::Trailer(any),
            (Self::Trailer(_), _) => Self::Trailer(true),
            (Self::Data(_), _) => bail!("data is taken in pieces"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"4\r\nWiki\r\nA;x=y\r\n0123456789\r\n0\r\nt: 1\r\n\r\nHTTP";

    #[test]
    fn a_chunked_body_is_the_same_however_it_is_cut() {
        let end = CHUNKED.len() - 4;
        for cut in 0..end {
            let (mut chunks, mut body) = (Chunks::Size(0), Vec::new());
            let mut sink = |piece: &[u8]| body.extend_from_slice(piece);
            let first = chunks.feed(&CHUNKED[..cut], &mut sink).expect("well-formed");
            assert_eq!(first, cut);
            let second = chunks.feed(&CHUNKED[cut..], &mut sink).expect("well-formed");
            assert_eq!((first + second, chunks), (end, Chunks::Done), "cut at {cut}");
            assert_eq!(body, b"Wiki0123456789");
        }
    }

    #[test]
    fn a_chunk_that_is_longer_than_it_says_is_an_error() {
        let mut chunks = Chunks::Size(0);
        assert!(chunks.feed(b"2\r\nabc\r\n", &mut |_| {}).is_err());
        assert!(Chunks::Size(0).feed(b"xyz\r\n", &mut |_| {}).is_err());
    }

    #[test]
    fn a_head_is_complete_or_awaited_and_says_whether_more_may_follow() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
        let found = Head { length: whole.len(), framing: Framing::Length(12), status: 200, close: false };
        assert_eq!(head(whole).expect("well-formed"), Some(found));
        assert_eq!(head(&whole[..30]).expect("so far"), None);
        let last = b"HTTP/1.1 503 No\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        let found = Head { length: last.len(), framing: Framing::Chunked, status: 503, close: true };
        assert_eq!(head(last).expect("well-formed"), Some(found));
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
