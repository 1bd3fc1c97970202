//! The driver: what callers get while the server is there, and while it is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tidegate_limit::front::{self, By, Failure, Terms};
use tidegate_limit::gcra::Gcra;
use tidegate_limit::ports::{Asked, Batch, CounterStore, Deciding, SharedLimits as _, StoreError};
use tidegate_limit::{Algorithm, Ask, Key, Rate, Scale};
use tidegate_redis::{Driver, DriverConfig};
use tidegate_source_rig::PATIENCE;
use tidegate_source_rig::redis::{Program, Redis as Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{ask, bucket, clock, config, driver, soon, store, terms, until};

/// Callers wait for as long as it takes.
fn patient(front: front::Config) -> DriverConfig {
    DriverConfig { front, budget: PATIENCE }
}

/// Callers wait for less than servers in these tests are away.
fn hasty() -> DriverConfig {
    DriverConfig { front: front::Config::default(), budget: Duration::from_millis(20) }
}

/// A thousand callers ask at once, of a key that nothing is known of: what all of them were granted.
async fn granted_to_a_thousand(driver: &Driver, terms: &Terms) -> u64 {
    let waits: Vec<_> = (0..1000).map(|_| driver.ask(Key(1), terms, Ask::spend(1))).collect();
    let mut granted = 0;
    for wait in waits {
        let Asked::Waits(answer) = wait else { panic!("nothing is known of the key") };
        granted += soon("an answer", answer).await.expect("the driver is there").decision.granted;
    }
    granted
}

#[tokio::test]
async fn many_callers_of_one_key_are_few_operations_and_get_what_the_limit_has() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let (driver, store) = driver(store(&server), patient(front::Config::default()));
    let terms = terms(bucket(600), Failure::Closed);
    let granted = granted_to_a_thousand(&driver, &terms).await;
    // All had asked before the task ran.
    let stats = driver.stats();
    assert_eq!((granted, stats.batches, stats.items), (600, 1, 1));
    assert_eq!(ask(&driver, 1, &terms).await.by, By::Refusal);
    assert_eq!(store.status().stats.calls, 2, "one of them found no script");
}

#[tokio::test]
async fn without_combining_each_caller_is_an_operation() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let config = front::Config { combine: false, batch: 100, ..front::Config::default() };
    let (driver, _store) = driver(store(&server), patient(config));
    let terms = terms(bucket(600), Failure::Closed);
    let granted = granted_to_a_thousand(&driver, &terms).await;
    assert_eq!((granted, driver.stats().batches, driver.stats().items), (600, 10, 1000));
}

#[tokio::test]
async fn leases_answer_without_the_server() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let (driver, _store) = driver(store(&server), patient(front::Config::default()));
    let rate = Rate::per_second(1000);
    let policy = Algorithm::TokenBucket { rate, burst: 1_000_000 }.compile(Scale::Shared).expect("a bucket");
    let terms = Terms::leased(policy, Duration::from_secs(60), 0, Failure::Closed);
    assert!(terms.has_leases());
    for _ in 0..2000 {
        assert!(ask(&driver, 1, &terms).await.decision.is_admitted());
    }
    let stats = driver.stats();
    assert!(stats.items <= 20, "{stats:?}");
}

/// Asks until the server answers.
async fn answers(driver: &Driver, terms: &Terms) {
    let mut key = 1_000_000;
    until("an answer of the server", async || {
        key += 1;
        (ask(driver, key, terms).await.by == By::Store).then_some(())
    })
    .await;
}

