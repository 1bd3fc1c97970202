use super::{Room, TIMES, TOTAL_KIB, Turn, WAITING_BYTES, wait_for_room};
use crate::config::Config;
use crate::config::limits::Memory;
use crate::gateway::{Gateway, Telemetry};
use crate::snapshot::{Schemas, Snapshot};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tidegate_telemetry::clock;
use tidegate_telemetry::metrics::Metrics;

#[tokio::test(start_paused = true)]
async fn what_has_no_room_waits_until_there_is_or_its_deadline() {
    let room = Room::new();
    let half = TOTAL_KIB as usize * 1024 / 2 / TIMES;
    let first = room.take(half, false, None).await.expect("room");
    let second = room.take(half, false, None).await.expect("room");
    let began = clock::now();
    let late = room.take(half, false, Some(began + Duration::from_secs(5))).await;
    assert_eq!(late.expect_err("no room").http_status, 504);
    assert_eq!((clock::now() - began).as_secs(), 5);
    drop((first, second));
    // However large a message is, there is room for it alone.
    room.take(1 << 40, true, None).await.expect("room");
}

/// A gateway that may hold so many bytes.
fn gateway(max: usize) -> (Arc<Gateway>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new("0", 1));
    let config = Config { memory: Memory { max: Some(max as u64), shed_percent: 100 }, ..Config::default() };
    let snapshot = Snapshot::compile(config, &Schemas::new(), &metrics, 1).expect("nothing can be wrong");
    let telemetry = Telemetry { metrics: Arc::clone(&metrics), access_log: None, tracer: None };
    (Arc::new(Gateway::new(snapshot, telemetry)), metrics)
}

#[test]
fn replies_that_wait_count_and_are_refused_when_there_is_no_memory_for_more() {
    let (gateway, metrics) = gateway(4 * WAITING_BYTES);
    let mut waiting: Vec<_> = (0..3).map(|_| wait_for_room(&gateway, 1 << 30).expect("there is memory")).collect();
    assert_eq!(metrics.limits().memory.held(), 3 * WAITING_BYTES as u64);
    let refused = wait_for_room(&gateway, 1 << 30).map(drop).expect_err("there is none");
    assert_eq!((refused.http_status.as_u16(), refused.reason), (503, Some("overloaded")));
    waiting.pop();
    waiting.push(wait_for_room(&gateway, 1 << 30).expect("there is some again"));
}

#[tokio::test]
async fn a_message_of_a_stream_counts_until_it_is_taken() {
    let (gateway, metrics) = gateway(usize::MAX);
    let mut turn = Turn::new(Room::new(), gateway);
    let len = 5 * WAITING_BYTES;
    poll_fn(|context| turn.poll(len, false, context)).await.expect("there is room");
    assert_eq!(metrics.limits().memory.held(), len as u64);
    turn.give_back();
    assert_eq!(metrics.limits().memory.held(), 0);
}
