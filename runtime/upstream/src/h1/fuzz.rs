//! The decoder of HTTP/1.1 replies, for the fuzz targets: with the feature `fuzz` alone.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Method, Request, StatusCode};
use tokio::io::{AsyncRead, ReadBuf};

use super::{decode::Decoder, reader::Reader};
use crate::{CallError, Kind};

/// What came of a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Status and headers, once they were complete.
    pub head: Option<(StatusCode, HeaderMap)>,
    /// The peer keeps the connection open behind it.
    pub stays: bool,
    /// For how long, if it says so.
    pub keeps_for: Option<Duration>,
    /// Data, as far as it came.
    pub data: Vec<u8>,
    /// Trailers, if there were any.
    pub trailers: Option<HeaderMap>,
    /// How it ended.
    pub end: End,
}

/// How a reply ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It was complete, and these bytes behind it are not its own.
    Complete(Vec<u8>),
    /// The connection was closed before its end.
    #[default]
    Cut,
    /// It is no HTTP/1.1, or could be read in two ways.
    Bad,
}

/// Reads the reply to a request of this method from a socket on which these pieces come, and then its end.
///
/// # Panics
/// An error of another kind came of it, or a read that was not waited for.
#[must_use]
pub fn read_reply<'a>(asked: &Method, head_max_bytes: usize, pieces: impl Iterator<Item = &'a [u8]>) -> Reply {
    let mut socket = Script(pieces.filter(|piece| !piece.is_empty()).map(Bytes::copy_from_slice).collect());
    let mut reader = Reader::default();
    let mut reply = Reply::default();
    reply.end = match read(&mut socket, &mut reader, asked, head_max_bytes, &mut reply) {
        Ok(()) => {
            let mut behind = reader.into_buf().to_vec();
            socket.0.iter().for_each(|piece| behind.extend_from_slice(piece));
            End::Complete(behind)
        }
        Err(error) => match error.kind() {
            Kind::ConnectionLost(_) => End::Cut,
            Kind::Protocol(_) => End::Bad,
            other => panic!("a reply ends with {other:?}"),
        },
    };
    reply
}

fn read(
    socket: &mut Script,
    reader: &mut Reader,
    asked: &Method,
    head_max_bytes: usize,
    reply: &mut Reply,
) -> Result<(), CallError> {
    let cx = &mut Context::from_waker(Waker::noop());
    let mut request = Request::new(()).into_parts().0;
    request.method = asked.clone();
    let head = ready(reader.poll_head(socket, &mut request, head_max_bytes, cx))?;
    reply.head = Some((head.status, head.headers));
    (reply.stays, reply.keeps_for) = (head.stays, head.keeps_for);
    let mut decoder = Decoder::new(head.length);
    while !decoder.is_over() {
        let Some(frame) = ready(reader.poll_part(socket, &mut decoder, cx)) else { break };
        match frame?.into_data() {
            Ok(data) => reply.data.extend_from_slice(&data),
            Err(frame) => reply.trailers = frame.into_trailers().ok(),
        }
    }
    Ok(())
}

fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("there is always something to read, the end if nothing else"),
    }
}

/// A socket on which one piece after the other comes.
struct Script(VecDeque<Bytes>);

impl AsyncRead for Script {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(piece) = self.0.front_mut() {
            let len = piece.len().min(buf.remaining());
            buf.put_slice(&piece[..len]);
            piece.advance(len);
            if piece.is_empty() {
                self.0.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}