/// While the server is away: what each policy promises, few tries, and recovery by itself after `back`.
async fn away(driver: &Driver, back: impl FnOnce()) {
    let open = terms(bucket(9), Failure::Open);
    let closed = terms(bucket(9), Failure::Closed);
    let share = Gcra::bucket(Rate::per_second(1), 2, Scale::Local).expect("a bucket");
    let local = terms(bucket(9), Failure::Local(share));
    let (before, clock) = (driver.stats().batches, clock());
    for key in 0..300 {
        let outcome = ask(driver, key, &open).await;
        assert_eq!((outcome.by, outcome.decision.granted), (By::Failure, 1), "open lets it pass");
        let outcome = ask(driver, 1000 + key, &closed).await;
        assert_eq!((outcome.by, outcome.decision.granted), (By::Failure, 0), "closed does not");
    }
    assert!(driver.is_down(), "it is left alone");
    assert_eq!(driver.waiting(), 0);
    // Who is not needed for a try is answered at once.
    let mut waits = 0;
    for key in 0..300 {
        let outcome = match driver.ask(Key(key), &closed, Ask::spend(1)) {
            Asked::Answered(outcome) => outcome,
            Asked::Waits(answer) => {
                waits += 1;
                soon("an answer", answer).await.expect("the driver is there")
            }
        };
        assert_eq!((outcome.by, outcome.decision.granted), (By::Failure, 0));
    }
    let pauses = clock().as_millis() as u64 / 100;
    assert!(waits <= 1 + pauses, "{waits} waited while the breaker was open {pauses} times");
    let tries = driver.stats().batches - before;
    assert!(tries <= 4 + pauses, "{tries} tries while the breaker was open {pauses} times");
    // Nothing is known of what the node admitted in an earlier life: its own bucket begins empty and refills.
    let granted = until("a local share", async || {
        let outcome = ask(driver, 2000, &local).await;
        (outcome.by == By::Failure && outcome.decision.granted == 1).then_some(outcome.decision.granted)
    });
    assert_eq!(granted.await, 1);
    back();
    answers(driver, &closed).await;
    assert!(!driver.is_down());
}

#[tokio::test]
async fn a_server_that_is_stopped_leaves_it_to_the_policy_and_is_found_again() {
    let Some(mut server) = Server::start(Program::Redis7) else { return };
    let (driver, store) = driver(store(&server), hasty());
    answers(&driver, &terms(bucket(9), Failure::Closed)).await;
    server.stop();
    until("end of the connection", async || store.status().connected.is_empty().then_some(())).await;
    away(&driver, || server.run()).await;
}

#[tokio::test]
async fn a_server_that_hangs_leaves_it_to_the_policy_and_is_found_again() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let (driver, store) = driver(store(&server), hasty());
    answers(&driver, &terms(bucket(9), Failure::Closed)).await;
    server.pause();
    away(&driver, || server.resume()).await;
    let stats = store.status().stats;
    assert!(stats.unanswered >= 1, "{stats:?}");
    assert_eq!(stats.connections, 1, "the answer came late, on the same connection");
}

/// A way to the server on which every answer takes two seconds as long as it is told so.
async fn slow(listener: TcpListener, server: String, slow: Arc<AtomicBool>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (server, slow) = (server.clone(), Arc::clone(&slow));
        tokio::spawn(async move {
            let mut upstream = TcpStream::connect(&server).await?;
            let (mut question, mut answer) = (vec![0; 65_536], vec![0; 65_536]);
            loop {
                tokio::select! {
                    length = client.read(&mut question) => match length? {
                        0 => return Ok::<_, std::io::Error>(()),
                        length => upstream.write_all(&question[..length]).await?,
                    },
                    length = upstream.read(&mut answer) => {
                        if slow.load(Relaxed) {
                            tokio::time::sleep(Duration::from_secs(2)).await;
                        }
                        client.write_all(&answer[..length?]).await?;
                    }
                }
            }
        });
    }
}

#[tokio::test]
async fn a_server_that_is_slow_leaves_it_to_the_policy_and_is_found_again() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("redis://{}", listener.local_addr().expect("an address"));
    let is_slow = Arc::new(AtomicBool::new(false));
    tokio::spawn(slow(listener, server.address(), Arc::clone(&is_slow)));
    let (driver, _store) = driver(tidegate_redis::Redis::start(config(&url)), hasty());
    answers(&driver, &terms(bucket(9), Failure::Closed)).await;
    is_slow.store(true, Relaxed);
    away(&driver, || is_slow.store(false, Relaxed)).await;
}

#[tokio::test]
async fn a_server_that_is_full_leaves_it_to_the_policy_and_is_found_again() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let (driver, _store) = driver(store(&server), hasty());
    answers(&driver, &terms(bucket(9), Failure::Closed)).await;
    server.cli(&["config", "set", "maxmemory", "1"]);
    away(&driver, || drop(server.cli(&["config", "set", "maxmemory", "0"]))).await;
}

#[tokio::test]
async fn a_server_that_takes_no_writes_leaves_it_to_the_policy_and_is_found_again() {
    let (Some(server), Some(master)) = (Server::start(Program::Redis7), Server::start(Program::Redis7)) else { return };
    let (driver, _store) = driver(store(&server), hasty());
    answers(&driver, &terms(bucket(9), Failure::Closed)).await;
    server.cli(&["replicaof", "127.0.0.1", &master.port().to_string()]);
    away(&driver, || drop(server.cli(&["replicaof", "no", "one"]))).await;
}

