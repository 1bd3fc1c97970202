use super::{Socket, TURN_BYTES, Traffic};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A socket with these bytes to read.
async fn socket(bytes: &[u8]) -> (Socket<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
    let (mut near, far) = tokio::io::duplex(1024 * 1024);
    near.write_all(bytes).await.expect("there is room");
    (Socket::new(far, Traffic::new(100)), near)
}

/// Reads until there is nothing more in this turn; how much that was. Then it is the turn of others.
async fn turn(socket: &mut Socket<tokio::io::DuplexStream>) -> usize {
    let read = read(socket).await;
    tokio::task::yield_now().await;
    read
}

/// Reads until there is nothing more now.
async fn read(socket: &mut Socket<tokio::io::DuplexStream>) -> usize {
    let mut read = 0;
    poll_fn(|context| {
        let mut bytes = [0; 4096];
        let mut buffer = ReadBuf::new(&mut bytes);
        while Pin::new(&mut *socket).poll_read(context, &mut buffer).is_ready() {
            read += buffer.filled().len();
            buffer.clear();
        }
        Poll::Ready(())
    })
    .await;
    read
}

/// One frame of this type with so long a payload, after the preface.
fn one(kind: u8, length: usize) -> Vec<u8> {
    let size = u32::try_from(length).expect("short").to_be_bytes();
    [PREFACE, &size[1..], &[kind, 0, 0, 0, 0, 1], &vec![0; length]].concat()
}

#[tokio::test]
async fn one_that_makes_much_work_has_its_turn_and_no_more() {
    const HEADERS: u8 = 1;
    let bytes = one(HEADERS, 2 * TURN_BYTES);
    let (mut socket, _near) = socket(&bytes).await;
    let first = read(&mut socket).await;
    assert_eq!(first, PREFACE.len() + TURN_BYTES);
    // It may be looked at for other reasons, such as each request that came.
    assert_eq!(turn(&mut socket).await, 0);
    assert_eq!(first + turn(&mut socket).await + turn(&mut socket).await, bytes.len());
}

#[tokio::test]
async fn a_body_has_as_much_as_it_brings() {
    const DATA: u8 = 0;
    let bytes = one(DATA, 10 * TURN_BYTES);
    let (mut socket, _near) = socket(&bytes).await;
    assert_eq!(turn(&mut socket).await, bytes.len());
}

#[tokio::test]
async fn of_a_flood_nothing_more_is_read() {
    let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[0; 8]].concat();
    let bytes = [PREFACE, &ping.repeat(4000)].concat();
    let (mut socket, _near) = socket(&bytes).await;
    let mut read = 0;
    while socket.traffic.flood().is_none() {
        read += turn(&mut socket).await;
    }
    assert_eq!(turn(&mut socket).await, 0);
    // As many as it takes to be one, and what came with the last of them.
    let flood = PREFACE.len() + 1000 * ping.len();
    assert!((flood..flood + 2 * TURN_BYTES).contains(&read), "{read}");
}
