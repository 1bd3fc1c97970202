//! The store of limits is stopped, hangs, is slow, full, read-only, or comes back empty: what that costs those whom
//! nothing is to happen to, what it costs the store, and how long it takes to be used again.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use tidegate_source_rig::redis::{Program, Redis};

use super::laggard::Laggard;
use super::report::{Report, Tally};
use super::rig::{Gateway, Rig, Sample, Traffic, ms, now_us, quantile};

/// Traffic before the trouble, until the breaker is surely open, and while it is; after it.
const BEFORE: Duration = Duration::from_secs(2);
const FIRST: Duration = Duration::from_secs(1);
const OPEN: Duration = Duration::from_secs(3);
const AFTER: Duration = Duration::from_secs(3);
/// How slow the slow one is.
const SLOW: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Stopped,
    Hanging,
    Slow,
    Full,
    ReadOnly,
    Emptied,
}

/// Each trouble, and its rows.
const ALL: [(Trouble, &str); 6] = [
    (Trouble::Stopped, "store stopped"),
    (Trouble::Hanging, "store paused"),
    (Trouble::Slow, "store slow"),
    (Trouble::Full, "store out of memory"),
    (Trouble::ReadOnly, "store read-only"),
    (Trouble::Emptied, "store restarted empty"),
];

/// Two hosts whose limit is in the store, one whose is not. Nobody is refused by any of them.
const CONFIG: &str = "\
routes:
  - { host: none.local, service: tidegate.bench.v1.Items, upstream: items, limits: [none] }
  - { host: open.local, service: tidegate.bench.v1.Items, upstream: items, limits: [open] }
  - { host: closed.local, service: tidegate.bench.v1.Items, upstream: items, limits: [closed] }
limits:
  none: { key: peer, rate: 100000/s, burst: 1000 }
  open: { key: peer, rate: 100000/s, burst: 1000, store: redis, on_failure: open }
  closed: { key: peer, rate: 100000/s, burst: 1000, store: redis, on_failure: closed }
";

pub(super) fn run(rig: &Rig, report: &mut Report) -> Result<()> {
    for (trouble, name) in ALL {
        println!("\n{name}: 300 requests a second of each host");
        one(rig, trouble, name, report)?;
    }
    Ok(())
}

/// When what happened, on the clock of samples.
struct Times {
    open: u64,
    over: u64,
    well: u64,
}

fn one(rig: &Rig, trouble: Trouble, name: &'static str, report: &mut Report) -> Result<()> {
    let mut redis = Redis::start(Program::Redis7).context("Redis is not installed: `cargo xtask servers` does it")?;
    let way = Laggard::start(&redis.address())?;
    let upstream = rig.upstream()?;
    let gateway = rig.gateway_with(&format!(
        "upstreams: {{ items: {{ endpoints: [{}], schema: {{ proto: [{}] }} }} }}\n\
         stores: {{ redis: {{ url: 'redis://{}', after_loss: {} }} }}\n{CONFIG}",
        upstream.address,
        rig.proto().display(),
        way.address(),
        // Nobody is refused at the beginning; who is after a loss is the matter of that run.
        if trouble == Trouble::Emptied { "used_up" } else { "whole" }
    ))?;
    let seconds = (BEFORE + FIRST + OPEN + AFTER).as_secs().to_string();
    let traffic = ["none.local", "open.local", "closed.local"].map(|host| {
        let plan = ["--protocol", "h1", "--connections", "16", "--rate", "300", "--seconds", &seconds, "--host", host];
        rig.traffic(gateway.address(), &plan)
    });
    sleep(BEFORE);
    begin(trouble, &mut redis, &way);
    sleep(FIRST);
    let (open, before) = (now_us(), messages(&gateway)?);
    sleep(OPEN);
    let (over, sent) = (now_us(), messages(&gateway)? - before);
    end(trouble, &mut redis, &way);
    let well = now_us();
    let [none, open_policy, closed] = traffic.map(|traffic| Traffic::of(traffic?));
    let times = Times { open, over, well };
    tell(name, trouble, [&none?, &open_policy?, &closed?], &times, report);
    if trouble != Trouble::Emptied {
        let rate = sent / OPEN.as_secs_f64();
        report.goal(name, "messages to the store a second", "≤ 12", format!("{rate:.1}"), rate <= 12.0);
    }
    Ok(())
}