#[tokio::test]
async fn callers_that_leave_and_a_driver_that_ends_hang_nobody() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let (driver, _store) = driver(store(&server), patient(front::Config::default()));
    let terms = terms(bucket(10), Failure::Closed);
    drop(driver.ask(Key(1), &terms, Ask::spend(1)));
    assert!(ask(&driver, 1, &terms).await.decision.is_admitted());
    assert_eq!(driver.waiting(), 0);
    let Asked::Waits(answer) = driver.ask(Key(2), &terms, Ask::spend(1)) else { panic!("nothing is known of it") };
    drop(driver);
    assert_eq!(soon("an end", answer).await, None);
}

/// A store that panics at the first batch, and takes nothing after it.
#[derive(Debug, Default)]
struct Broken(AtomicBool);

impl CounterStore for Broken {
    fn decide(&self, _: Batch) -> Deciding<'_> {
        assert!(self.0.swap(true, Relaxed), "the first batch");
        Box::pin(async { Err(StoreError::Unreachable) })
    }
}

#[tokio::test]
async fn a_store_that_panics_is_one_that_does_not_answer() {
    let driver = Driver::start(Arc::new(Broken::default()), patient(front::Config::default()), clock());
    let terms = terms(bucket(10), Failure::Open);
    for _ in 0..2 {
        assert_eq!(ask(&driver, 1, &terms).await.by, By::Failure);
    }
    assert_eq!((driver.stats().failed, driver.waiting()), (2, 0));
}

#[tokio::test]
async fn batches_leave_while_others_are_under_way_where_that_is_allowed() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let config = front::Config { under_way: 4, ..front::Config::default() };
    let (driver, _store) = driver(store(&server), patient(config));
    let terms = terms(bucket(10), Failure::Closed);
    server.pause();
    let first = driver.ask(Key(1), &terms, Ask::spend(1));
    until("a batch under way", async || (driver.stats().batches == 1).then_some(())).await;
    let second = driver.ask(Key(2), &terms, Ask::spend(1));
    until("another one", async || (driver.stats().batches == 2).then_some(())).await;
    server.resume();
    for wait in [first, second] {
        let Asked::Waits(answer) = wait else { panic!("nothing is known of the key") };
        assert!(soon("an answer", answer).await.expect("the driver is there").decision.is_admitted());
    }
}

/// Callers of one node that ask for one key until `goal` units were admitted to all nodes.
async fn spend(driver: Arc<Driver>, terms: Terms, admitted: Arc<AtomicU64>, goal: u64) {
    while admitted.load(Relaxed) < goal {
        admitted.fetch_add(ask(&driver, 1, &terms).await.decision.granted, Relaxed);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nodes_with_leases_admit_no_more_than_the_limit_whatever_the_server_loses() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let (count, burst, goal) = (400, 200, 600);
    let policy = Algorithm::TokenBucket { rate: Rate::per_second(count), burst }.compile(Scale::Shared);
    let terms = Terms::leased(policy.expect("a bucket"), Duration::from_millis(20), 0, Failure::Closed);
    assert!(terms.has_leases());
    let (clock, admitted) = (clock(), Arc::new(AtomicU64::new(0)));
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let url = format!("redis://{}", server.address());
        let strict = tidegate_redis::Config { forgiving: false, ..config(&url) };
        let (node, _store) = driver(tidegate_redis::Redis::start(strict), patient(front::Config::default()));
        let node = Arc::new(node);
        for _ in 0..4 {
            nodes.spawn(spend(Arc::clone(&node), terms, Arc::clone(&admitted), goal));
        }
    }
    // With full buckets after each loss the goal would be reached long before the limit allows it.
    for loss in 1..=30 {
        until("admissions", async || (admitted.load(Relaxed) >= loss * goal / 40).then_some(())).await;
        server.cli(&["flushall"]);
    }
    while let Some(joined) = soon("an end", nodes.join_next()).await {
        joined.expect("a node");
    }
    let (all, time) = (admitted.load(Relaxed), clock().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let allowed = burst as f64 + count as f64 * time;
    assert!(all >= goal);
    assert!(all as f64 <= allowed, "{all} in {time} s, not {allowed}");
}
