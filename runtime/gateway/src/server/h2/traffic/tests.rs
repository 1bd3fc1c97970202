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

/// Reads until there is nothing more in this turn; how much that was.
async fn turn(socket: &mut Socket<tokio::io::DuplexStream>) -> usize {
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

#[tokio::test]
async fn one_that_sends_much_has_its_turn_and_no_more() {
    // One frame of DATA.
    let mut bytes = PREFACE.to_vec();
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.resize(2 * TURN_BYTES + 100, 0);
    let (mut socket, _near) = socket(&bytes).await;
    assert_eq!(turn(&mut socket).await, TURN_BYTES);
    assert_eq!(turn(&mut socket).await, TURN_BYTES);
    assert_eq!(turn(&mut socket).await, 100);
}

#[tokio::test]
async fn of_a_flood_nothing_more_is_read() {
    let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[0; 8]].concat();
    let bytes = [PREFACE, &ping.repeat(4000)].concat();
    let (mut socket, _near) = socket(&bytes).await;
    let read = turn(&mut socket).await;
    assert!((TURN_BYTES..2 * TURN_BYTES).contains(&read), "{read}");
    // A turn has not enough of them; two have.
    let read = turn(&mut socket).await;
    assert!(socket.traffic.flood().is_some() && read < TURN_BYTES, "{read}");
    assert_eq!(turn(&mut socket).await, 0);
}
