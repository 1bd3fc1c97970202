//! What happens to gateways that share limits, and to their store.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tidegate_source_rig::redis::{Program, Redis};

use super::clocks::{Clock, Clocks};
use super::judge::Promise;
use super::nodes::Node;
use super::rules::{self, Policy, Rule};
use crate::faults::rig::now_us;

/// The file that the store's clock follows.
const STORE_CLOCK: &str = "store.clock";
/// Those that gateways' clocks follow.
const NODE_CLOCKS: [&str; 3] = ["node-0.clock", "node-1.clock", "node-2.clock"];
/// Clocks beyond the 3 % that limits allow for: parts in a thousand too slow, and too fast.
const SLOW: u32 = 100;
const FAST: u32 = 50;
/// How long a node or the store hangs. Leases are dead long before.
const HANGS: Duration = Duration::from_millis(1500);
/// The same, shortly.
const BRIEFLY: Duration = Duration::from_millis(300);
/// Between two troubles of a run.
const BETWEEN: Duration = Duration::from_secs(1);
/// How far the store's clock is set, in seconds.
const STEP: u64 = 3;
/// How long two masters serve at most. A bucket would be refilled.
const BOTH: Duration = Duration::from_millis(200);
/// How long what was asked for may take: a failover, a clock that reads its file again.
const SOON: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Calm,
    Skewed,
    WallSteps,
    BadClocks,
    NodesHang,
    NodesKilled,
    StoreHangs,
    StoreEmpty,
    StoreLog,
    StoreOlder,
    StoreFlushed,
    Failover,
    TwoMasters,
    StoreAhead,
    StoreBack,
    Open,
    Forgets,
    Alone,
}

/// Each trouble, and its rows.
pub(super) const ALL: [(Trouble, &str); 18] = [
    (Trouble::Calm, "calm"),
    (Trouble::Skewed, "clocks 3 h ahead and 2 h behind, 2 % fast and slow"),
    (Trouble::WallSteps, "nodes' wall clocks step by hours"),
    (Trouble::BadClocks, "clocks 10 % slow and 5 % fast, store hangs"),
    (Trouble::NodesHang, "nodes stopped and continued"),
    (Trouble::NodesKilled, "nodes killed and started"),
    (Trouble::StoreHangs, "store stopped and continued"),
    (Trouble::StoreEmpty, "store killed, starts empty"),
    (Trouble::StoreLog, "store killed, starts with its log"),
    (Trouble::StoreOlder, "store killed, starts with older data"),
    (Trouble::StoreFlushed, "store flushed"),
    (Trouble::Failover, "master killed, a replica takes over"),
    (Trouble::TwoMasters, "two masters at once"),
    (Trouble::StoreAhead, "store's clock jumps ahead"),
    (Trouble::StoreBack, "store's clock goes back"),
    (Trouble::Open, "broken on purpose: open while the store is away"),
    (Trouble::Forgets, "broken on purpose: whole after a loss"),
    (Trouble::Alone, "broken on purpose: each node counts by itself"),
];

impl Trouble {
    /// Whether it is about clocks that libfaketime sets.
    pub(super) const fn needs_clocks(self) -> bool {
        matches!(self, Self::Skewed | Self::WallSteps | Self::BadClocks | Self::StoreAhead | Self::StoreBack)
    }

    /// Whether gateways' clocks are looked at from outside.
    pub(super) const fn shows_clocks(self) -> bool {
        matches!(self, Self::Skewed | Self::BadClocks)
    }

    /// Whether nothing but the calm part is of interest.
    pub(super) const fn is_calm(self) -> bool {
        matches!(self, Self::Calm | Self::Skewed)
    }

    /// Whether too much must be found to be admitted.
    pub(super) const fn is_broken(self) -> bool {
        matches!(self, Self::Open | Self::Forgets | Self::Alone)
    }

    /// How limits are configured.
    pub(super) const fn policy(self) -> Policy {
        match self {
            Self::Open => Policy::Open,
            Self::Forgets => Policy::Forgets,
            Self::Alone => Policy::Alone,
            _ => Policy::Closed,
        }
    }