fn begin(trouble: Trouble, redis: &mut Redis, way: &Laggard) {
    match trouble {
        Trouble::Stopped => redis.stop(),
        Trouble::Hanging => redis.pause(),
        Trouble::Slow => way.delay(SLOW),
        Trouble::Full => drop(redis.cli(&["CONFIG", "SET", "maxmemory", "1"])),
        Trouble::ReadOnly => drop(redis.cli(&["REPLICAOF", "127.0.0.1", "1"])),
        Trouble::Emptied => {
            redis.stop();
            redis.run();
        }
    }
}

fn end(trouble: Trouble, redis: &mut Redis, way: &Laggard) {
    match trouble {
        Trouble::Stopped => redis.run(),
        Trouble::Hanging => redis.resume(),
        Trouble::Slow => way.delay(Duration::ZERO),
        Trouble::Full => drop(redis.cli(&["CONFIG", "SET", "maxmemory", "0"])),
        Trouble::ReadOnly => drop(redis.cli(&["REPLICAOF", "NO", "ONE"])),
        Trouble::Emptied => {}
    }
}

/// Batches and attempts to connect so far.
fn messages(gateway: &Gateway) -> Result<f64> {
    gateway.metric("tidegate_limit_store_batches_total")
}

fn tell(name: &'static str, trouble: Trouble, traffic: [&Traffic; 3], times: &Times, report: &mut Report) {
    let [none, open, closed] = traffic;
    let (mut unanswered, mut wrong) = (Tally::default(), Tally::default());
    for one in traffic {
        unanswered.add(&one.unanswered);
        wrong.add(&one.wrong);
    }
    report.none(name, "requests without an answer", &unanswered);
    // A limit of an empty server is used up, and refills within 10 ms.
    if trouble == Trouble::Emptied {
        report.note(name, "429 of limits that begin used up", wrong.count);
    } else {
        report.none(name, "answers that are neither 200 nor 503 with a Status", &wrong);
    }
    let away = |sample: &Sample| sample.at > times.open && sample.at + sample.took < times.over;
    let p99 = |traffic: &Traffic| {
        quantile(traffic.samples.iter().filter(|sample| away(sample)).map(|sample| sample.took).collect(), 0.99)
    };
    let (base, with) = (p99(none), p99(open));
    report.note(
        name,
        "p99 of a limit of this process, of one with `on_failure: open`",
        format!("{}, {}", ms(base), ms(with)),
    );
    let added = with.saturating_sub(base);
    report.goal(name, "added p99 while it is away", "≤ 5 ms", ms(added), added <= 5000);
    let count = |traffic: &Traffic, status: u16| {
        traffic.samples.iter().filter(|sample| away(sample) && sample.status == status).count()
    };
    let refused = count(open, 503);
    report.goal(name, "`on_failure: open`: refused while it is away", "0", refused, refused == 0);
    let admitted = count(closed, 200);
    // A server that was emptied serves on.
    if trouble != Trouble::Emptied {
        report.goal(name, "`on_failure: closed`: admitted while it is away", "0", admitted, admitted == 0);
    }
    let from = if trouble == Trouble::Emptied { times.open - 1_000_000 } else { times.well };
    let back = closed.samples.iter().filter(|sample| sample.status == 200 && sample.at + sample.took > from);
    match back.map(|sample| (sample.at + sample.took).saturating_sub(from)).min() {
        Some(first) => report.goal(name, "until `closed` admits again", "≤ 2 s", ms(first), first <= 2_000_000),
        None => report.goal(name, "until `closed` admits again", "≤ 2 s", "never", false),
    }
    let end = closed.samples.iter().map(|sample| sample.at).max().unwrap_or(0);
    let last: Vec<&Sample> = closed.samples.iter().filter(|sample| sample.at + 500_000 > end).collect();
    let late = last.iter().filter(|sample| sample.status != 200).count();
    // A busy machine is now and then slower than the budget.
    report.goal(
        name,
        "refused in the last half second",
        "≤ 2 %",
        format!("{late} of {}", last.len()),
        late * 50 <= last.len(),
    );
}
