//! Whatever comes, the answer is a message or a refusal.

use crate::harness::{SCHEMA, router};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tidegate_protojson::{PrintOptions, wire_to_json};
use tidegate_transcode::frame::{Bounds, Deframer, decompress};
use tidegate_transcode::{HttpRule, Miss, RuleMethod, Status, TranscodeOptions};

fn random() -> TestRng {
    TestRng::deterministic_rng(RngAlgorithm::ChaCha)
}

/// Up to `max` bytes, mostly of `alphabet`.
fn bytes(random: &mut TestRng, alphabet: &[u8], max: u32) -> Vec<u8> {
    let len = random.next_u32() % (max + 1);
    let byte = |_| match random.next_u32() {
        n if n % 16 == 0 => (n >> 8) as u8,
        n => alphabet[(n >> 8) as usize % alphabet.len()],
    };
    (0..len).map(byte).collect()
}

fn text(random: &mut TestRng, alphabet: &[u8], max: u32) -> String {
    String::from_utf8_lossy(&bytes(random, alphabet, max)).into_owned()
}

#[test]
fn a_path_of_slashes_takes_one_visit_of_each_template() {
    let router = router(
        "Do get: /{name=**}
         Other get: /a/{id}/{name=**}
         Third get: /*/*/*/*/*/*/*/*",
    );
    for path in ["/".repeat(65536), "/a".repeat(65536), format!("/a{}", "/".repeat(65536)), "a".repeat(65536)] {
        let found = router.find(&Method::POST, &path);
        let want = if path.starts_with("/a") || path == "/" {
            Miss::MethodNotAllowed { allow: "GET, HEAD, OPTIONS".into() }
        } else {
            Miss::NotFound
        };
        assert_eq!(found.err(), Some(want));
    }
    let path = format!("/x{}", "/y".repeat(65536));
    let found = router.find(&Method::GET, &path).expect("the double wildcard takes all");
    assert_eq!((&*found.binding.rpc, found.captures[0].len()), ("/t.v1.Main/Do", path.len() - 1));
}

#[test]
fn random_requests_become_a_message_or_a_refusal() {
    let router = router(
        "Do get: /g/{nested.text}/{name=**}
         Do post: /w/{id} body: *
         Do post: /f/{left} body: nested
         Do post: /f/{at}/{mask}:v body: tags
         Old post: /o/{part.text} body: *
         Upload put: /u/{name} body: file",
    );
    let mut random = random();
    let options = TranscodeOptions::default();
    let pieces = [
        "name",
        "=",
        "&",
        "nested",
        ".",
        "text",
        "deeper",
        "[",
        "]",
        "labels",
        "%",
        "%41",
        "+",
        "1",
        "x",
        "tags",
        "left",
        "right",
        "both",
        "mask",
        "at",
        "seconds",
        "=5",
        "kinds[1]=",
        "page_size=3",
        "flag=true",
        "part",
        "inner",
    ];
    let starts = ["/g/", "/w/", "/f/", "/o/", "/u/", "/"];
    let (mut messages, mut refusals, mut misses) = (0, 0, 0);
    for _ in 0..20_000 {
        let start = starts[random.next_u32() as usize % starts.len()];
        let path = format!("{start}{}", text(&mut random, b"ab/:%2F41.,", 12));
        let count = random.next_u32() % 12;
        let query: String = (0..count).map(|_| pieces[random.next_u32() as usize % pieces.len()]).collect();
        let body = bytes(&mut random, br#"{}[]",:idnametx1 0"#, 24);
        for method in [Method::GET, Method::POST, Method::PUT] {
            let Ok(found) = router.find(&method, &path) else {
                misses += 1;
                continue;
            };
            let mut out = b"x".to_vec();
            match found.write_request(&SCHEMA, Some(&query), None, &body, &options, &mut out) {
                Ok(()) => {
                    messages += 1;
                    let mut deframer = Deframer::new(usize::MAX);
                    deframer.push(out.split_off(1).into());
                    let frame = deframer.next().expect("well-formed").expect("complete");
                    let print = PrintOptions { allow_partial: true, ..PrintOptions::default() };
                    let readable = wire_to_json(&SCHEMA, found.binding.input, &frame.payload, &print, &mut out);
                    assert_eq!((readable, deframer.finish()), (Ok(()), Ok(())), "{method} {path}?{query}");
                }
                Err(refusal) => {
                    refusals += 1;
                    assert_eq!((out.as_slice(), refusal.http.as_u16()), (&b"x"[..], 400));
                }
            }
        }
    }
    // Each kind must have been met, or this says nothing.
    assert!(messages > 100 && refusals > 100 && misses > 100, "{messages} {refusals} {misses}");
}

#[test]
fn random_templates_and_options_are_read_or_refused() {
    let mut random = random();
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let template = format!("/{}", text(&mut random, b"a/*{}=:%41nested.text", 16));
        let rule =
            HttpRule { selector: "t.v1.Main.Do".into(), method: RuleMethod::Get, template, ..HttpRule::default() };
        let mut builder = tidegate_transcode::RouterBuilder::new();
        match builder.add_service(&SCHEMA, "t.v1.Main", &[rule], 0) {
            Ok(()) => good += 1,
            Err(_) => bad += 1,
        }
        let options = bytes(&mut random, b"\xc2\x9c\xe4\x93\x02\x12\x42\x0a\x01\x02", 24);
        drop(HttpRule::from_method_options(&options));
    }
    assert!(good > 100 && bad > 100, "{good} {bad}");
}

#[test]
fn random_replies_are_read_or_refused() {
    let mut random = random();
    let router = router("Upload get: /a response: file");
    for _ in 0..20_000 {
        let wire = bytes(&mut random, b"\x0a\x12\x02\x01\x00\x04x\x1f\x01", 40);
        let mut deframer = Deframer::new(16);
        deframer.push(wire.clone().into());
        let read = loop {
            match deframer.next() {
                Ok(Some(frame)) => assert!(frame.payload.len() <= 16),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let finished = deframer.finish();
        assert!(read.is_ok() || finished == read, "{read:?} {finished:?}");
        let bounds = Bounds { max_bytes: 100, max_ratio: 100 };
        drop(decompress("gzip", wire.clone().into(), bounds));
        drop(decompress("deflate", wire.clone().into(), bounds));
        let mut out = Vec::new();
        drop(router.binding(0).write_reply(&SCHEMA, &wire, &TranscodeOptions::default(), &mut out));
        drop(router.binding(0).http_body_reply(&SCHEMA, &Bytes::from(wire)));
        let mut trailers = HeaderMap::new();
        for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
            if let Ok(value) = HeaderValue::from_bytes(&bytes(&mut random, b"0123CAUSAW0a%4=", 24)) {
                trailers.insert(name, value);
            }
        }
        if let Some(Err(status)) = Status::from_trailers(&trailers) {
            out.clear();
            status.to_json(&SCHEMA, &mut out);
            let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&out);
            assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(&out));
        }
    }
}
