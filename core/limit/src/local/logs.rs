//! The sliding logs of keys: a bounded table under small locks, for logs do not fit a word.

use parking_lot::Mutex;

use crate::ask::{Ask, Decision, Mode, Receipt};
use crate::key::Key;
use crate::local::word::low;
use crate::log::{Entries, Log};

/// Logs behind one lock.
const WAYS: usize = 8;

/// Keys that share a lock, and the log that they share when all places are taken.
#[derive(Debug, Default)]
struct Bucket {
    own: Vec<(u128, Entries)>,
    shared: Entries,
    /// The latest tick that was asked about: what was forgotten by then is not asked about as of earlier.
    latest: u64,
    crowded: u64,
}

/// The logs of all keys of a limit.
#[derive(Debug)]
pub(crate) struct Logs(Box<[Mutex<Bucket>]>);

impl Logs {
    pub(crate) fn new(keys: usize) -> Self {
        let buckets = keys.div_ceil(WAYS).next_power_of_two();
        Self((0..buckets).map(|_| Mutex::default()).collect())
    }

    fn bucket(&self, key: Key) -> &Mutex<Bucket> {
        #[expect(clippy::cast_possible_truncation, reason = "masked")]
        let index = low(key.0) as usize & (self.0.len() - 1);
        &self.0[index]
    }

    pub(crate) fn decide(&self, key: Key, now: u64, log: &Log, ask: Ask) -> Decision {
        let mut bucket = self.bucket(key).lock();
        let bucket = &mut *bucket;
        bucket.latest = bucket.latest.max(now);
        let now = bucket.latest;
        if let Some((_, own)) = bucket.own.iter_mut().find(|(owner, _)| *owner == key.0) {
            return log.decide(own, now, ask);
        }
        let mut fresh = bucket.shared.clone();
        if ask.mode == Mode::Check {
            return log.decide(&mut fresh, now, ask);
        }
        if bucket.own.len() == WAYS {
            bucket.own.retain(|(_, entries)| !log.is_dead(entries, now));
        }
        // A key that used the shared log takes it along: it may be in there.
        if bucket.own.len() < WAYS {
            let decision = log.decide(&mut fresh, now, ask);
            bucket.own.push((key.0, fresh));
            return decision;
        }
        bucket.crowded += 1;
        let mut decision = log.decide(&mut bucket.shared, now, ask);
        decision.receipt.shared = true;
        decision
    }

    pub(crate) fn refund(&self, key: Key, log: &Log, receipt: Receipt) {
        let mut bucket = self.bucket(key).lock();
        if receipt.shared {
            log.refund(&mut bucket.shared, receipt);
        } else if let Some((_, own)) = bucket.own.iter_mut().find(|(owner, _)| *owner == key.0) {
            log.refund(own, receipt);
        }
    }

    pub(crate) fn reset(&self, key: Key) {
        self.bucket(key).lock().own.retain(|(owner, _)| *owner != key.0);
    }

    pub(crate) fn slots(&self) -> usize {
        self.0.len() * WAYS
    }

    pub(crate) fn live(&self, now: u64, log: &Log) -> usize {
        let live = |bucket: &Mutex<Bucket>| bucket.lock().own.iter().filter(|(_, own)| !log.is_dead(own, now)).count();
        self.0.iter().map(live).sum()
    }

    pub(crate) fn crowded(&self) -> u64 {
        self.0.iter().map(|bucket| bucket.lock().crowded).sum()
    }
}
