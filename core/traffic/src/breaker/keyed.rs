//! One state for each key that calls have: a tenant, a kind of order.

use super::Breaker;
use super::machine::Idle;
use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Threads that look up different keys seldom wait for each other.
const SHARDS: usize = if cfg!(all(test, tidegate_loom)) { 2 } else { 16 };

/// A table in which no key could make room is not searched again for so long.
const FULL: Duration = Duration::from_millis(100);

/// What a key has beside its breaker.
pub trait Keeps: Send + Sync {
    /// Its breaker.
    fn breaker(&self) -> &Breaker;
}

impl Keeps for Arc<Breaker> {
    fn breaker(&self) -> &Breaker {
        self
    }
}

/// The breakers of at most so many keys.
///
/// A key that is new when all places are taken gets that of one that loses nothing by it: of a closed breaker,
/// the one that was asked for the longest ago (of a sixteenth of the keys, if that has one), else of one that
/// opened and whose callers have not come back. A breaker that keeps calls away, or was told what to do by command,
/// is never forgotten. If all are such, the key has no place, and its calls are for whatever judges those without.
///
/// A key that was forgotten begins anew: closed, with no calls counted.
#[derive(Debug)]
pub struct Keyed<V> {
    shards: Box<[Mutex<Shard<V>>]>,
    /// Keys in all shards, those that are about to be put there included.
    len: AtomicUsize,
    bound: usize,
    /// Hidden from those who choose keys.
    seed: u64,
    /// Until when it is known to be full, in nanoseconds.
    full_until: AtomicU64,
}

/// By the hash of the key.
type Shard<V> = HashMap<u64, Entry<V>>;

#[derive(Debug)]
struct Entry<V> {
    key: Box<str>,
    value: Arc<V>,
    /// When it was asked for last.
    used: Duration,
}

// === impl Keyed ===

impl<V: Keeps> Keyed<V> {
    /// Room for `bound` keys, at least one. `seed` is random, or others can choose keys that meet in one place.
    #[must_use]
    pub fn new(bound: usize, seed: u64) -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self { shards, len: AtomicUsize::new(0), bound: bound.max(1), seed, full_until: AtomicU64::new(0) }
    }

    /// What `key` has, made by `make` if it is new; `None` if there is no place for it. `now` is that of the
    /// breakers' clock.
    pub fn get(&self, key: &str, now: Duration, make: impl FnOnce() -> V) -> Option<Arc<V>> {
        let hash = xxh3_64_with_seed(key.as_bytes(), self.seed);
        let home = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let mut shard = self.shards[home].lock();
        if let Some(entry) = shard.get_mut(&hash) {
            entry.used = entry.used.max(now);
            // Two keys of one hash: the second has no place.
            return (*entry.key == *key).then(|| Arc::clone(&entry.value));
        }
        if !self.reserve() {
            if !evict(&mut shard, Idle::Closed, now) {
                drop(shard);
                if !self.make_room(home, now) {
                    return None;
                }
                shard = self.shards[home].lock();
            }
            if let Some(entry) = shard.get(&hash) {
                // Another thread was faster: the room goes back.
                self.len.fetch_sub(1, Ordering::Relaxed);
                return (*entry.key == *key).then(|| Arc::clone(&entry.value));
            }
        }
        let value = Arc::new(make());
        shard.insert(hash, Entry { key: key.into(), value: Arc::clone(&value), used: now });
        Some(value)
    }

    /// Takes a place that nobody has.
    fn reserve(&self) -> bool {
        let more = |len: usize| (len < self.bound).then_some(len + 1);
        self.len.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Forgets one key of any shard, those behind `home` first; its place is the caller's.
    fn make_room(&self, home: usize, now: Duration) -> bool {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        if nanos(now) < self.full_until.load(Ordering::Relaxed) {
            return false;
        }
        for idle in [Idle::Closed, Idle::Due] {
            for step in 0..SHARDS {
                if evict(&mut self.shards[(home + step) % SHARDS].lock(), idle, now) {
                    return true;
                }
            }
        }
        self.full_until.store(nanos(now + FULL), Ordering::Relaxed);
        false
    }

    /// What `key` has, if it has something. Asking this way is no use of it.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<Arc<V>> {
        let hash = xxh3_64_with_seed(key.as_bytes(), self.seed);
        let home = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let shard = self.shards[home].lock();
        shard.get(&hash).filter(|entry| *entry.key == *key).map(|entry| Arc::clone(&entry.value))
    }

    /// All keys, sorted, and what they have.
    #[must_use]
    pub fn all(&self) -> Vec<(Box<str>, Arc<V>)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.lock().values().map(|entry| (entry.key.clone(), Arc::clone(&entry.value))));
        }
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// How many keys it has room for.
    #[must_use]
    pub fn bound(&self) -> usize {
        self.bound
    }
}

/// Forgets the key whose breaker is idle in this way and was asked for the longest ago, if there is one.
fn evict<V: Keeps>(shard: &mut Shard<V>, idle: Idle, now: Duration) -> bool {
    let idle_ones = shard.iter().filter(|(_, entry)| entry.value.breaker().idle(now) == Some(idle));
    let oldest = idle_ones.min_by_key(|(_, entry)| entry.used).map(|(hash, _)| *hash);
    oldest.is_some_and(|hash| shard.remove(&hash).is_some())
}
