use super::{DISCARD_IN_TURN_BYTES, DISCARD_MAX_BYTES, LINGER, Lingering};
use tidegate_telemetry::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test(start_paused = true)]
async fn a_closing_socket_reads_until_the_client_closes_as_well() {
    let (mut near, far) = tokio::io::duplex(1024);
    let mut server = Lingering::new(far);
    server.write_all(b"answer").await.expect("written");
    let client = async {
        near.write_all(b"one more request").await.expect("still taken");
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.expect("an end");
        drop(near);
        answer
    };
    let began = clock::now();
    let (answer, closed) = tokio::join!(client, server.shutdown());
    closed.expect("no error");
    assert_eq!((answer.as_str(), clock::now() - began), ("answer", std::time::Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_close_is_not_waited_for_for_ever() {
    let (_near, far) = tokio::io::duplex(1024);
    let began = clock::now();
    Lingering::new(far).shutdown().await.expect("no error");
    let waited = clock::now() - began;
    // Timers have a grain of a millisecond.
    assert_eq!(waited.as_millis().saturating_sub(LINGER.as_millis()), u128::from(waited > LINGER));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_on_sending_is_cut_off() {
    let (mut near, far) = tokio::io::duplex(DISCARD_MAX_BYTES + 1);
    near.write_all(&vec![0; DISCARD_MAX_BYTES + 1]).await.expect("room");
    let began = clock::now();
    Lingering::new(far).shutdown().await.expect("no error");
    assert_eq!(clock::now(), began);
}

#[tokio::test(start_paused = true)]
async fn what_is_thrown_away_is_thrown_away_in_turns() {
    let (mut near, far) = tokio::io::duplex(DISCARD_MAX_BYTES);
    near.write_all(&vec![0; DISCARD_MAX_BYTES]).await.expect("room");
    let mut server = Lingering::new(far);
    let others = async {
        // The first look at it and the last are no turns between two.
        for _ in 2..DISCARD_MAX_BYTES / DISCARD_IN_TURN_BYTES {
            tokio::task::yield_now().await;
        }
    };
    let mut closed = Box::pin(server.shutdown());
    // Others had as many turns before it was done.
    tokio::select! {
        biased;
        _ = &mut closed => panic!("it was done in fewer turns"),
        () = others => {}
    }
    closed.await.expect("no error");
}
