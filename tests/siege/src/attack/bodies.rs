//! Bodies that are too large, too deep, or larger than they look.

use super::{AFTER_A_FLOOD, Attack, FOR_A_TIMEOUT, Outcome, Target};
use crate::frame::{flag, frame, kind};
use crate::h1::H1;
use crate::h2::H2;
use crate::hpack;
use crate::wire::Sent;
use std::io;

pub(super) const ATTACKS: &[Attack] = &[
    Attack { name: "1 GB body with its length", source: "RFC 9110, 15.5.14", run: long_body },
    Attack { name: "1 GB body in chunks", source: "RFC 9110, 15.5.14", run: chunks },
    Attack { name: "1 GB body on h2 with its length", source: "RFC 9110, 15.5.14", run: long_body_on_h2 },
    Attack { name: "1 GB body on h2 without a length", source: "RFC 9110, 15.5.14", run: body_on_h2 },
    Attack { name: "body on h2 beyond its windows", source: "RFC 9113, 6.9.1", run: beyond_windows },
    Attack { name: "chunk extensions without end", source: "RFC 9112, 7.1.1", run: chunk_extensions },
    Attack { name: "trailers without end", source: "RFC 9112, 7.1.2", run: trailers },
    Attack { name: "chunks of one byte", source: "RFC 9112, 7.1", run: tiny_chunks },
    Attack { name: "JSON nested 100 000 deep", source: "CWE-674", run: deep_json },
    Attack { name: "compressed request", source: "CWE-409", run: compressed },
];

const GIGABYTE: usize = 1 << 30;
const WRITE: usize = 64 * 1024;

fn post(target: &Target, headers: &str) -> String {
    format!("POST {} HTTP/1.1\r\nhost: siege.test\r\ncontent-type: application/json\r\n{headers}\r\n", target.post)
}

/// Sends `piece` until there is nothing left or nobody takes it.
fn pour(connection: &mut H1, piece: &[u8], total: usize) {
    for _ in 0..total / piece.len() {
        if connection.send(piece) != Sent::All || connection.look() {
            return;
        }
    }
}

fn long_body(target: &Target) -> io::Result<Outcome> {
    let mut connection = H1::open(target.address)?;
    connection.send(post(target, &format!("content-length: {GIGABYTE}\r\n")).as_bytes());
    pour(&mut connection, &[b' '; WRITE], GIGABYTE);
    Ok(Outcome::of_h1(connection, AFTER_A_FLOOD))
}

fn in_chunks(target: &Target, piece: &[u8], total: usize) -> io::Result<Outcome> {
    let mut connection = H1::open(target.address)?;
    connection.send(post(target, "transfer-encoding: chunked\r\n").as_bytes());
    pour(&mut connection, piece, total);
    Ok(Outcome::of_h1(connection, AFTER_A_FLOOD))
}

fn chunks(target: &Target) -> io::Result<Outcome> {
    let mut piece = b"10000\r\n".to_vec();
    piece.extend_from_slice(&[b' '; 0x10000]);
    piece.extend_from_slice(b"\r\n");
    in_chunks(target, &piece, GIGABYTE)
}

fn tiny_chunks(target: &Target) -> io::Result<Outcome> {
    in_chunks(target, &b"1\r\n \r\n".repeat(4096), 64 << 20)
}

fn chunk_extensions(target: &Target) -> io::Result<Outcome> {
    let mut connection = H1::open(target.address)?;
    connection.send(post(target, "transfer-encoding: chunked\r\n").as_bytes());
    connection.send(b"1;");
    pour(&mut connection, &[b'e'; WRITE], 256 << 20);
    Ok(Outcome::of_h1(connection, AFTER_A_FLOOD))
}

fn trailers(target: &Target) -> io::Result<Outcome> {
    let mut connection = H1::open(target.address)?;
    connection.send(post(target, "transfer-encoding: chunked\r\n").as_bytes());
    connection.send(b"2\r\n{}\r\n0\r\n");
    pour(&mut connection, &b"x-trailer: 1\r\n".repeat(4096), 256 << 20);
    Ok(Outcome::of_h1(connection, AFTER_A_FLOOD))
}

fn deep_json(target: &Target) -> io::Result<Outcome> {
    let mut connection = H1::open(target.address)?;
    let body = "[".repeat(100_000);
    let headers = format!("connection: close\r\ncontent-length: {}\r\n", body.len());
    connection.send((post(target, &headers) + &body).as_bytes());
    Ok(Outcome::of_h1(connection, FOR_A_TIMEOUT))
}

fn compressed(target: &Target) -> io::Result<Outcome> {
    let mut connection = H1::open(target.address)?;
    let headers = "connection: close\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n";
    connection.send((post(target, headers) + "{}").as_bytes());
    Ok(Outcome::of_h1(connection, FOR_A_TIMEOUT))
}

fn long_body_on_h2(target: &Target) -> io::Result<Outcome> {
    let length = GIGABYTE.to_string();
    pour_on_h2(target, &[("content-type", "application/json"), ("content-length", &length)])
}

fn body_on_h2(target: &Target) -> io::Result<Outcome> {
    pour_on_h2(target, &[("content-type", "application/json")])
}

/// Sends as the windows allow.
fn pour_on_h2(target: &Target, headers: &[(&str, &str)]) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[])?;
    connection.request(1, &hpack::request("POST", &target.post, headers), false);
    let data = frame(kind::DATA, 0, 1, &[b' '; 16 * 1024]);
    let over = |seen: &crate::h2::Seen| {
        seen.closed || seen.goaway.is_some() || !seen.answers.is_empty() || !seen.resets.is_empty()
    };
    for _ in 0..GIGABYTE / WRITE {
        connection.wait(FOR_A_TIMEOUT, |seen| over(seen) || seen.window(1) >= 16 * 1024);
        if over(connection.look()) || connection.look().window(1) < 16 * 1024 {
            break;
        }
        connection.send(&data);
        connection.spend(1, 16 * 1024);
    }
    connection.wait(AFTER_A_FLOOD, |seen| !seen.resets.is_empty() || seen.goaway.is_some());
    Ok(Outcome::of_h2(connection, AFTER_A_FLOOD))
}

fn beyond_windows(target: &Target) -> io::Result<Outcome> {
    let mut connection = H2::open(target.address, &[])?;
    connection.request(1, &hpack::request("POST", &target.post, &[("content-type", "application/json")]), false);
    let data = frame(kind::DATA, 0, 1, &[b' '; 16 * 1024]);
    for _ in 0..GIGABYTE / WRITE {
        if connection.send(&data) != Sent::All || connection.look().goaway.is_some() {
            break;
        }
    }
    connection.send(&frame(kind::DATA, flag::END_STREAM, 1, b""));
    Ok(Outcome::of_h2(connection, AFTER_A_FLOOD))
}
