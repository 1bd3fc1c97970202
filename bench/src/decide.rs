//! Decisions about limits of this process, beside those of the `governor` crate.
//!
//! Both get the same `Duration`, a time that stands still, so that no clock is measured, and a burst beyond what is taken, so that all is
//! admitted (in the row of refusals next to nothing). Keys are what they are in a service: numbers, or text that came
//! with a request; ours are hashed with a secret for each decision, theirs by the standard library.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::Result;
use governor::clock::Clock;
use governor::{Quota, RateLimiter};
use tidegate_limit::gcra::Gcra;
use tidegate_limit::local::{Single, Store};
use tidegate_limit::{Keys, KeysOfLimit, Kind, Policy, Rate, Scale};

use crate::process::resident_kib;

/// What is decided about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Row {
    /// One limit without keys.
    One,
    /// The same, and it refuses.
    OneRefused,
    /// One limit without keys that two threads ask.
    OneByTwo,
    /// One key of a limit.
    Key,
    /// One key of a limit that two threads ask for.
    KeyByTwo,
    /// A million numbers as keys.
    Numbers,
    /// A million texts as keys.
    Texts,
    /// A million texts as keys, each asked for by two threads.
    TextsByTwo,
}

/// Whose limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Whose {
    /// `tidegate-limit`'s.
    Ours,
    /// The `governor` crate's.
    Governor,
}

/// Keys of the rows that have many.
const KEYS: u64 = 1_000_000;
/// A burst beyond what a row takes.
const PLENTY: u32 = u32::MAX;
const NOW: Duration = Duration::from_secs(1000);
const RATE: u32 = 1_000_000;

impl Row {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 8] = [
        Self::One,
        Self::OneRefused,
        Self::OneByTwo,
        Self::Key,
        Self::KeyByTwo,
        Self::Numbers,
        Self::Texts,
        Self::TextsByTwo,
    ];

    const fn threads(self) -> usize {
        match self {
            Self::OneByTwo | Self::KeyByTwo | Self::TextsByTwo => 2,
            Self::One | Self::OneRefused | Self::Key | Self::Numbers | Self::Texts => 1,
        }
    }

    /// Sets the row up, lets each of its threads decide `times` times, and tells how many nanoseconds one decision took
    /// the slowest of them.
    #[must_use]
    pub fn decide(self, whose: Whose, times: u64) -> f64 {
        let threads = self.threads();
        match (self, whose) {
            (Self::One | Self::OneByTwo, Whose::Ours) => one(threads, times, PLENTY),
            (Self::One | Self::OneByTwo, Whose::Governor) => one_of_governor(threads, times, PLENTY),
            (Self::OneRefused, Whose::Ours) => one(threads, times, 1),
            (Self::OneRefused, Whose::Governor) => one_of_governor(threads, times, 1),
            (Self::Key | Self::KeyByTwo, _) => numbers(whose, threads, times, 1),
            (Self::Numbers, _) => numbers(whose, threads, times, KEYS),
            (Self::Texts | Self::TextsByTwo, _) => texts(whose, threads, times),
        }
    }
}

/// Bytes that this process holds for each of a million keys, numbers or texts that are made for it. It should have done
/// nothing else before.
///
/// # Errors
/// `/proc` is not Linux's.
pub fn bytes_per_key(whose: Whose, is_text: bool) -> Result<u64> {
    let pid = std::process::id();
    let before = resident_kib(pid)?;
    // Kept until it is measured.
    let held: Box<dyn std::any::Any> = match (whose, is_text) {
        (Whose::Ours, _) => {
            let table = Table::new();
            (0..KEYS).for_each(|key| assert!(table.admits(text(key).as_bytes())));
            Box::new(table)
        }
        (Whose::Governor, false) => {
            let limiter = RateLimiter::dashmap_with_clock(quota(PLENTY), Still);
            (0..KEYS).for_each(|key| assert!(limiter.check_key(&key).is_ok()));
            Box::new(limiter)
        }
        (Whose::Governor, true) => {
            let limiter = RateLimiter::dashmap_with_clock(quota(PLENTY), Still);
            (0..KEYS).for_each(|key| assert!(limiter.check_key(&text(key)).is_ok()));
            Box::new(limiter)
        }
    };
    let after = resident_kib(pid)?;
    drop(held);
    Ok((after.saturating_sub(before)) * 1024 / KEYS)
}

