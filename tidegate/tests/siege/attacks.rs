//! Each attack ends as it should, costs no more memory than it may, and nobody else notices.

use crate::bystander::Bystanders;
use crate::stage::Stage;
use std::collections::BTreeSet;
use tidegate_siege::attack::{self, Attack, End, Outcome};
use tidegate_siege::frame::code::{CANCEL, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, NO_ERROR, PROTOCOL_ERROR};
use tidegate_siege::process;

/// Bytes that the gateway may hold for each byte that an attacker sent.
const AMPLIFICATION: u64 = 10;
/// What it may hold besides, whatever is sent: of a hundred streams a window of 128 KiB upstream and a piece of
/// 64 KiB each, and 16 MiB for the rest, such as code that runs for the first time.
const ALLOWANCE: u64 = 100 * (128 + 64) * 1024 + 16 * 1024 * 1024;

/// What an attack should come to. What depends on who is faster is not said.
struct Want {
    name: &'static str,
    end: End,
    /// The other end that is right too, where it depends on who is faster.
    or: Option<End>,
    statuses: Option<&'static [u16]>,
    resets: Option<&'static [u32]>,
}

/// The connection is closed with this code, whatever was answered before.
const fn away(name: &'static str, code: u32) -> Want {
    Want { name, end: End::GoAway(code), or: None, statuses: None, resets: None }
}

/// On HTTP/1.1: these answers, then the connection is closed.
const fn closed(name: &'static str, statuses: &'static [u16]) -> Want {
    Want { name, end: End::Closed, or: None, statuses: Some(statuses), resets: Some(&[]) }
}

/// On HTTP/2: every stream ends so, and the connection goes on.
const fn open(name: &'static str, statuses: &'static [u16], resets: &'static [u32]) -> Want {
    Want { name, end: End::Open, or: None, statuses: Some(statuses), resets: Some(resets) }
}

const RESETS: &[Want] = &[
    away("rapid reset", ENHANCE_YOUR_CALM),
    // Some faults of a stream are taken for faults of the connection, which RFC 9113, 5.4 allows.
    away("made you reset: window update of zero", PROTOCOL_ERROR),
    away("made you reset: window overflow", ENHANCE_YOUR_CALM),
    away("made you reset: data on a half-closed stream", PROTOCOL_ERROR),
    away("made you reset: headers on a half-closed stream", PROTOCOL_ERROR),
    away("made you reset: priority of four bytes", PROTOCOL_ERROR),
    away("made you reset: priority that depends on itself", ENHANCE_YOUR_CALM),
    away("made you reset: more data than content-length", ENHANCE_YOUR_CALM),
    away("made you reset: upper-case header names", PROTOCOL_ERROR),
    away("made you reset: connection-specific headers", ENHANCE_YOUR_CALM),
];

const FLOODS: &[Want] = &[
    away("flood of pings", ENHANCE_YOUR_CALM),
    away("flood of pings, answers unread", ENHANCE_YOUR_CALM),
    away("flood of settings", ENHANCE_YOUR_CALM),
    away("flood of settings, answers unread", ENHANCE_YOUR_CALM),
    away("flood of empty data frames", ENHANCE_YOUR_CALM),
    away("flood of data frames of one byte", ENHANCE_YOUR_CALM),
    away("flood of padding", ENHANCE_YOUR_CALM),
    away("flood of priorities", ENHANCE_YOUR_CALM),
    away("flood of window updates", ENHANCE_YOUR_CALM),
    away("flood of resets of a closed stream", ENHANCE_YOUR_CALM),
    away("flood of unknown frames", ENHANCE_YOUR_CALM),
    away("flood of continuations of one byte", ENHANCE_YOUR_CALM),
    away("flood of empty continuations", ENHANCE_YOUR_CALM),
    away("flood of full continuations", ENHANCE_YOUR_CALM),
];

