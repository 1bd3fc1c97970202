//! A bounded table of one word per key, without locks, sweepers or evictions.
//!
//! A slot is 128 bits that change together: 48 say whose it is, the rest is the owner's state. A slot is free as
//! soon as its state says nothing (a full bucket, a window that is over), so nothing is ever cleaned up.
//!
//! A key has [`PROBED`] slots, in an order of its own. It must never stand in two of them, or its budget would be
//! double. So a newcomer first writes a *claim*, then looks at all its slots again, and only then turns the claim
//! into a state:
//! - another state of the key: the claim is withdrawn, and that state is charged;
//! - another claim of the key earlier in the order: this one is withdrawn; later: that one is removed;
//! - nothing: the claim becomes a state, unless somebody has removed it meanwhile.
//!
//! Of two claims the one written later sees the other, whatever its thread did before; claims carry a number that
//! is never used again, so that a late thread cannot confirm somebody else's. Whoever meets a claim of its own key
//! finishes it: no thread waits for another.
//!
//! A key that finds no free slot is counted in a bucket that it shares with others. Keys then get less than their
//! limit, never more: after charging the shared bucket, the key looks for a slot of its own again, and a new slot
//! begins with what the shared bucket holds.

use crate::ask::{Ask, Decision, Mode, Receipt};
use crate::gcra::Gcra;
use crate::key::Key;
use crate::local::atomic::{AtomicU64, Ordering, Word128};
use crate::local::word::{STATE_BITS, Step, Word, low};

/// Slots on two cache lines.
const WAYS: usize = if cfg!(all(test, tidegate_loom)) { 1 } else { 8 };
/// Slots in which a key can stand.
pub(crate) const PROBED: usize = 2 * WAYS;
/// Buckets of one shard: those of the same keys, so that a crowd in one part of the table is not felt elsewhere.
const BUCKETS_OF_SHARD: usize = 2;

/// Marks a slot that is claimed: its state is the number of the claim.
const CLAIM: u128 = 1 << STATE_BITS;
const STATE: u128 = CLAIM - 1;

#[derive(Debug)]
#[repr(align(128))]
struct Bucket([Word128; WAYS]);

/// What the keys of two buckets have in common.
#[derive(Debug)]
struct Shard {
    /// The latest tick at which somebody's dead state was written over. A newcomer is no earlier: its own state
    /// may be what was written over, as seen by a thread with a later clock.
    latest: AtomicU64,
    claims: AtomicU64,
    /// The bucket that keys share while they find no free slot.
    shared: Word128,
}

/// The words of all keys of a limit.
#[derive(Debug)]
pub(crate) struct Table {
    buckets: Box<[Bucket]>,
    shards: Box<[Shard]>,
    /// Decisions made in a shared bucket.
    crowded: AtomicU64,
    #[cfg(test)]
    pub(crate) flaw: Option<Flaw>,
}

/// What tests break on purpose.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A claim becomes a state without a second look.
    NoSecondLook,
    /// A newcomer takes its own clock, however old.
    OldClock,
    /// A new slot does not begin with what the shared bucket holds.
    ForgetsShared,
}

/// A place where a key can be: its slots in its order, and its mark.
#[derive(Debug, Clone, Copy)]
struct Home {
    first: usize,
    second: usize,
    /// Where in a bucket its order begins: mostly it is found at once, without a look at others.
    start: usize,
    shard: usize,
    mark: u128,
}

enum Seen {
    State(usize, u128),
    Claim(usize, u128),
    /// The first free slot, and what is in it.
    Absent(Option<(usize, u128)>),
}

impl Table {
    /// A table of at least `slots` slots.
    pub(crate) fn new(slots: usize) -> Self {
        let buckets = slots.div_ceil(WAYS).next_power_of_two().max(2);
        let bucket = |_| Bucket(std::array::from_fn(|_| Word128::new(0)));
        let shard = |_| Shard { latest: AtomicU64::new(0), claims: AtomicU64::new(0), shared: Word128::new(0) };
        Self {
            buckets: (0..buckets).map(bucket).collect(),
            shards: (0..buckets.div_ceil(BUCKETS_OF_SHARD)).map(shard).collect(),
            crowded: AtomicU64::new(0),
            #[cfg(test)]
            flaw: None,
        }
    }

    pub(crate) fn slots(&self) -> usize {
        self.buckets.len() * WAYS
    }

    /// Slots and shared buckets: the numbers that [`Word::decide`] gets are below this one.
    pub(crate) fn words(&self) -> usize {
        self.slots() + self.shards.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.buckets.len() * size_of::<Bucket>() + self.shards.len() * size_of::<Shard>()
    }

    pub(crate) fn crowded(&self) -> u64 {
        self.crowded.load(Ordering::Relaxed)
    }

