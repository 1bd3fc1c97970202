use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Poll,
};

use tokio::{
    io::{AsyncRead as _, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
};

use super::{BUFFER_BYTES, DIRECT_BYTES, Flusher, Io, TURN_BYTES, split};

async fn pair() -> (Io, Flusher, TcpStream, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    let heard = Arc::new(AtomicBool::new(false));
    let (io, flusher) = split(socket, Arc::clone(&heard));
    (io, flusher, peer, heard)
}

async fn write(io: &mut Io, bytes: &[u8]) -> Poll<usize> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *io).poll_write(cx, bytes).map(Result::unwrap))).await
}

#[tokio::test]
async fn what_is_written_leaves_together_when_the_driver_says_so() {
    let (mut io, flusher, mut peer, _) = pair().await;
    for part in [&b"HEADERS"[..], b"DATA", b"HEADERS"] {
        assert_eq!(write(&mut io, part).await, Poll::Ready(part.len()));
        io.flush().await.unwrap();
    }
    let mut read = [0; 64];
    assert_eq!(peer.try_read(&mut read).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    poll_fn(|cx| flusher.poll_flush(cx)).await.unwrap();
    // One segment, so one read has it all.
    let length = peer.read(&mut read).await.unwrap();
    assert_eq!(&read[..length], b"HEADERSDATAHEADERS");
}

#[tokio::test]
async fn a_peer_that_does_not_read_bounds_what_is_kept_for_it() {
    const PART: usize = 16 * 1024;
    let (mut io, flusher, mut peer, _) = pair().await;
    let mut written = 0;
    while let Poll::Ready(length) = write(&mut io, &[3; PART]).await {
        written += length;
    }
    let kept = flusher.0.lock().buffer.len();
    assert!((BUFFER_BYTES..BUFFER_BYTES + PART).contains(&kept), "{kept} bytes are kept");

    let reading = tokio::spawn(async move {
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.unwrap();
        read.len()
    });
    io.shutdown().await.unwrap();
    assert_eq!(reading.await.unwrap(), written);
}

#[tokio::test]
async fn a_large_write_is_not_copied() {
    let (mut io, flusher, mut peer, _) = pair().await;
    assert_eq!(write(&mut io, &[5; DIRECT_BYTES]).await, Poll::Ready(DIRECT_BYTES));
    assert_eq!(flusher.0.lock().buffer.len(), 0);
    // But it never overtakes what was written before it.
    assert_eq!(write(&mut io, b"first").await, Poll::Ready(5));
    assert_eq!(write(&mut io, &[6; DIRECT_BYTES]).await, Poll::Ready(DIRECT_BYTES));
    io.shutdown().await.unwrap();
    let mut read = Vec::new();
    peer.read_to_end(&mut read).await.unwrap();
    assert!(read == [&[5; DIRECT_BYTES][..], b"first", &[6; DIRECT_BYTES]].concat());
}

#[tokio::test]
async fn whatever_arrives_is_heard() {
    let (mut io, _flusher, mut peer, heard) = pair().await;
    assert!(!heard.load(Relaxed));
    peer.write_all(b"x").await.unwrap();
    assert_eq!((io.read_u8().await.unwrap(), heard.load(Relaxed)), (b'x', true));
}

#[tokio::test]
async fn a_peer_that_sends_much_has_its_turn_and_no_more() {
    let (mut io, _flusher, peer, _) = pair().await;
    peer.writable().await.unwrap();
    let mut left = 0;
    while let Ok(written) = peer.try_write(&[7; 64 * 1024]) {
        left += written;
    }
    while left > 0 {
        let mut turn = 0;
        poll_fn(|cx| {
            let mut bytes = [0; 16 * 1024];
            let mut buffer = ReadBuf::new(&mut bytes);
            while let Poll::Ready(read) = Pin::new(&mut io).poll_read(cx, &mut buffer) {
                read.unwrap();
                turn += buffer.filled().len();
                buffer.clear();
            }
            // Woken, whether more is there or the turn was over.
            if turn > 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert!(turn < TURN_BYTES + 16 * 1024, "{turn} bytes in one turn");
        left -= turn;
    }
}
