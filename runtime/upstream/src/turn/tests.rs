use super::{Pause, pause};
use std::future::poll_fn;
use std::task::Poll;
use tokio::net::{TcpListener, TcpStream};

/// A task that is woken all the time by others is not done before a socket that was ready is seen.
#[tokio::test]
async fn a_pause_lasts_until_sockets_were_looked_at() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    // Its readiness is known to the kernel, and to nobody here before the next look.
    let accepted = tokio::spawn(async move { listener.accept().await.expect("a connection") });
    tokio::task::yield_now().await;
    let _client = TcpStream::connect(address).await.expect("connected");
    let (mut polls, mut paused) = (0, None);
    let pausing = poll_fn(move |context| {
        polls += 1;
        if paused.get_or_insert_with(|| Pause::begin(context)).is_over() {
            return Poll::Ready(polls);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    let polls = tokio::spawn(pausing).await.expect("it does not panic");
    assert!(polls > 2, "it was woken {polls} times: others in between are what this is about");
    // One for what was noticed to be done.
    tokio::task::yield_now().await;
    assert!(accepted.is_finished());
}

#[tokio::test]
async fn two_pauses_at_a_time_end_both() {
    tokio::join!(pause(), pause());
}
