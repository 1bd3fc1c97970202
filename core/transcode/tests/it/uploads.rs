//! Streams of requests in one body.

use crate::harness::{SCHEMA, request, router};
use bytes::Bytes;
use tidegate_protojson::{PrintOptions, wire_to_json};
use tidegate_transcode::frame::Deframer;
use tidegate_transcode::upload::{Form, Item, Splitter};
use tidegate_transcode::{Refusal, TranscodeOptions};

const LIMIT: usize = 40;
const WHOLE: &str = "post: /a/{id} body: *";
const LINES: &str = "POST /a/7?x [type application/x-ndjson]";
const ARRAY: &str = "POST /a/7?x [type application/json]";

/// The messages of a body that comes in pieces of `piece` bytes, then what ended it.
fn read(rule: &str, text: &str, piece: usize) -> Vec<String> {
    let router = router(rule);
    let request = request(text);
    let found = router.find(&request.method, request.path).expect("a rule");
    let detached = found.detach();
    let found = router.attach(&detached);
    let query = request.query.filter(|query| *query != "x");
    let form = match Form::of(found.binding, request.content_type) {
        Ok(form) => form,
        Err(refusal) => return vec![show(&refusal)],
    };
    let mut splitter = Splitter::new(form, LIMIT);
    let mut frames = Vec::new();
    let mut first = true;
    let mut write = |item: Item, frames: &mut Vec<u8>| -> Result<(), Refusal> {
        let options = TranscodeOptions::default();
        if std::mem::take(&mut first) {
            found.write_first_message(&SCHEMA, query, request.content_type, &item, &options, frames)
        } else {
            found.binding.write_next_message(&SCHEMA, &item, &options, frames)
        }
    };
    let mut run = || -> Result<(), Refusal> {
        for chunk in request.body.chunks(piece) {
            splitter.push(Bytes::copy_from_slice(chunk));
            while let Some(item) = splitter.next()? {
                write(item, &mut frames)?;
            }
        }
        splitter.finish()?.map_or(Ok(()), |item| write(item, &mut frames))
    };
    let ended = run();
    let mut deframer = Deframer::new(usize::MAX);
    deframer.push(frames.into());
    let mut messages = Vec::new();
    while let Some(frame) = deframer.next().expect("frames") {
        let mut json = Vec::new();
        wire_to_json(&SCHEMA, found.binding.input, &frame.payload, &PrintOptions::default(), &mut json)
            .expect("a message");
        messages.push(String::from_utf8(json).expect("text"));
    }
    messages.extend(ended.err().map(|refusal| show(&refusal)));
    messages
}

fn show(refusal: &Refusal) -> String {
    format!("{} {}", refusal.http.as_u16(), refusal.status.message)
}

/// However the body is cut, what is read is the same.
#[track_caller]
fn check(rule: &str, text: &str, want: &[&str]) {
    for piece in [usize::MAX, 7, 2, 1] {
        assert_eq!(read(rule, text, piece), want, "{text:?} in pieces of {piece}");
    }
}