const HEADERS: &[Want] = &[
    closed("header flood on h1: five thousand", &[431]),
    closed("header flood on h1: one of a megabyte", &[431]),
    closed("header flood on h1: a line without end", &[431]),
    closed("header flood on h1: a target without end", &[431]),
    closed("header flood on h1: a thousand cookies", &[431]),
    open("header flood on h2: two hundred short ones", &[431], &[]),
    open("header flood on h2: two hundred cookies", &[431], &[]),
    open("header flood on h2: one of sixty thousand bytes", &[431], &[]),
    away("hpack bomb: large entry", ENHANCE_YOUR_CALM),
    away("hpack bomb: held by a zero window", ENHANCE_YOUR_CALM),
    away("hpack bomb: held by bodies that do not come", ENHANCE_YOUR_CALM),
];

const STALLS: &[Want] = &[
    // Answers of one connection wait for each other, some longer than their route's timeout.
    open("window exhaustion: windows of zero", &[200, 504], &[CANCEL]),
    open("window exhaustion: one byte for each stream", &[200, 504], &[CANCEL]),
    open("window exhaustion: streams without end", &[200, 504], &[CANCEL]),
    open("window exhaustion: native streams without end", &[200], &[CANCEL]),
    Want { name: "answers unread on h1", end: End::Closed, or: None, statuses: None, resets: Some(&[]) },
    // Too many requests, or nothing read for too long: a fast attacker runs into the first one. By then it may be
    // too late to tell it why.
    Want { or: Some(End::Closed), ..away("answers unread on h2", ENHANCE_YOUR_CALM) },
];

const SLOW: &[Want] = &[
    closed("silence", &[]),
    closed("slowloris in an h1 head", &[]),
    closed("slowloris in an h1 head: silence", &[]),
    closed("slowloris in an h1 body", &[408]),
    closed("slowloris in an h1 body: silence", &[408]),
    closed("slowloris in an h1 chunk", &[408]),
    closed("slowloris in the h2 preface", &[]),
    away("h2 preface without settings", NO_ERROR),
    away("idle on h2", NO_ERROR),
    away("slowloris in an h2 frame header", NO_ERROR),
    // Too many pieces, or too much time: a slow attacker runs into the other one first.
    Want { or: Some(End::GoAway(NO_ERROR)), ..away("slowloris in an h2 header block", ENHANCE_YOUR_CALM) },
    away("slowloris in an h2 header block: silence", NO_ERROR),
    open("slowloris in an h2 body", &[408], &[NO_ERROR]),
    open("slowloris in an h2 body: silence", &[408], &[NO_ERROR]),
];

const BODIES: &[Want] = &[
    closed("1 GB body with its length", &[413]),
    closed("1 GB body in chunks", &[413]),
    open("1 GB body on h2 with its length", &[413], &[NO_ERROR]),
    open("1 GB body on h2 without a length", &[413], &[NO_ERROR]),
    away("body on h2 beyond its windows", FLOW_CONTROL_ERROR),
    closed("chunk extensions without end", &[400]),
    closed("trailers without end", &[400]),
    closed("chunks of one byte", &[400]),
    closed("JSON nested 100 000 deep", &[400]),
    closed("compressed request", &[415]),
];

/// Times short enough to be waited for.
const SHORT: &str = ", headers: { timeout: 1s }, body: { timeout: 1s }, write_timeout: 1s, idle_timeout: 1s, \
    h2: { ping_interval: 1s, ping_timeout: 1s }";

fn named(name: &str) -> Attack {
    attack::named(name).unwrap_or_else(|| panic!("there is no attack `{name}`"))
}

/// How an attack did not end as it should.
fn wrong(want: &Want, found: &Outcome) -> Option<String> {
    let same = |want: Option<&[u16]>, found: &BTreeSet<u16>| {
        want.is_none_or(|want| found.iter().copied().eq(want.iter().copied()))
    };
    let resets = want.resets.is_none_or(|want| found.resets.iter().copied().eq(want.iter().copied()));
    let ends = want.end == found.end || want.or.is_some_and(|or| or == found.end);
    let right = ends && same(want.statuses, &found.statuses) && resets;
    let (end, statuses) = (want.end, want.statuses);
    (!right).then(|| format!("{}: {found:?}, should be {end:?} {statuses:?} {:?}", want.name, want.resets))
}

