use super::{Credit, EVERY, FIRST, Start, Starts};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::advance;

/// A connection of a hundred streams, with so many requests.
fn connection(requests: u32) -> (Rc<Credit>, Starts<u32>) {
    let credit = Credit::new(100);
    let mut starts = Starts::new(Rc::clone(&credit));
    (0..requests).for_each(|request| starts.push(request));
    (credit, starts)
}

/// All that begin now; whether they had to wait.
fn begun(starts: &mut Starts<u32>, over: &[u32]) -> Vec<(u32, bool)> {
    let mut context = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    while let Poll::Ready(Start { request, late }) = starts.poll(&mut context, |one, _| over.contains(one)) {
        all.push((request, late));
    }
    all
}

fn count(starts: &mut Starts<u32>) -> usize {
    begun(starts, &[]).len()
}

#[tokio::test(start_paused = true)]
async fn a_few_begin_at_once_and_one_now_and_then() {
    let (_, mut starts) = connection(100);
    assert_eq!(count(&mut starts), FIRST as usize);
    for _ in 0..3 {
        advance(EVERY - Duration::from_millis(1)).await;
        assert_eq!(count(&mut starts), 0);
        advance(Duration::from_millis(1)).await;
        assert_eq!(begun(&mut starts, &[]).len(), 1);
    }
    // Whoever was held up for long does not make up for it at once.
    advance(100 * EVERY).await;
    assert_eq!(count(&mut starts), FIRST as usize);
}

#[tokio::test(start_paused = true)]
async fn each_reply_that_is_taken_lets_two_begin() {
    let (credit, mut starts) = connection(200);
    let mut at_once = vec![count(&mut starts)];
    for _ in 0..3 {
        // All that began are answered.
        (0..*at_once.last().expect("one")).for_each(|_| credit.earn());
        at_once.push(count(&mut starts));
    }
    assert_eq!(at_once, [16, 32, 64, 88], "there were 200");
    // What is not used is kept, as far as there may be streams.
    (0..200).for_each(|_| credit.earn());
    (0..200).for_each(|request| starts.push(request));
    assert_eq!(count(&mut starts), 100);
}

#[tokio::test(start_paused = true)]
async fn those_that_had_to_wait_are_known_and_those_that_are_over_do_not_begin() {
    let (credit, mut starts) = connection(20);
    let first: Vec<_> = (0..16).map(|request| (request, false)).collect();
    assert_eq!(begun(&mut starts, &[]), first);
    assert_eq!(begun(&mut starts, &[16, 18]), []);
    credit.earn();
    assert_eq!(begun(&mut starts, &[16, 18]), [(17, true), (18, true)]);
    advance(EVERY).await;
    assert_eq!(begun(&mut starts, &[]), [(19, true)]);
}

/// Both ways in which waiting ends wake whoever waits.
#[tokio::test(start_paused = true)]
async fn whoever_waits_is_woken() {
    let (credit, mut starts) = connection(FIRST + 3);
    assert_eq!(count(&mut starts), FIRST as usize);
    let waiter = tokio::task::LocalSet::new();
    waiter
        .run_until(async {
            let next = tokio::task::spawn_local(async move {
                let first = poll_fn(|context| starts.poll(context, |_, _| false)).await.request;
                let mut rest = Vec::new();
                while rest.len() < 2 {
                    rest.push(poll_fn(|context| starts.poll(context, |_, _| false)).await.request);
                }
                (first, rest)
            });
            tokio::task::yield_now().await;
            credit.earn();
            // The runtime passes the time itself when there is nothing else to do.
            assert_eq!(next.await.expect("it does not panic"), (FIRST, vec![FIRST + 1, FIRST + 2]));
        })
        .await;
}
