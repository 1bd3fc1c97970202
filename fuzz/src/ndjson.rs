//! Streams of requests in one body.

use crate::schema::{SCHEMA, assert_is_json, canonical, message};
use bytes::Bytes;
use std::sync::LazyLock;
use tidegate_protojson::{ParseOptions, json_to_wire};
use tidegate_transcode::frame::FRAME_HEADER_LEN;
use tidegate_transcode::upload::{Form, Splitter};
use tidegate_transcode::{Refusal, Router, RouterBuilder, TranscodeOptions};

/// The longest message.
const LIMIT: usize = 256;

/// The rules of `fuzz.Streams`.
static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let mut builder = RouterBuilder::new();
    builder.add_service(&SCHEMA, "fuzz.Streams", &[], 0).expect("the rules are good");
    builder.build().expect("the rules differ")
});

/// What a body became: its messages, and why it was not read to its end.
type Read = (Vec<Bytes>, Option<Refusal>);

/// One byte that chooses the form, and how the body is cut; then the body.
///
/// Messages do not depend on where chunks end. Lines are what lies between line feeds; an array that reads to its end,
/// all of whose elements are JSON, is one array for any parser, with as many elements. What is held is bounded by the
/// longest message. Each message is read as it would be by itself.
pub fn ndjson(data: &[u8]) {
    let Some((&choice, body)) = data.split_first() else { return };
    let form = if choice & 1 == 0 { Form::Lines } else { Form::Array };
    let whole = read(form, [body]);
    assert_eq!(read(form, body.chunks(usize::from(choice >> 1).max(1))), whole);
    assert_eq!(read(form, body.chunks(1)), whole);
    match form {
        Form::Lines => lines(body, &whole),
        _ => array(body, &whole),
    }
    if let Some(refusal) = &whole.1 {
        assert!(matches!(refusal.http.as_u16(), 400 | 413), "{refusal}");
    }
    messages(form, body);
}

fn read<'d>(form: Form, chunks: impl IntoIterator<Item = &'d [u8]>) -> Read {
    let mut splitter = Splitter::new(form, LIMIT);
    let mut found = Vec::new();
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        loop {
            match splitter.next() {
                Ok(Some(item)) => found.push(item.text),
                Ok(None) => break,
                Err(refusal) => return (found, Some(refusal)),
            }
        }
        assert!(splitter.held() <= LIMIT, "{} bytes held", splitter.held());
    }
    match splitter.finish() {
        Ok(last) => {
            found.extend(last.map(|item| item.text));
            (found, None)
        }
        Err(refusal) => (found, Some(refusal)),
    }
}

fn lines(body: &[u8], (found, refusal): &Read) {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(is_space));
    let fitting: Vec<&[u8]> = lines.take_while(|line| line.len() <= LIMIT).collect();
    // A line of nothing but white space can be too long as well, and then ends it earlier.
    assert_eq!(found.as_slice(), &fitting[..found.len()]);
    assert!(refusal.is_some() || found.len() == fitting.len());
}

fn array(body: &[u8], (found, refusal): &Read) {
    let parsed: Option<Vec<serde_json::Value>> = serde_json::from_slice(body).ok();
    let items: Vec<Option<serde_json::Value>> = found.iter().map(|item| serde_json::from_slice(item).ok()).collect();
    match (parsed, refusal) {
        (Some(elements), None) => {
            assert_eq!(items, elements.into_iter().map(Some).collect::<Vec<_>>());
            found.iter().for_each(|item| assert_is_json(item));
        }
        // Too long, or one that is no JSON is left for who reads it.
        (Some(_), Some(refusal)) => assert_eq!(refusal.http.as_u16(), 413, "{refusal}"),
        (None, None) => assert!(body.iter().all(is_space) || items.contains(&None), "{}", body.escape_ascii()),
        (None, Some(_)) => {}
    }
}

/// White space, as JSON has it.
fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Each message is read as it would be by itself.
fn messages(form: Form, body: &[u8]) {
    let found = ROUTER.find(&http::Method::POST, "/s").expect("there is a rule");
    let mut splitter = Splitter::new(form, LIMIT);
    splitter.push(Bytes::copy_from_slice(body));
    let options = TranscodeOptions::default();
    while let Ok(Some(item)) = splitter.next() {
        let (mut frame, mut alone) = (Vec::new(), Vec::new());
        let written = found.binding.write_next_message(&SCHEMA, &item, &options, &mut frame);
        let read = json_to_wire(&SCHEMA, message(false), &item.text, &ParseOptions::default(), &mut alone);
        assert_eq!(written.is_ok(), read.is_ok(), "{}", item.text.escape_ascii());
        if written.is_ok() {
            assert_eq!(canonical(message(false), &frame[FRAME_HEADER_LEN..]), canonical(message(false), &alone));
        } else {
            assert!(frame.is_empty());
        }
    }
}
