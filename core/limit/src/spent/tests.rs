//! What is believed, and what is not.

use std::time::Duration;

use super::{Doubt, LIFETIME, Seal, Seen, Short, Spent};

const NOW: Duration = Duration::from_millis(1_800_000_000_123);
const SECRET: &str = "a secret of many bytes";

fn seal() -> Seal {
    Seal::new(SECRET).expect("long enough")
}

fn spent(seal: &Seal, limit: &str, value: &str, cost: u64) -> Spent {
    Spent { key: seal.keys().of(limit).start().with(value.as_bytes()).key(), cost }
}

#[test]
fn what_is_signed_is_read_with_the_same_secret_for_the_same_request() {
    let seal = seal();
    let all = [spent(&seal, "per-user", "alice", 1), spent(&seal, "per-type", "express", 3)];
    let text = seal.sign(&all, "request-1", NOW);
    let proof = Seal::new(SECRET).expect("long enough").read(&text, "request-1", NOW).expect("believed");
    let asked = [
        (spent(&seal, "per-user", "alice", 1), true),
        (spent(&seal, "per-type", "express", 3), true),
        (spent(&seal, "per-type", "express", 2), true),
        (spent(&seal, "per-type", "express", 4), false),
        (spent(&seal, "per-user", "bob", 1), false),
        (spent(&seal, "per-type", "alice", 1), false),
    ];
    for (Spent { key, cost }, covered) in asked {
        assert_eq!(proof.covers(key, cost), covered);
    }
}

#[test]
fn another_secret_another_request_or_a_changed_byte_is_not_believed() {
    let seal = seal();
    let text = seal.sign(&[spent(&seal, "per-user", "alice", 1)], "request-1", NOW);
    let other = Seal::new("another secret of many bytes").expect("long enough");
    assert_eq!(other.read(&text, "request-1", NOW), Err(Doubt::Forged));
    assert_eq!(seal.read(&text, "request-2", NOW), Err(Doubt::Forged));
    for place in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(bytes).expect("text");
        assert!(seal.read(&changed, "request-1", NOW).is_err(), "{changed}");
    }
    // What is signed together with the id cannot be moved into it.
    let moved = text.replacen("1;", ";", 1);
    assert!(seal.read(&moved, "request-11", NOW).is_err());
}

#[test]
fn it_holds_for_five_seconds_whichever_clock_is_ahead() {
    let seal = seal();
    let text = seal.sign(&[], "r", NOW);
    let millisecond = Duration::from_millis(1);
    for (now, expected) in [
        (NOW + LIFETIME - millisecond, Ok(())),
        (NOW - LIFETIME + millisecond, Ok(())),
        (NOW + LIFETIME + millisecond, Err(Doubt::Old)),
        (NOW - LIFETIME - millisecond, Err(Doubt::Old)),
    ] {
        assert_eq!(seal.read(&text, "r", now).map(drop), expected);
    }
}

#[test]
fn what_is_not_written_like_one_is_told_from_what_is_forged() {
    let seal = seal();
    let zeros = "0".repeat(64);
    for text in ["", ";", "1;2;3", "1;2;3;short", &"1".repeat(5000)] {
        assert_eq!(seal.read(text, "r", NOW), Err(Doubt::Malformed), "{text}");
    }
    assert_eq!(seal.read(&format!("1;2;;{zeros}"), "r", NOW), Err(Doubt::Forged));
    assert_eq!(Seal::new("short").map(drop), Err(Short));
}

#[test]
fn more_budgets_than_are_told_are_left_out() {
    let seal = seal();
    let all: Vec<Spent> = (0..20).map(|user| spent(&seal, "per-user", &user.to_string(), u64::MAX)).collect();
    let proof = seal.read(&seal.sign(&all, "r", NOW), "r", NOW).expect("believed");
    let covered = all.iter().filter(|spent| proof.covers(spent.key, spent.cost)).count();
    assert_eq!(covered, 16);
}

#[test]
fn a_proof_is_taken_as_often_as_is_said_and_forgotten_when_nobody_believes_it() {
    let seal = seal();
    let proof = |request: &str| seal.read(&seal.sign(&[], request, NOW), request, NOW).expect("believed");
    let mut seen = Seen::new(2, 2);
    assert_eq!([(); 3].map(|()| seen.takes(&proof("a"), NOW)), [true, true, false]);
    // Within the time in which it is believed by some clock it is known.
    let later = NOW + LIFETIME * 2 - Duration::from_millis(1);
    assert!(!seen.takes(&proof("a"), later));
    assert!(!seen.takes(&proof("a"), later + LIFETIME));
    // There is room for two.
    let mut seen = Seen::new(2, 2);
    assert_eq!(["b", "c", "d"].map(|request| seen.takes(&proof(request), NOW)), [true, true, false]);
    assert!(seen.takes(&proof("d"), NOW + LIFETIME * 2), "the others are over");
}
