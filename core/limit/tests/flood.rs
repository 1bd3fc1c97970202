//! More keys than there is room for, each seen once, and values of a megabyte.
//!
//! `TIDEGATE_KEYS=10000000 cargo test -p tidegate-limit --test flood -- --nocapture` sends ten million, and tells the
//! memory.

use std::fs;
use std::time::Duration;

use tidegate_limit::front::{By, Config, Failure, Front, Terms, Ticket};
use tidegate_limit::local::Store;
use tidegate_limit::shared::Shared;
use tidegate_limit::{Algorithm, Ask, Key, Keys, KeysOfLimit, Policy, Rate, Scale};

/// Keys that come along, unless `TIDEGATE_KEYS` says another number.
const KEYS: u64 = 1_000_000;
/// Keys that there is room for.
const ROOM: usize = 65_536;
/// What the process may hold more after a flood than before it: the allocator's own, and nothing that grows with it.
const SLACK: u64 = 4 << 20;
const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "how long a run somebody wants is theirs to say")]
fn count() -> u64 {
    std::env::var("TIDEGATE_KEYS").map_or(KEYS, |number| number.parse().expect("a number"))
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("proc(5)");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

fn keys() -> KeysOfLimit {
    Keys::new(7).of("flood")
}

fn key(of: &KeysOfLimit, number: u64) -> Key {
    of.only(&number.to_le_bytes())
}

/// A limit of one a second each.
fn policy(algorithm: fn(Rate) -> Algorithm, scale: Scale) -> (Policy, Algorithm) {
    let algorithm = algorithm(Rate::per_second(1));
    (algorithm.compile(scale).expect("legal"), algorithm)
}

const fn bucket(rate: Rate) -> Algorithm {
    Algorithm::TokenBucket { rate, burst: 1 }
}

/// Memory is what it was before, and is told.
fn same_memory(what: &str, before: u64) {
    let after = resident();
    println!("{what}: {} MiB before, {} MiB after", before >> 20, after >> 20);
    assert!(after <= before + SLACK, "{what}: {before} bytes became {after}");
}

/// All in one second: most share a bucket, and get less than their limit.
fn at_once(of: &KeysOfLimit, count: u64) {
    for algorithm in [bucket as fn(Rate) -> Algorithm, Algorithm::SlidingWindow] {
        let (policy, algorithm) = policy(algorithm, Scale::Local);
        let store = Store::new(algorithm.kind(), ROOM);
        let (bytes, before) = (store.bytes(), resident());
        let granted: u64 = (0..count).map(|number| u64::from(store.admits(key(of, number), SECOND, &policy, 1))).sum();
        same_memory(&format!("{count} keys at once, {algorithm:?}"), before);
        // A place for each slot, and one that sixteen of them share.
        let places = store.slots() as u64 + store.slots() as u64 / 16;
        assert!((ROOM as u64..=places).contains(&granted), "{granted} of {places} places");
        assert_eq!((store.bytes(), store.crowded()), (bytes, store.crowded().max(count - places)));
        // Nothing of it is left when the second is over.
        let later = 4 * SECOND;
        assert_eq!(store.live(later, &policy), 0);
        assert!(store.admits(key(of, count + 1), later, &policy, 1), "there is room again");
    }
}

/// Fewer in a second than there is room for: a place is free again as soon as it says nothing, and all get their due.
fn one_after_the_other(of: &KeysOfLimit, count: u64) {
    let (policy, algorithm) = policy(bucket, Scale::Local);
    let store = Store::new(algorithm.kind(), ROOM);
    let before = resident();
    // An eighth of the room is in use at any time: whoever comes finds a place.
    let pace = SECOND / (ROOM / 8) as u32;
    let mut now = SECOND;
    let mut granted = 0;
    for number in 0..count {
        now += pace;
        granted += u64::from(store.admits(key(of, number), now, &policy, 1));
    }
    same_memory(&format!("{count} keys one after the other"), before);
    assert_eq!((granted, store.crowded()), (count, 0));
}

/// A node's side of a shared limit, whose callers ask twice each: refusals are remembered until they end, up to as many
/// as there is room for. What comes beyond that is refused by the limit's policy, and the store holds what is used.
fn shared(of: &KeysOfLimit, count: u64) {
    let (policy, _) = policy(bucket, Scale::Shared);
    let terms = Terms::plain(policy, 0, Failure::Closed);
    let config = Config { keys: ROOM, ..Config::default() };
    let (mut front, mut store) = (Front::new(config, Duration::ZERO), Shared::new(0));
    let pace = SECOND / (ROOM * 2) as u32;
    let (mut now, mut granted, mut most, mut held, mut before) = (SECOND, 0, 0, 0, 0);
    for number in 0..count {
        now += pace;
        // By then as many keys have come as are ever held, and maps have their size.
        if number == count / 2 {
            before = resident();
        }
        for _ in 0..2 {
            let ticket = Ticket(number);
            let known = front.ask(now, key(of, number), &terms, Ask::spend(1), ticket);
            if let Some(outcome) = known {
                assert_eq!((outcome.by, outcome.decision.granted), (By::Failure, 0), "there is no room");
                continue;
            }
            let batch = front.poll(now).expect("somebody waits");
            let answers = store.decide(0, Scale::Shared.elapsed(now), &batch.items);
            let outcomes = front.answered(now, batch.id, &answers);
            granted += outcomes.iter().map(|(_, outcome)| outcome.decision.granted).sum::<u64>();
        }
        (most, held) = (most.max(front.keys()), held.max(store.len()));
        // As a server does by itself.
        if number.is_multiple_of(1024) {
            store.expire(Scale::Shared.elapsed(now));
        }
    }
    same_memory(&format!("{count} keys of a shared limit"), before);
    let beyond = front.stats().fallen_back;
    println!("{granted} were granted by the store, which held {held} keys; {beyond} questions found no room");
    assert_eq!(most, ROOM, "all the room is used, and no more");
    assert!(held <= 3 * ROOM, "{held}");
    assert!(granted >= count / 4 && granted + beyond >= count, "{granted}");
}

/// What is long is a key like any other.
fn long_values(of: &KeysOfLimit) {
    let (policy, algorithm) = policy(bucket, Scale::Local);
    let store = Store::new(algorithm.kind(), ROOM);
    let mut value = vec![b'x'; 1 << 20];
    let before = resident();
    for number in 0..200_u8 {
        value[(1 << 20) - 1] = number;
        let (alone, listed) = (of.only(&value), of.start().with(&value).with(b"a").key());
        for key in [alone, listed] {
            let admitted = [0, 1].map(|_| store.admits(key, SECOND, &policy, 1));
            assert_eq!(admitted, [true, false], "its last byte makes another key: {number}");
        }
    }
    same_memory("400 values of a megabyte", before);
    assert_eq!(store.live(SECOND, &policy), 400);
}

// One test, for the process has one memory.
#[test]
fn floods_of_keys_and_values_of_a_megabyte_take_no_more_memory_than_there_is_room() {
    let (keys, count) = (keys(), count());
    at_once(&keys, count);
    one_after_the_other(&keys, count);
    shared(&keys, count);
    long_values(&keys);
}
