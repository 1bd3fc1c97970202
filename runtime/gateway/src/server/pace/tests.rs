use super::Pace;
use bytes::Bytes;
use http_body::Frame;
use std::future::poll_fn;
use std::task::Poll;
use tidegate_upstream::turn;

/// Reads pieces of this length, as if they were all there; gives how many were read before others had a turn.
async fn read_in_turn(length: usize) -> usize {
    let mut pace = Pace::default();
    let mut count = 0;
    poll_fn(|context| {
        while pace.poll(context).is_ready() {
            pace.read(&Frame::data(Bytes::from(vec![0; length])));
            count += 1;
        }
        Poll::Ready(count)
    })
    .await
}

#[tokio::test]
async fn a_turn_is_a_few_large_pieces_or_some_dozen_tiny_ones() {
    assert_eq!(read_in_turn(16 * 1024).await, 4);
    assert_eq!(read_in_turn(64 * 1024).await, 1);
    assert_eq!(read_in_turn(1).await, 128);
    assert_eq!(read_in_turn(0).await, 128);
}

/// Half of it is read by one task, the rest by another: the end of the pause between is told to the second.
#[tokio::test]
async fn a_body_that_changes_hands_within_a_pause_goes_on() {
    let mut pace = Pace::default();
    poll_fn(|context| {
        while pace.poll(context).is_ready() {
            pace.read(&Frame::data(Bytes::from_static(&[0; 4096])));
        }
        Poll::Ready(())
    })
    .await;
    let second = tokio::spawn(async move { poll_fn(|context| pace.poll(context)).await });
    turn::pause().await;
    turn::pause().await;
    assert!(second.is_finished());
    second.await.expect("it does not panic");
}