#[test]
fn lines_are_messages_and_the_first_one_has_what_the_path_says() {
    let body = "{\"name\":\"x\"}\n{\"name\":\"y\",\"id\":\"8\"}\n{}";
    check(WHOLE, &format!("{LINES}{body}"), &[r#"{"name":"x","id":"7"}"#, r#"{"name":"y","id":"8"}"#, "{}"]);
    check(WHOLE, &format!("{LINES}{{}}\n"), &[r#"{"id":"7"}"#]);
}

#[test]
fn a_query_belongs_to_the_first_message() {
    let text = "POST /a?name=x [type application/x-ndjson]{\"text\":\"a\"}\n{\"text\":\"b\"}";
    check("post: /a body: nested", text, &[r#"{"nested":{"text":"a"},"name":"x"}"#, r#"{"nested":{"text":"b"}}"#]);
}

#[test]
fn empty_lines_are_skipped_and_counted() {
    let body = "\r\n{\"name\":\"x\"}\r\n \t\r\n\n{\"nam\":1}\r\n";
    check(
        WHOLE,
        &format!("{LINES}{body}"),
        &[r#"{"name":"x","id":"7"}"#, "400 line 5: unknown field `nam` of t.v1.Request, did you mean `name`? (byte 1)"],
    );
}

#[test]
fn nothing_is_no_message() {
    for body in ["", "\n", " \r\n\t "] {
        check(WHOLE, &format!("{LINES}{body}"), &[]);
        check(WHOLE, &format!("{ARRAY}{body}"), &[]);
    }
    check(WHOLE, &format!("{ARRAY} [ ] "), &[]);
}

#[test]
fn a_form_feed_is_no_white_space() {
    let found = "expected a value, found byte 0x0c";
    check(WHOLE, &format!("{LINES}{{}}\n\x0c\n"), &[r#"{"id":"7"}"#, &format!("400 line 2: {found} (byte 0)")]);
    check(WHOLE, &format!("{ARRAY}[\x0c{{}}]"), &[&format!("400 body: [0]: {found} (byte 1)")]);
}

#[test]
fn elements_of_an_array_are_messages() {
    let body = r#" [ {"name":"]},[\"{"} ,{"tags":["a","b"]}, {} ] "#;
    check(WHOLE, &format!("{ARRAY}{body}"), &[r#"{"name":"]},[\"{","id":"7"}"#, r#"{"tags":["a","b"]}"#, "{}"]);
    check("post: /a body: name", r#"POST /a ["x","y"]"#, &[r#"{"name":"x"}"#, r#"{"name":"y"}"#]);
    check("post: /a body: pageSize", "POST /a [1,2]", &[r#"{"pageSize":1}"#, r#"{"pageSize":2}"#]);
}

#[test]
fn an_element_names_its_index_and_its_byte_in_the_body() {
    check(
        WHOLE,
        &format!(r#"{ARRAY}[{{}}, {{"pageSize":"x"}}]"#),
        &[r#"{"id":"7"}"#, r#"400 body: [1]: pageSize: expected int32, found string "x" (byte 17)"#],
    );
}

#[test]
fn what_is_no_array_is_refused_where_it_ceases_to_be_one() {
    let first = r#"{"id":"7"}"#;
    let wants = "expected an array of messages; one message to a line is application/x-ndjson";
    check(WHOLE, &format!("{ARRAY} {{}}"), &[&format!("400 body: {wants} (byte 1)")]);
    check(WHOLE, &format!("{ARRAY}[,{{}}]"), &["400 body: expected a message (byte 1)"]);
    check(WHOLE, &format!("{ARRAY}[{{}},]"), &[first, "400 body: expected a message (byte 4)"]);
    check(WHOLE, &format!("{ARRAY}[{{}}"), &["400 body: the array is not closed (byte 3)"]);
    check(WHOLE, &format!("{ARRAY}["), &["400 body: the array is not closed (byte 1)"]);
    check(WHOLE, &format!("{ARRAY}[{{}}] x"), &[first, "400 body: content behind the end of the array (byte 5)"]);
    check(WHOLE, &format!("{ARRAY}[}}]"), &["400 body: [0]: expected a value, found `}` (byte 1)"]);
}

#[test]
fn a_message_above_the_limit_is_refused_before_it_is_whole() {
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(LIMIT));
    check(WHOLE, &format!("{LINES}{{}}\n{long}"), &[r#"{"id":"7"}"#, "413 line 2: a message of more than 40 bytes"]);
    check(
        WHOLE,
        &format!("{ARRAY}[{{}},{long}]"),
        &[r#"{"id":"7"}"#, "413 body: [1]: a message of more than 40 bytes"],
    );
    let exact = format!(r#"{{"name":"{}"}}"#, "x".repeat(LIMIT - 11));
    assert_eq!(exact.len(), LIMIT);
    check("post: /a body: *", &format!("POST /a [type application/jsonl]{exact}\n"), &[&exact]);
}

#[test]
fn only_lines_and_json_are_streams() {
    for kind in ["application/ndjson", "application/jsonl; charset=UTF-8", "Application/X-NDJSON"] {
        check(WHOLE, &format!("POST /a/7 [type {kind}]{{}}\n{{}}"), &[r#"{"id":"7"}"#, "{}"]);
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/x-ndjson; charset=latin1"] {
        let want = format!(
            "415 content type `{kind}` is no stream of JSON in UTF-8: send application/x-ndjson, \
             or an array as application/json"
        );
        check(WHOLE, &format!("POST /a/7 [type {kind}]{{}}"), &[&want]);
    }
}