/// The time, for governor.
#[derive(Debug, Clone, Copy)]
struct Still;

impl Clock for Still {
    type Instant = Duration;

    fn now(&self) -> Duration {
        black_box(NOW)
    }
}

/// A limit of ours with keys.
struct Table {
    policy: Policy,
    store: Store,
    keys: KeysOfLimit,
}

impl Table {
    fn new() -> Self {
        let store = Store::new(Kind::Bucket, usize::try_from(KEYS).unwrap_or(usize::MAX));
        Self { policy: Policy::Bucket(bucket(PLENTY)), store, keys: Keys::new(42).near().of("bench") }
    }

    #[inline]
    fn admits(&self, value: &[u8]) -> bool {
        self.store.admits(self.keys.only(value), black_box(NOW), &self.policy, 1)
    }
}

fn bucket(burst: u32) -> Gcra {
    Gcra::saturating(Rate::per_second(RATE.into()), burst.into(), Scale::Local)
}

fn quota(burst: u32) -> Quota {
    let whole = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(whole(RATE)).allow_burst(whole(burst))
}

/// A user's name.
fn text(number: u64) -> String {
    format!("user-{number:07}")
}

/// Visits keys in no order.
const fn scatter(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % KEYS
}

fn one(threads: usize, times: u64, burst: u32) -> f64 {
    let (state, bucket) = (Single::new(), bucket(burst));
    measure(threads, times, |_| {
        for _ in 0..times {
            black_box(state.admits(black_box(NOW), &bucket, 1));
        }
    })
}

fn one_of_governor(threads: usize, times: u64, burst: u32) -> f64 {
    let limiter = RateLimiter::direct_with_clock(quota(burst), Still);
    measure(threads, times, |_| {
        for _ in 0..times {
            black_box(limiter.check().is_ok());
        }
    })
}

fn numbers(whose: Whose, threads: usize, times: u64, different: u64) -> f64 {
    let key = |thread: u64, number: u64| scatter(number + thread) % different;
    match whose {
        Whose::Ours => {
            let table = Table::new();
            (0..different).for_each(|key| assert!(table.admits(&key.to_le_bytes())));
            measure(threads, times, |thread| {
                for number in 0..times {
                    black_box(table.admits(&key(thread, number).to_le_bytes()));
                }
            })
        }
        Whose::Governor => {
            let limiter = RateLimiter::dashmap_with_clock(quota(PLENTY), Still);
            (0..different).for_each(|key| assert!(limiter.check_key(&key).is_ok()));
            measure(threads, times, |thread| {
                for number in 0..times {
                    black_box(limiter.check_key(&key(thread, number)).is_ok());
                }
            })
        }
    }
}

fn texts(whose: Whose, threads: usize, times: u64) -> f64 {
    // Made before, and visited one after the other, so that they cost nothing: their places in a table are in no order.
    let texts: Vec<String> = (0..KEYS).map(text).collect();
    let all = |thread: u64| texts.iter().cycle().skip(usize::try_from(thread * KEYS / 2).unwrap_or(0));
    let times_ = usize::try_from(times).unwrap_or(usize::MAX);
    match whose {
        Whose::Ours => {
            let table = Table::new();
            texts.iter().for_each(|key| assert!(table.admits(key.as_bytes())));
            measure(threads, times, |thread| {
                for key in all(thread).take(times_) {
                    black_box(table.admits(key.as_bytes()));
                }
            })
        }
        Whose::Governor => {
            let limiter = RateLimiter::dashmap_with_clock(quota(PLENTY), Still);
            texts.iter().for_each(|key| assert!(limiter.check_key(key).is_ok()));
            measure(threads, times, |thread| {
                for key in all(thread).take(times_) {
                    black_box(limiter.check_key(key).is_ok());
                }
            })
        }
    }
}

fn measure(threads: usize, times: u64, run: impl Fn(u64) + Sync) -> f64 {
    let barrier = Barrier::new(threads);
    let longest = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let (barrier, run) = (&barrier, &run);
                scope.spawn(move || {
                    barrier.wait();
                    let begin = Instant::now();
                    run(thread as u64);
                    begin.elapsed()
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).max()
    });
    longest.unwrap_or_default().as_secs_f64() * 1e9 / times.max(1) as f64
}