    /// Slots whose state says something at `now`. Reads the whole table.
    pub(crate) fn live<W: Word>(&self, now: u64, word: &W) -> usize {
        let slots = self.buckets.iter().flat_map(|bucket| &bucket.0);
        slots.map(Word128::load).filter(|&value| !free(value, now, word)).count()
    }

    #[inline]
    fn home(&self, key: Key) -> Home {
        let (high, low) = (low(key.0 >> 64), low(key.0));
        let mask = self.buckets.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "masked")]
        let first = low as usize & mask;
        let shard = first / BUCKETS_OF_SHARD;
        // The neighbour; itself and its neighbour differ, for there are at least two buckets.
        let mark = u128::from(high >> 16 | 1) << (STATE_BITS + 1);
        #[expect(clippy::cast_possible_truncation, reason = "of its low bits")]
        let start = high as usize % WAYS;
        Home { first, second: first ^ 1, start, shard, mark }
    }

    /// The `nth` slot of a key, as a number in the table.
    #[inline]
    const fn slot(home: &Home, nth: usize) -> usize {
        let bucket = if nth < WAYS { home.first } else { home.second };
        bucket * WAYS + (home.start + nth) % WAYS
    }

    #[inline]
    fn at(&self, slot: usize) -> &Word128 {
        &self.buckets[slot / WAYS].0[slot % WAYS]
    }

    #[inline]
    fn look<W: Word>(&self, home: &Home, now: u64, word: &W) -> Seen {
        let mut vacant = None;
        for nth in 0..PROBED {
            let value = self.at(Self::slot(home, nth)).load();
            if owner(value) == home.mark {
                return if value & CLAIM == 0 { Seen::State(nth, value) } else { Seen::Claim(nth, value) };
            }
            if vacant.is_none() && free(value, now, word) {
                vacant = Some((nth, value));
            }
        }
        Seen::Absent(vacant)
    }

    /// Answers `ask` for `key`.
    #[inline]
    pub(crate) fn decide<W: Word>(&self, key: Key, now: u64, word: &W, ask: Ask) -> Decision {
        let home = self.home(key);
        loop {
            let done = match self.look(&home, now, word) {
                Seen::State(nth, value) => self.charge(&home, (nth, value), now, word, ask),
                Seen::Claim(nth, value) => self.settle(&home, (nth, value), now, word, ask),
                Seen::Absent(vacant) => self.enter(&home, vacant, now, word, ask),
            };
            if let Some(decision) = done {
                return decision;
            }
        }
    }

    /// Whether `cost` is admitted for `key`: the common case of a bucket that stands in its first slots, told with
    /// yes or no; all others go the long way.
    #[inline]
    pub(crate) fn admits(&self, key: Key, now: u64, bucket: &Gcra, cost: u64) -> bool {
        let home = self.home(key);
        for nth in 0..WAYS {
            let place = self.at(Self::slot(&home, nth));
            let value = place.load();
            if value & !STATE == home.mark {
                let tat = low(value);
                let Some(next) = bucket.spend(tat, now, cost) else { return false };
                if next == tat || place.swap_if(value, home.mark | u128::from(next)) {
                    return true;
                }
                break;
            }
        }
        self.decide(key, now, bucket, Ask::spend(cost)).is_admitted()
    }

    /// Charges the key's own state. `None`: it changed meanwhile.
    #[inline]
    fn charge<W: Word>(
        &self,
        home: &Home,
        (nth, value): (usize, u128),
        now: u64,
        word: &W,
        ask: Ask,
    ) -> Option<Decision> {
        let slot = Self::slot(home, nth);
        let Step { decision, next } = word.decide(slot, value & STATE, now, ask);
        let Some(next) = next else { return Some(decision) };
        if self.at(slot).swap_if(value, home.mark | next) {
            return Some(decision);
        }
        word.abandon(slot, &decision);
        None
    }

    /// Claims a slot, or turns to the shared bucket. `None`: look again.
    #[cold]
    fn enter<W: Word>(
        &self,
        home: &Home,
        vacant: Option<(usize, u128)>,
        now: u64,
        word: &W,
        ask: Ask,
    ) -> Option<Decision> {
        let shard = &self.shards[home.shard];
        let shared = shard.shared.load();
        let crowded = shared != 0 && !word.is_dead(shared, now);
        let Some((nth, old)) = vacant else { return self.share(home, now, word, ask) };
        if crowded && !W::INHERITS {
            return self.share(home, now, word, ask);
        }
        if ask.mode == Mode::Check {
            let step = word.decide(self.slots() + home.shard, if crowded { shared } else { 0 }, now, ask);
            return Some(step.decision);
        }
        if old != 0 {
            shard.latest.fetch_max(now, Ordering::SeqCst);
        }
        let claim = home.mark | CLAIM | u128::from(shard.claims.fetch_add(1, Ordering::SeqCst) + 1);
        if !self.at(Self::slot(home, nth)).swap_if(old, claim) {
            return None;
        }
        self.settle(home, (nth, claim), now, word, ask)
    }

    /// Turns a claim of the key into a state, if the key stands nowhere else. `None`: look again.
    #[cold]
    fn settle<W: Word>(
        &self,
        home: &Home,
        (nth, claim): (usize, u128),
        now: u64,
        word: &W,
        ask: Ask,
    ) -> Option<Decision> {
        let slot = Self::slot(home, nth);
        let withdraw = || self.at(slot).swap_if(claim, 0);
        for other in (0..PROBED).filter(|&other| other != nth) {
            if self.has(Flaw::NoSecondLook) {
                break;
            }
            let place = self.at(Self::slot(home, other));
            let value = place.load();
            if owner(value) != home.mark {
                continue;
            }
            if value & CLAIM != 0 && other > nth && place.swap_if(value, 0) {
                continue;
            }
            withdraw();
            return None;
        }
        let shard = &self.shards[home.shard];
        let now = if self.has(Flaw::OldClock) { now } else { now.max(shard.latest.load(Ordering::SeqCst)) };
        let shared = if self.has(Flaw::ForgetsShared) { 0 } else { shard.shared.load() };
        let crowded = shared != 0 && !word.is_dead(shared, now);
        if crowded && !W::INHERITS {
            withdraw();
            return None;
        }
        let Step { decision, next } = word.decide(slot, if crowded { shared } else { 0 }, now, ask);
        match next {
            // Nothing to remember: a refusal, or a cost of zero.
            None => {
                withdraw();
                Some(decision)
            }
            Some(next) if self.at(slot).swap_if(claim, home.mark | next) => Some(decision),
            Some(_) => {
                word.abandon(slot, &decision);
                None
            }
        }
    }

    /// Charges the bucket that crowded keys share. `None`: look again.
    #[cold]
    fn share<W: Word>(&self, home: &Home, now: u64, word: &W, ask: Ask) -> Option<Decision> {
        let number = self.slots() + home.shard;
        let shard = &self.shards[home.shard];
        let place = &shard.shared;
        let now = if self.has(Flaw::OldClock) { now } else { now.max(shard.latest.load(Ordering::SeqCst)) };
        let mut decision;
        loop {
            let value = place.load();
            let step = word.decide(number, value, now, ask);
            decision = step.decision;
            decision.receipt.shared = true;
            let Some(next) = step.next else { break };
            if place.swap_if(value, next) {
                // Another thread may have found a slot for the key, before it could see this charge.
                if !matches!(self.look(home, now, word), Seen::Absent(_)) {
                    self.give_back_shared(home, now, word, decision.receipt);
                    return None;
                }
                break;
            }
            word.abandon(number, &decision);
        }
        self.crowded.fetch_add(1, Ordering::Relaxed);
        Some(decision)
    }

    /// Gives back what `receipt` says.
    pub(crate) fn refund<W: Word>(&self, key: Key, now: u64, word: &W, receipt: Receipt) {
        let home = self.home(key);
        if receipt.shared {
            return self.give_back_shared(&home, now, word, receipt);
        }
        while let Seen::State(nth, value) = self.look(&home, now, word) {
            let slot = Self::slot(&home, nth);
            let Some(next) = word.refund(value & STATE, now, receipt) else { return };
            if self.at(slot).swap_if(value, home.mark | next) {
                return word.refunded(slot, receipt);
            }
        }
    }

    fn give_back_shared<W: Word>(&self, home: &Home, now: u64, word: &W, receipt: Receipt) {
        let place = &self.shards[home.shard].shared;
        loop {
            let value = place.load();
            let Some(next) = word.refund(value, now, receipt) else { return };
            if place.swap_if(value, next) {
                return word.refunded(self.slots() + home.shard, receipt);
            }
        }
    }

    /// Forgets a key, so that its budget is whole again. What is in a shared bucket stays.
    pub(crate) fn reset<W: Word>(&self, key: Key, now: u64, word: &W) {
        let home = self.home(key);
        while let Seen::State(nth, value) = self.look(&home, now, word) {
            if self.at(Self::slot(&home, nth)).swap_if(value, 0) {
                return;
            }
        }
    }

    #[cfg(test)]
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the tests' twin asks the table")]
    const fn has(&self, _flaw: Flaw) -> bool {
        false
    }
}

/// In the product nothing is broken on purpose; the names keep the places.
#[cfg(not(test))]
#[derive(Clone, Copy)]
enum Flaw {
    NoSecondLook,
    OldClock,
    ForgetsShared,
}

/// Whose slot it is, as a mark; 0: nobody's.
#[inline]
const fn owner(value: u128) -> u128 {
    value >> (STATE_BITS + 1) << (STATE_BITS + 1)
}

#[inline]
fn free<W: Word>(value: u128, now: u64, word: &W) -> bool {
    value == 0 || (value & CLAIM == 0 && word.is_dead(value & STATE, now))
}
