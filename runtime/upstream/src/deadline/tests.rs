use std::{future::poll_fn, task::Poll, time::Duration};

use tidegate_telemetry::clock;

use super::{Deadline, Deadlines};

async fn passed(mut deadline: Deadline) {
    poll_fn(|cx| deadline.poll_passed(cx)).await;
}

fn in_ms(deadlines: &Deadlines, ms: u64) -> Deadline {
    deadlines.at(clock::now() + Duration::from_millis(ms))
}

#[tokio::test]
async fn an_earlier_deadline_passes_while_a_later_one_waits() {
    let deadlines = Deadlines::new();
    let mut late = in_ms(&deadlines, 60_000);
    assert!(poll_fn(|cx| Poll::Ready(late.poll_passed(cx))).await.is_pending());
    let [early, past] = [in_ms(&deadlines, 5), in_ms(&deadlines, 0)];
    tokio::join!(passed(early), passed(past));
    assert!(poll_fn(|cx| Poll::Ready(late.poll_passed(cx))).await.is_pending());
}

#[tokio::test]
async fn a_deadline_never_passes_early() {
    let deadlines = Deadlines::new();
    for ms in [0, 1, 7] {
        let deadline = in_ms(&deadlines, ms);
        let at = deadline.at;
        passed(deadline).await;
        assert!(clock::now() >= at);
    }
}

#[tokio::test]
async fn a_dropped_deadline_leaves_nothing_behind() {
    let deadlines = Deadlines::new();
    let mut dropped = in_ms(&deadlines, 60_000);
    assert!(poll_fn(|cx| Poll::Ready(dropped.poll_passed(cx))).await.is_pending());
    drop(dropped);
    assert!(deadlines.0.lock().entries.is_empty());
    // What was armed for it does not hold up a later one that is due earlier.
    passed(in_ms(&deadlines, 5)).await;
}

#[tokio::test]
async fn the_task_ends_with_the_pool() {
    let deadlines = Deadlines::new();
    passed(in_ms(&deadlines, 1)).await;
    let mut waiting = in_ms(&deadlines, 60_000);
    assert!(poll_fn(|cx| Poll::Ready(waiting.poll_passed(cx))).await.is_pending());
    let state = std::sync::Arc::downgrade(&deadlines.0);
    drop((waiting, deadlines));
    while state.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}
