//! What a decision costs in this process, beside the `governor` crate.
//!
//! `cargo run --release -p tidegate-limit --example decide` prints nanoseconds; `-- ROW` runs one row for a counter
//! of instructions, as in `valgrind --tool=none` or `perf stat -e instructions:u`, with `-- ROW COUNT` decisions.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use governor::clock::FakeRelativeClock;
use governor::{Quota, RateLimiter};
use tidegate_limit::gcra::Gcra;
use tidegate_limit::local::{Single, Store};
use tidegate_limit::{Algorithm, Ask, Key, Keys, KeysOfLimit, Kind, Policy, Rate, Scale};

/// Keys of the large rows.
const KEYS: u64 = 1_000_000;
/// Decisions of a row.
const COUNT: u64 = 4_000_000;

/// Both limiters get a time that stands still, so that no clock is measured; and so large a limit that all is admitted
/// (or, in rows of refusals, next to none).
const NOW: Duration = Duration::from_secs(1000);

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn measure(threads: u64, count: u64, run: impl Fn(u64, u64) + Sync) -> f64 {
    let barrier = Barrier::new(usize::try_from(threads).unwrap_or(1));
    let best = (0..if count == COUNT { 3 } else { 1 }).map(|_| {
        let longest = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|thread| {
                    let (barrier, run) = (&barrier, &run);
                    scope.spawn(move || {
                        barrier.wait();
                        let start = Instant::now();
                        run(thread, count);
                        start.elapsed()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).max().unwrap_or_default()
        });
        longest.as_secs_f64() * 1e9 / count as f64
    });
    best.fold(f64::INFINITY, f64::min)
}

/// A sequence that visits keys in no order.
const fn scatter(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % KEYS
}

fn bucket(rate: u64, burst: u64) -> Gcra {
    Gcra::saturating(Rate::per_second(rate), burst, Scale::Local)
}

/// A burst beyond what a row takes.
const PLENTY: u64 = 1 << 31;

fn key(keys: &KeysOfLimit, number: u64) -> Key {
    keys.only(&number.to_le_bytes())
}

fn single(threads: u64, count: u64, burst: u64) -> f64 {
    let (state, bucket) = (Single::new(), bucket(1_000_000, burst));
    measure(threads, count, |_, count| {
        for _ in 0..count {
            black_box(state.decide(black_box(NOW), &bucket, Ask::spend(1)).is_admitted());
        }
    })
}

fn governor_single(threads: u64, count: u64, burst: u64) -> f64 {
    let burst = NonZeroU32::new(u32::try_from(burst).unwrap_or(u32::MAX)).expect("not zero");
    let quota = Quota::per_second(NonZeroU32::new(1_000_000).expect("not zero")).allow_burst(burst);
    let limiter = RateLimiter::direct_with_clock(quota, FakeRelativeClock::default());
    measure(threads, count, |_, count| {
        for _ in 0..count {
            black_box(limiter.check().is_ok());
        }
    })
}

fn keyed(threads: u64, count: u64, different: u64) -> f64 {
    let policy = Policy::Bucket(bucket(1_000_000, PLENTY));
    let store = Store::new(Kind::Bucket, usize::try_from(KEYS).unwrap_or(0));
    let keys = Keys::new(42).of("bench");
    // Filled before it is measured.
    for number in 0..different {
        let _ = store.decide(key(&keys, number), NOW, &policy, Ask::spend(1));
    }
    measure(threads, count, |thread, count| {
        for number in 0..count {
            let key = key(&keys, scatter(number + thread) % different);
            black_box(store.admits(key, black_box(NOW), &policy, 1));
        }
    })
}

fn governor_keyed(threads: u64, count: u64, different: u64) -> f64 {
    let burst = NonZeroU32::new(u32::MAX).expect("not zero");
    let quota = Quota::per_second(NonZeroU32::new(1_000_000).expect("not zero")).allow_burst(burst);
    let limiter = RateLimiter::dashmap_with_clock(quota, FakeRelativeClock::default());
    for number in 0..different {
        let _ = limiter.check_key(&number);
    }
    measure(threads, count, |thread, count| {
        for number in 0..count {
            black_box(limiter.check_key(&(scatter(number + thread) % different)).is_ok());
        }
    })
}

fn window(threads: u64, count: u64, different: u64) -> f64 {
    let rate = Rate::per_second(100_000_000);
    let policy = Algorithm::SlidingWindow(rate).compile(Scale::Local).expect("legal");
    let store = Store::new(Kind::Window(rate.per()), usize::try_from(different).unwrap_or(0));
    let keys = Keys::new(42).of("bench");
    measure(threads, count, |thread, count| {
        for number in 0..count {
            let key = key(&keys, scatter(number + thread) % different);
            black_box(store.decide(key, black_box(NOW), &policy, Ask::spend(1)).is_admitted());
        }
    })
}

type Row = (&'static str, fn(u64) -> f64, Option<fn(u64) -> f64>);

const ROWS: [Row; 7] = [
    ("one bucket, 1 thread", |count| single(1, count, PLENTY), Some(|count| governor_single(1, count, PLENTY))),
    ("one bucket, refused, 1 thread", |count| single(1, count, 1), Some(|count| governor_single(1, count, 1))),
    ("one bucket, 2 threads", |count| single(2, count, PLENTY), Some(|count| governor_single(2, count, PLENTY))),
    ("one key of a table, 1 thread", |count| keyed(1, count, 1), Some(|count| governor_keyed(1, count, 1))),
    ("one key of a table, 2 threads", |count| keyed(2, count, 1), Some(|count| governor_keyed(2, count, 1))),
    ("1 M keys, 1 thread", |count| keyed(1, count, KEYS), Some(|count| governor_keyed(1, count, KEYS))),
    ("sliding window, one key, 1 thread", |count| window(1, count, 1), None),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let Some(row) = arguments.next() {
        // Of one row only, by its number; "g" after it for governor's.
        let count = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(COUNT);
        let (_, ours, theirs) = ROWS[row.trim_end_matches('g').parse::<usize>().expect("the number of a row")];
        let run = if row.ends_with('g') { theirs.expect("governor has such a row") } else { ours };
        black_box(run(count));
        return;
    }
    println!("{:34} {:>9} {:>9} {:>6}", "ns a decision, each thread", "tidegate", "governor", "ratio");
    for (name, ours, theirs) in ROWS {
        // In turns, so that both meet the same machine.
        let (mut our, mut their) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..3 {
            our = our.min(ours(COUNT));
            their = theirs.map_or(their, |theirs| their.min(theirs(COUNT)));
        }
        match theirs {
            Some(_) => println!("{name:34} {our:9.1} {their:9.1} {:6.2}", our / their),
            None => println!("{name:34} {our:9.1} {:>9} {:>6}", "-", "-"),
        }
    }
    for (name, kind) in [("bucket", Kind::Bucket), ("sliding window", Kind::Window(Duration::from_secs(1)))] {
        let store = Store::new(kind, 1_000_000);
        println!(
            "{name}: {} bytes a slot, {:.0} MiB for 1 M keys ({} slots)",
            store.bytes_per_slot(),
            store.bytes() as f64 / 1_048_576.0,
            store.slots()
        );
    }
}
