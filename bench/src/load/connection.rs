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
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
    begin: usize,
    end: usize,
}

impl Connection {
    pub(super) async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("nobody listens on {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 64 * 1024].into(), begin: 0, end: 0 })
    }

    /// Sends a request and reads its answer; the pieces of the body go to `sink`, its length is
    /// returned. An error if the status is not 200.
    pub(super) async fn exchange(&mut self, request: &[u8], mut sink: impl FnMut(&[u8])) -> Result<usize> {
        self.stream.write_all(request).await?;
        let framing = loop {
            if let Some((head, framing)) = head(&self.buffer[self.begin..self.end])? {
                self.begin += head;
                break framing;
            }
            self.fill().await?;
        };
        let mut length = 0;
        let mut sink = |piece: &[u8]| {
            length += piece.len();
            sink(piece);
        };
        match framing {
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
        Ok(length)
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

/// The length of a complete head and the framing of the body after it.
fn head(bytes: &[u8]) -> Result<Option<(usize, Framing)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes)? else {
        return Ok(None);
    };
    if response.code != Some(200) {
        let text = String::from_utf8_lossy(bytes);
        bail!("status {:?}: {text}", response.code);
    }
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let value = std::str::from_utf8(header.value)?.parse()?;
            return Ok(Some((length, Framing::Length(value))));
        }
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok(Some((length, Framing::Chunked)));
        }
    }
    bail!("an answer without a length");
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
    fn a_head_is_complete_or_awaited_and_only_200_counts() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(head(whole).expect("well-formed"), Some((whole.len(), Framing::Length(12))));
        assert_eq!(head(&whole[..30]).expect("so far"), None);
        assert!(head(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
