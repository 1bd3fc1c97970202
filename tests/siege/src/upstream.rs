//! The service behind the gateway: answers whatever is asked, as `siege.proto` says, and counts the calls.

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use h2::SendStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use std::future::poll_fn;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use tokio::net::{TcpListener, TcpStream};

/// The service's definition, for the gateway's config.
pub const PROTO: &str = include_str!("../proto/siege.proto");
/// The service's full name.
pub const SERVICE: &str = "tidegate.siege.v1.Siege";

/// Bytes of a large answer.
pub const LARGE: usize = 256 * 1024;
const BOMB: usize = 16 * 1024 * 1024;
const FIRECRACKER: usize = 3 * 1024 * 1024;

/// A service that listens, until the process ends.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    calls: Arc<AtomicU64>,
}

impl Upstream {
    /// Serves from a thread of its own.
    ///
    /// # Errors
    /// There is no free port, or the thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let upstream = Self { address: listener.local_addr()?, calls: Arc::default() };
        let calls = Arc::clone(&upstream.calls);
        // Compressing takes its time: before anybody waits.
        LazyLock::force(&REPLIES);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("upstream".into()).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&calls)));
                }
            });
        })?;
        Ok(upstream)
    }

    /// Calls that have begun.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

static REPLIES: LazyLock<Replies> = LazyLock::new(Replies::new);

/// Messages in their frames.
struct Replies {
    small: Bytes,
    large: Bytes,
    bomb: Bytes,
    firecracker: Bytes,
}

impl Replies {
    fn new() -> Self {
        Self {
            small: framed(0, &words(5)),
            large: framed(0, &words(LARGE)),
            bomb: framed(1, &gzip(&words(BOMB))),
            firecracker: framed(1, &gzip(&words(FIRECRACKER))),
        }
    }
}

/// `Words` with a text of this length.
fn words(length: usize) -> Vec<u8> {
    let mut message = vec![0x0a];
    let mut left = length;
    while left >= 0x80 {
        message.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    message.push(left as u8);
    message.resize(message.len() + length, b'x');
    message
}

fn gzip(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Neither fails in memory.
    encoder.write_all(message).and_then(|()| encoder.finish()).unwrap_or_default()
}

fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(flag);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

async fn serve(stream: TcpStream, calls: Arc<AtomicU64>) {
    // A gateway that gives up closes its connections: nothing to tell.
    drop(stream.set_nodelay(true));
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        calls.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move { drop(answer(request, respond, &REPLIES).await) });
    }
}

async fn answer(
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    replies: &Replies,
) -> Result<(), h2::Error> {
    let (head, mut body) = request.into_parts();
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    let method = head.uri.path().rsplit('/').next().unwrap_or_default();
    let (message, compressed, endless) = match method {
        "Large" => (&replies.large, false, false),
        "Endless" => (&replies.large, false, true),
        "Bomb" => (&replies.bomb, true, false),
        "Firecracker" => (&replies.firecracker, true, false),
        _ => (&replies.small, false, false),
    };
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    if compressed {
        response.headers_mut().insert("grpc-encoding", HeaderValue::from_static("gzip"));
    }
    let mut stream = respond.send_response(response, false)?;
    loop {
        send(&mut stream, message.clone()).await?;
        if !endless {
            break;
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

/// Sends as the window allows.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let capacity = match poll_fn(|context| stream.poll_capacity(context)).await {
            Some(capacity) => capacity?,
            None => return Err(h2::Reason::CANCEL.into()),
        };
        let piece = data.split_to(capacity.min(data.len()));
        stream.send_data(piece, false)?;
    }
    Ok(())
}