    /// The clock of each gateway.
    pub(super) const fn clock(self, node: usize) -> Clock {
        let turn = node % 3;
        match (self, turn) {
            (Self::WallSteps, _) => Clock::Stepped(NODE_CLOCKS[turn]),
            (Self::BadClocks, 1) => Clock::Skewed { hours: 3, speed: 1000 + FAST },
            (Self::BadClocks, 2) => Clock::Skewed { hours: -2, speed: 1000 - SLOW },
            (Self::Calm, _) | (_, 0) => Clock::True,
            (_, 1) => Clock::Skewed { hours: 3, speed: 1020 },
            _ => Clock::Skewed { hours: -2, speed: 980 },
        }
    }

    /// What is promised of a limit then, and how much more is allowed. Two masters served at once for `both`.
    pub(super) fn judged(self, rule: &Rule, both: Duration) -> (Promise, u64) {
        let whole = rule.burst();
        match self {
            Self::BadClocks => (rule.promise(), rule.of_clocks(SLOW.into(), FAST.into(), HANGS.as_secs_f64())),
            Self::StoreAhead => (rule.promise_by_another_clock(), whole),
            Self::StoreBack => (rule.promise_by_another_clock(), 0),
            // The second one begins used up, so it is the rate for as long as both serve.
            Self::TwoMasters => match rule.promise() {
                promise @ Promise::Bucket { rate, .. } => (promise, (rate as f64 * both.as_secs_f64()).ceil() as u64),
                promise => (promise, whole),
            },
            _ => (rule.promise(), 0),
        }
    }
}

/// The store, and what belongs to it.
#[derive(Debug)]
pub(super) struct Store {
    master: Redis,
    replica: Option<Redis>,
    sentinel: Option<Redis>,
    /// How long two masters served.
    pub(super) both: Duration,
}

impl Store {
    /// Starts what the trouble is to happen to.
    pub(super) fn start(trouble: Trouble, clocks: Option<&Clocks>) -> Result<Self> {
        let arguments: &[&str] =
            if trouble == Trouble::StoreLog { &["--appendonly", "yes", "--appendfsync", "everysec"] } else { &[] };
        let environment = match (trouble, clocks) {
            (Trouble::StoreAhead | Trouble::StoreBack, Some(clocks)) => {
                clocks.environment(Clock::Stepped(STORE_CLOCK))?
            }
            _ => Vec::new(),
        };
        // Debian's Redis does not start under libfaketime: its allocator asks for the time before that can answer.
        let program = if environment.is_empty() { Program::Redis7 } else { Program::Valkey9 };
        let master = Redis::start_under(program, arguments, &environment);
        let master = master.context("Redis is not installed: `cargo xtask servers` does it")?;
        let mut store = Self { master, replica: None, sentinel: None, both: Duration::ZERO };
        if matches!(trouble, Trouble::Failover | Trouble::TwoMasters) {
            let port = store.master.port().to_string();
            let replica = Redis::start_with(Program::Redis7, &["--replicaof", "127.0.0.1", &port]);
            let replica = replica.context("it is installed")?;
            until("the replica follows", || replica.cli(&["info", "replication"]).contains("link_status:up"))?;
            if trouble == Trouble::Failover {
                let sentinel = Redis::start_sentinel(&store.master).context("it is installed")?;
                let port = replica.port().to_string();
                until("the sentinel knows the replica", || {
                    sentinel.cli(&["sentinel", "replicas", "main"]).contains(&port)
                })?;
                store.sentinel = Some(sentinel);
            }
            store.replica = Some(replica);
        }
        Ok(store)
    }

    /// What gateways are told.
    pub(super) fn url(&self) -> String {
        match &self.sentinel {
            Some(sentinel) => format!("redis-sentinel://{}/main", sentinel.address()),
            None => format!("redis://{}", self.master.address()),
        }
    }

    /// Kills it and starts it again, with what it finds.
    fn restart(&mut self) {
        self.master.stop();
        self.master.run();
    }

    fn hang(&self, time: Duration) {
        self.master.pause();
        sleep(time);
        self.master.resume();
    }
}