/// Makes the attacks one after the other, with others beside, and looks at the memory of each.
#[track_caller]
fn check(listener: &str, route: &str, wants: &[Want]) {
    let stage = Stage::set(listener, route);
    let bystanders = Bystanders::start(stage.target.address);
    let mut failures = Vec::new();
    for want in wants {
        process::forget_peak(stage.pid()).expect("it runs");
        let before = process::resident(stage.pid()).expect("it runs");
        let found = (named(want.name).run)(&stage.target).expect("it listens");
        let held = process::peak(stage.pid()).expect("it runs").saturating_sub(before);
        failures.extend(wrong(want, &found));
        if held > found.sent * AMPLIFICATION + ALLOWANCE {
            failures.push(format!("{}: {held} bytes were held for {} that were sent", want.name, found.sent));
        }
    }
    bystanders.finish();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Makes the attacks all at once: they wait for timeouts.
#[track_caller]
fn check_together(wants: &[Want]) {
    let stage = Stage::set(SHORT, "");
    let bystanders = Bystanders::start(stage.target.address);
    let before = process::resident(stage.pid()).expect("it runs");
    let found: Vec<Outcome> = std::thread::scope(|scope| {
        let run = |want: &Want| (named(want.name).run)(&stage.target).expect("it listens");
        let threads: Vec<_> = wants.iter().map(|want| scope.spawn(move || run(want))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
    });
    let held = process::peak(stage.pid()).expect("it runs").saturating_sub(before);
    bystanders.finish();
    let failures: Vec<_> = wants.iter().zip(&found).filter_map(|(want, found)| wrong(want, found)).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    let sent: u64 = found.iter().map(|found| found.sent).sum();
    assert!(held <= sent * AMPLIFICATION + ALLOWANCE, "{held} bytes were held for {sent} that were sent");
}

#[test]
fn every_attack_has_its_row() {
    let rows = [RESETS, FLOODS, HEADERS, STALLS, SLOW, BODIES];
    let rows: Vec<_> = rows.into_iter().flatten().map(|want| want.name).collect();
    let attacks: Vec<_> = attack::all().into_iter().map(|attack| attack.name).collect();
    assert_eq!(rows, attacks);
}

#[test]
fn streams_that_are_opened_to_be_reset_end_the_connection() {
    check("", "", RESETS);
}

#[test]
fn floods_of_frames_end_the_connection() {
    check("", "", FLOODS);
}

#[test]
fn too_many_and_too_large_headers_are_431() {
    check("", "", HEADERS);
}

#[test]
fn clients_that_read_nothing_are_given_up() {
    check(SHORT, ", timeout: 3s", STALLS);
}

#[test]
fn clients_that_take_their_time_are_given_up() {
    check_together(SLOW);
}

#[test]
fn bodies_that_are_too_large_are_not_read_to_their_end() {
    check("", "", BODIES);
}

/// A reply of a megabyte's thousandth part: 16 MiB of it are never made.
#[test]
fn replies_that_are_larger_than_they_look_are_502() {
    let stage = Stage::set("", "");
    let bystanders = Bystanders::start(stage.target.address);
    process::forget_peak(stage.pid()).expect("it runs");
    let before = process::resident(stage.pid()).expect("it runs");
    for path in ["/bomb", "/firecracker"] {
        let answer = stage.get(path);
        assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
        assert!(answer.contains("larger than its compressed form"), "{answer}");
    }
    let held = process::peak(stage.pid()).expect("it runs").saturating_sub(before);
    bystanders.finish();
    assert!(held <= ALLOWANCE, "{held} bytes were held");
}
