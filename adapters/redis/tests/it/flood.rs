//! Many keys, each seen once: what a node and a server hold of them.
//!
//! `TIDEGATE_KEYS=10000000 cargo test --release -p tidegate-redis --test it flood -- --nocapture` sends ten million.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tidegate_limit::front::Failure;
use tidegate_limit::{Algorithm, Rate, Scale};
use tidegate_redis::{Driver, DriverConfig};
use tidegate_source_rig::PATIENCE;
use tidegate_source_rig::redis::{Program, Redis as Server};
use tokio::task::JoinSet;

use crate::support::{ask, driver, store, terms, until};

/// Keys that come along, unless `TIDEGATE_KEYS` says another number.
const KEYS: u64 = 200_000;
/// Those who ask, each for the next key.
const CALLERS: u64 = 512;
/// What the node's process may hold more than when it began: its own tables and buffers.
const NODE: u64 = 64 << 20;
/// What the server may hold more at one time: keys that are used, and those that it has yet to forget. They live for a
/// second at least, so it grows with how many a second are asked for, never with how many there were.
const SERVER: u64 = 256 << 20;

#[expect(clippy::disallowed_methods, reason = "how long a run somebody wants is theirs to say")]
fn keys() -> u64 {
    std::env::var("TIDEGATE_KEYS").map_or(KEYS, |number| number.parse().expect("a number"))
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("proc(5)");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn used(server: &Server) -> u64 {
    let memory = server.cli(&["info", "memory"]);
    let line = memory.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("it tells");
    line.trim().parse().expect("a number")
}

/// What the callers share.
struct Flood {
    server: Server,
    driver: Driver,
    next: AtomicU64,
    last: u64,
    most_node: AtomicU64,
    most_server: AtomicU64,
}

impl Flood {
    fn look(&self) {
        self.most_node.fetch_max(resident(), Relaxed);
        self.most_server.fetch_max(used(&self.server), Relaxed);
    }
}

/// Asks for the next key until there are no more: how many were granted.
async fn call(flood: Arc<Flood>) -> u64 {
    let rate = Rate::per_second(1000);
    let policy = Algorithm::TokenBucket { rate, burst: 10 }.compile(Scale::Shared).expect("a bucket");
    let terms = terms(policy, Failure::Closed);
    let mut granted = 0;
    loop {
        let number = flood.next.fetch_add(1, Relaxed);
        if number >= flood.last {
            return granted;
        }
        granted += ask(&flood.driver, u128::from(number), &terms).await.decision.granted;
        // It costs a process to ask the server.
        if number.is_multiple_of((flood.last / 10).max(1)) {
            flood.look();
        }
    }
}

#[tokio::test]
async fn a_flood_of_keys_leaves_nothing_on_the_node_and_nothing_on_the_server() {
    let Some(server) = Server::start(Program::Redis7) else { return };
    let (driver, _store) = driver(store(&server), DriverConfig { budget: PATIENCE, ..DriverConfig::default() });
    let (node, held) = (resident(), used(&server));
    let (next, most_node, most_server) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let flood = Arc::new(Flood { server, driver, next, last: keys(), most_node, most_server });
    let callers: JoinSet<u64> = (0..CALLERS).map(|_| call(Arc::clone(&flood))).collect();
    let granted: u64 = callers.join_all().await.into_iter().sum();
    flood.look();
    let (most_node, most_server) = (flood.most_node.load(Relaxed), flood.most_server.load(Relaxed));
    println!(
        "{} keys: the node held {} MiB and {} MiB at most, the server {} KiB and {} KiB at most",
        flood.last,
        node >> 20,
        most_node >> 20,
        held >> 10,
        most_server >> 10
    );
    assert_eq!(granted, flood.last, "each is the first of its key");
    assert!(most_node <= node + NODE, "{node} bytes became {most_node}");
    assert!(most_server <= held + SERVER, "{held} bytes became {most_server}");
    assert_eq!((flood.driver.keys(), flood.driver.waiting(), flood.driver.is_down()), (0, 0, false));
    // All but the era, when their milliseconds are over.
    until("an empty server", async || (flood.server.cli(&["dbsize"]) == "1").then_some(())).await;
}