/// Lets it happen.
pub(super) fn happen(
    trouble: Trouble,
    nodes: &mut [Node<'_>],
    store: &mut Store,
    clocks: Option<&Clocks>,
) -> Result<()> {
    match trouble {
        Trouble::Calm | Trouble::Skewed => {}
        Trouble::WallSteps => steps(nodes, clocks)?,
        Trouble::StoreAhead => step_store(store, clocks, STEP.cast_signed())?,
        Trouble::StoreBack => {
            step_store(store, clocks, -STEP.cast_signed())?;
            // Limits stand still until it is where it was.
            sleep(Duration::from_secs(STEP));
        }
        Trouble::NodesHang => {
            for (node, time) in nodes.iter().zip([HANGS, BRIEFLY, HANGS]) {
                node.pause()?;
                sleep(time);
                node.resume()?;
                sleep(BETWEEN);
            }
        }
        Trouble::NodesKilled => {
            for (node, time) in nodes.iter_mut().zip([BRIEFLY, Duration::ZERO, HANGS]) {
                node.kill();
                sleep(time);
                node.again()?;
                sleep(BETWEEN);
            }
        }
        Trouble::StoreHangs | Trouble::BadClocks | Trouble::Open => {
            store.hang(HANGS);
            sleep(BETWEEN);
            store.hang(BRIEFLY);
        }
        Trouble::StoreEmpty | Trouble::StoreLog => {
            store.restart();
            sleep(BETWEEN * 2);
            store.restart();
        }
        Trouble::StoreOlder => {
            store.master.cli(&["SAVE"]);
            sleep(BETWEEN);
            store.restart();
            sleep(BETWEEN * 2);
            store.restart();
        }
        Trouble::StoreFlushed | Trouble::Forgets => {
            store.master.cli(&["FLUSHALL"]);
            sleep(BETWEEN);
            store.master.cli(&["FLUSHALL"]);
        }
        Trouble::Failover => fail_over(store)?,
        Trouble::TwoMasters => two_masters(nodes, store)?,
        Trouble::Alone => sleep(BETWEEN),
    }
    Ok(())
}

fn step_store(store: &Store, clocks: Option<&Clocks>, seconds: i64) -> Result<()> {
    clocks.context("it is left out without them")?.step(STORE_CLOCK, seconds)?;
    until("the store's clock has stepped", || {
        let there = store.master.cli(&["EVAL", "return redis.call('TIME')[1]", "0"]).parse::<i64>();
        let here = (now_us() / 1_000_000).cast_signed();
        there.is_ok_and(|there| (there - here - seconds).abs() <= 1)
    })
}

/// Sets nodes' wall clocks ahead and back, each its own way.
fn steps(nodes: &[Node<'_>], clocks: Option<&Clocks>) -> Result<()> {
    let clocks = clocks.context("it is left out without them")?;
    for round in [[1, -1, 7], [-1, 10, 0], [0, -2, -7]] {
        for (file, hours) in NODE_CLOCKS.into_iter().zip(round) {
            clocks.step(file, hours * 3600)?;
        }
        until("nodes' clocks have stepped", || {
            nodes.iter().zip(round).all(|(node, hours)| node.hours().is_ok_and(|seen| seen == hours))
        })?;
    }
    Ok(())
}

fn fail_over(store: &mut Store) -> Result<()> {
    let (Some(sentinel), Some(replica)) = (&store.sentinel, &store.replica) else { bail!("a sentinel and a replica") };
    store.master.stop();
    let port = replica.port().to_string();
    until("the replica is the master", || {
        sentinel.cli(&["sentinel", "get-master-addr-by-name", "main"]).contains(&port)
    })
}

/// The replica becomes a master while the old one serves on: all nodes but one learn of it.
fn two_masters(nodes: &[Node<'_>], store: &mut Store) -> Result<()> {
    let replica = store.replica.as_ref().context("it was started")?;
    let [first, others @ ..] = nodes else { bail!("a node") };
    let config = rules::config(Policy::Closed, &format!("redis://{}", replica.address()), nodes.len());
    let begin = Instant::now();
    replica.cli(&["REPLICAOF", "NO", "ONE"]);
    for node in others {
        node.configure(&config)?;
    }
    until("the new master is asked", || replica.cli(&["info", "commandstats"]).contains("cmdstat_evalsha:"))?;
    let asked = Instant::now();
    sleep(BOTH);
    store.master.stop();
    // It was asked at some moment since the last look.
    store.both = asked.elapsed() + LOOK * 2;
    println!("  both masters served for {:?}, {:?} after the second was one", asked.elapsed(), asked - begin);
    first.configure(&config)
}

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until it is so. There is no event to wait for.
fn until(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let begin = Instant::now();
    while !is_so() {
        if begin.elapsed() > SOON {
            bail!("after {SOON:?} not yet: {what}");
        }
        sleep(LOOK);
    }
    Ok(())
}
