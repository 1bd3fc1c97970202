use super::{BodyLimit, Limited, TINY_MAX};
use crate::config::limits;
use bytes::Bytes;
use http_body::{Body, Frame};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tidegate_telemetry::clock;
use tokio::time::{Sleep, sleep};

/// So many bytes at intervals, for ever.
struct Drip {
    every: Duration,
    piece: usize,
    next: Pin<Box<Sleep>>,
}

impl Drip {
    fn new(every: Duration, piece: usize) -> Self {
        Self { every, piece, next: Box::pin(sleep(every)) }
    }
}

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::ready!(self.next.as_mut().poll(cx));
        self.next = Box::pin(sleep(self.every));
        Poll::Ready(Some(Ok(Frame::data(vec![0; self.piece].into()))))
    }
}

/// Reads to the limit: what came, after how long, and which limit it was.
async fn read(body: Drip, max_bytes: usize, min_rate: u64) -> (usize, Duration, BodyLimit) {
    let began = clock::now();
    let mut body = Limited::new(body, limits::Body { max_bytes, timeout: Duration::from_secs(30), min_rate });
    let mut received = 0;
    loop {
        match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.expect("it has no end") {
            Ok(frame) => received += frame.into_data().expect("data").len(),
            Err(error) => {
                return (received, clock::now() - began, *error.downcast::<BodyLimit>().expect("a limit"));
            }
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up_after_the_grace() {
    let (received, took, limit) = read(Drip::new(SECOND * 1000, 1), 100, 10).await;
    assert_eq!((received, took.as_secs(), limit), (0, 30, BodyLimit::TooSlow));
}

#[tokio::test(start_paused = true)]
async fn one_that_trickles_gets_the_time_that_its_bytes_earn() {
    // A byte a second at a least rate of 10: after t seconds t/10 more are earned.
    let (received, took, limit) = read(Drip::new(SECOND, 1), 1000, 10).await;
    assert_eq!((received, took.as_millis(), limit), (33, 33_300, BodyLimit::TooSlow));
}

#[tokio::test(start_paused = true)]
async fn one_in_tiny_pieces_is_given_up_at_last() {
    let (received, took, limit) = read(Drip::new(Duration::from_millis(1), 63), 1 << 30, 10).await;
    let pieces = received / 63;
    // What its seconds were worth is forgiven, but for those before the first look.
    let forgiven = pieces - TINY_MAX as usize;
    assert_eq!(limit, BodyLimit::Scattered);
    assert!(
        (90 * took.as_secs() as usize..100 * took.as_secs() as usize).contains(&forgiven),
        "{forgiven} in {took:?}"
    );
    let (received, _, limit) = read(Drip::new(Duration::from_millis(1), 64), 2 << 20, 10).await;
    assert_eq!((received, limit), (2 << 20, BodyLimit::TooLong(2 << 20)));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_typed_may_go_on_for_hours() {
    let (received, took, limit) = read(Drip::new(Duration::from_millis(20), 1), 1_000_000, 10).await;
    assert_eq!((received, took.as_secs(), limit), (1_000_000, 20_000, BodyLimit::TooLong(1_000_000)));
}

#[tokio::test(start_paused = true)]
async fn one_at_the_least_rate_may_go_on_to_the_longest() {
    let (received, took, limit) = read(Drip::new(SECOND, 10), 1000, 10).await;
    assert_eq!((received, took.as_secs(), limit), (1000, 101, BodyLimit::TooLong(1000)));
}
