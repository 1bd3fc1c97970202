use super::serve;
use crate::config::Limits;
use crate::peer::Peer;
use crate::server::testing::shared;
use std::time::Duration;
use tidegate_telemetry::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;
use tokio::time::advance;

/// Serves one connection while the client does its part; gives how long after its last act it was closed.
async fn closed_after<F: Future<Output = DuplexStream>>(client: impl FnOnce(DuplexStream) -> F) -> Duration {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (_stop, stopped) = watch::channel(false);
    let shared = shared(stopped);
    let server = serve(far, Peer::unknown(), &shared);
    let client = async {
        let mut near = client(near).await;
        let last = clock::now();
        let rest = near.read_to_end(&mut Vec::new()).await.expect("an end, not an error");
        assert_eq!(rest, 0, "nothing comes before the end");
        clock::now() - last
    };
    tokio::join!(server, client).1
}

/// Sends a request and reads its answer.
async fn ask(stream: &mut DuplexStream) {
    stream.write_all(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("written");
    let mut answer = [0; 1024];
    let len = stream.read(&mut answer).await.expect("read");
    assert!(answer[..len].starts_with(b"HTTP/1.1 404 "), "{}", String::from_utf8_lossy(&answer[..len]));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_given_up_however_it_trickles() {
    let elapsed = closed_after(|mut stream| async move {
        ask(&mut stream).await;
        stream.write_all(b"GET /x HT").await.expect("written");
        tokio::time::sleep(Duration::from_secs(4)).await;
        stream.write_all(b"TP/1.1\r\n").await.expect("written");
        stream
    });
    assert_eq!(elapsed.await.as_secs(), Limits::default().headers.timeout.as_secs() - 4);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_and_closed_at_last() {
    let elapsed = closed_after(|mut stream| async move {
        for pause in [0, 1, 60, 250] {
            advance(Duration::from_secs(pause)).await;
            ask(&mut stream).await;
        }
        stream
    });
    let elapsed = elapsed.await;
    let limit = Limits::default().idle_timeout;
    assert!((limit..=2 * limit).contains(&elapsed), "{elapsed:?}");
}
