//! Query and body → one message.

use crate::naive::{decode, is_encoded};
use crate::requests::{ROUTER, chosen};
use crate::schema::{SCHEMA, canonical, message, printed, read_again};
use http::Method;
use std::fmt::Write as _;
use tidegate_protojson::{ParseOptions, PrintOptions, wire_to_json};
use tidegate_transcode::frame::Deframer;
use tidegate_transcode::{Refusal, Repeated, Strictness, TranscodeOptions};

/// Wire bytes for one byte of query or body, at most; and for the path, which is fixed.
const GROWTH: (usize, usize) = (8, 64);

/// One byte that chooses request and options, a query, a line feed, a body.
///
/// What is accepted is one well-formed frame, bounded by the request. What is refused is a 400 that says why, and the
/// output is left alone. A query whose every byte is percent-encoded means the same.
pub fn query(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let line = memchr::memchr(b'\n', rest);
    let (query, body) = line.map_or((rest, &b""[..]), |line| (&rest[..line], &rest[line + 1..]));
    let Ok(query) = std::str::from_utf8(query) else { return };
    let mut options = TranscodeOptions::default();
    if choice & 8 != 0 {
        options.unknown_query = Strictness::Ignore;
        options.overlapping_query = Strictness::Ignore;
        options.query_beside_body = Strictness::Ignore;
        options.repeated_query = Repeated::LastWins;
    }
    let (method, path) = chosen(choice);
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let found = ROUTER.find(&method, path).expect("every request has its rule");
    let write = |query: &str| -> Result<Vec<u8>, Refusal> {
        let mut out = b"before".to_vec();
        let result = found.write_request(&SCHEMA, Some(query), None, body, &options, &mut out);
        assert!(out.starts_with(b"before"));
        let frame = out.split_off(6);
        assert!(result.is_ok() || frame.is_empty());
        result.map(|()| frame)
    };
    let written = write(query);
    if let Some(same) = encoded(query) {
        match (&written, write(&same)) {
            (Ok(one), Ok(other)) => assert_eq!(*one, other, "{same}"),
            (Err(_), Err(_)) => {}
            (one, other) => panic!("{query} and {same}: {one:?}, {other:?}"),
        }
    } else {
        assert!(written.is_err(), "{query} has a broken escape");
    }
    match written {
        Err(refusal) => {
            assert_eq!(refusal.http, http::StatusCode::BAD_REQUEST, "{refusal}");
            assert!(!refusal.status.message.is_empty());
            assert!(refusal.status.message.len() <= 1024 + 4 * data.len(), "{refusal}");
        }
        Ok(frame) => {
            assert!(frame.len() <= GROWTH.0 * data.len() + GROWTH.1, "{} bytes of {}", frame.len(), data.len());
            let mut deframer = Deframer::new(frame.len());
            deframer.push(frame.into());
            let frame = deframer.next().expect("well-formed").expect("complete");
            assert_eq!((deframer.finish(), frame.compressed), (Ok(()), false));
            round_trip(&frame.payload);
        }
    }
}

/// The message, if JSON can say it (a query can set any number of seconds in a `Timestamp`), survives it.
fn round_trip(wire: &[u8]) {
    let (message, print) = (message(false), PrintOptions::default());
    assert_eq!(canonical(message, &canonical(message, wire)), canonical(message, wire));
    let mut json = Vec::new();
    if wire_to_json(&SCHEMA, message, wire, &print, &mut json).is_ok()
        && let Some(again) = read_again(message, &json, &ParseOptions::default())
    {
        assert_eq!(printed(message, &again, &print), json);
    }
}

/// The same query with every byte of names and values escaped; `None` if an escape of it is broken.
fn encoded(query: &str) -> Option<String> {
    let mut out = String::with_capacity(query.len() * 3);
    for (index, parameter) in query.split('&').enumerate() {
        if index > 0 {
            out.push('&');
        }
        let (name, value) = parameter.split_once('=').map_or((parameter, None), |(name, value)| (name, Some(value)));
        for (part, sign) in [(Some(name), ""), (value, "=")] {
            let Some(part) = part else { continue };
            if !is_encoded(part.as_bytes()) {
                return None;
            }
            out.push_str(sign);
            for byte in decode(part.replace('+', " ").as_bytes(), false) {
                write!(out, "%{byte:02x}").expect("a String takes all");
            }
        }
    }
    Some(out)
}
