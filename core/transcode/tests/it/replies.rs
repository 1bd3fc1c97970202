//! Replies as bodies.

use crate::harness::{SCHEMA, router};
use bytes::Bytes;
use http::HeaderValue;
use tidegate_protojson::{ParseOptions, PrintOptions, json_to_wire};
use tidegate_transcode::{HttpBodyReply, TranscodeOptions};

/// The body for a reply message that is given as JSON.
fn reply_with(options: &TranscodeOptions, rule: &str, message: &str) -> String {
    let router = router(rule);
    let binding = router.binding(0);
    let mut wire = Vec::new();
    json_to_wire(&SCHEMA, binding.output, message.as_bytes(), &ParseOptions::default(), &mut wire)
        .expect("the message is well-formed");
    let mut out = b"before ".to_vec();
    let written = binding.write_reply(&SCHEMA, &wire, options, &mut out);
    assert_eq!(written, Ok(()));
    String::from_utf8(out).expect("JSON is UTF-8").split_off(7)
}

fn reply(rule: &str, message: &str) -> String {
    reply_with(&TranscodeOptions::default(), rule, message)
}

#[test]
fn a_reply_is_its_message() {
    assert_eq!(reply("get: /a", r#"{"name":"x","big":5}"#), r#"{"name":"x","big":"5"}"#);
    assert_eq!(reply("get: /a", "{}"), "{}");
}

#[test]
fn a_response_body_is_the_value_of_its_field() {
    let message = r#"{"name":"x","nested":{"text":"y"},"tags":["a","b"],"items":[{}],"labels":{"k":"v"}}"#;
    assert_eq!(reply("get: /a response: name", message), r#""x""#);
    assert_eq!(reply("get: /a response: nested", message), r#"{"text":"y"}"#);
    assert_eq!(reply("get: /a response: tags", message), r#"["a","b"]"#);
    assert_eq!(reply("get: /a response: items", message), "[{}]");
    assert_eq!(reply("get: /a response: labels", message), r#"{"k":"v"}"#);
    assert_eq!(reply("get: /a response: page_size", message), "0");
    assert_eq!(reply("get: /a response: pageSize", r#"{"page_size":3}"#), "3");
    assert_eq!(reply("get: /a response: tags", "{}"), "[]");
    assert_eq!(reply("get: /a response: labels", "{}"), "{}");
    assert_eq!(reply("get: /a response: nested", "{}"), "null");
}

#[test]
fn what_the_printer_is_told_holds() {
    let options = TranscodeOptions {
        print: PrintOptions { proto_names: true, int64_numbers: true, ..PrintOptions::default() },
        ..TranscodeOptions::default()
    };
    assert_eq!(reply_with(&options, "get: /a", r#"{"pageSize":1,"big":5}"#), r#"{"page_size":1,"big":5}"#);
}

#[test]
fn a_malformed_reply_leaves_the_output_as_it_was() {
    let router = router("get: /a");
    let mut out = b"before".to_vec();
    let written = router.binding(0).write_reply(&SCHEMA, b"\x0a\x05x", &TranscodeOptions::default(), &mut out);
    assert_eq!((written.is_err(), out.as_slice()), (true, &b"before"[..]));
}

/// `http_body_reply` of the only rule for some wire bytes.
fn raw(rule: &str, wire: &'static [u8]) -> Option<HttpBodyReply> {
    router(rule).binding(0).http_body_reply(&SCHEMA, &Bytes::from_static(wire))
}

fn body(content_type: &'static str, data: &'static [u8]) -> Option<HttpBodyReply> {
    Some(HttpBodyReply { content_type: HeaderValue::from_static(content_type), data: Bytes::from_static(data) })
}

#[test]
fn an_http_body_is_its_bytes_under_its_content_type() {
    assert_eq!(raw("Raw get: /a", b"\x0a\x09image/png\x12\x02\x01\x02"), body("image/png", b"\x01\x02"));
    assert_eq!(raw("Raw get: /a", b"\x12\x01x"), body("application/octet-stream", b"x"));
    assert_eq!(raw("Raw get: /a", b"\x0a\x00\x12\x01x"), body("application/octet-stream", b"x"));
    assert_eq!(raw("Raw get: /a", b""), body("application/octet-stream", b""));
    // The last value counts, and what is not known is passed over.
    assert_eq!(raw("Raw get: /a", b"\x12\x01x\x0a\x03a/b\x1a\x00\x12\x01y"), body("a/b", b"y"));
    // A content type that would break out of its header is none.
    assert_eq!(raw("Raw get: /a", b"\x0a\x06a\r\nb:c\x12\x01x"), body("application/octet-stream", b"x"));
}

#[test]
fn a_field_of_a_reply_can_be_an_http_body() {
    let rule = "Upload get: /a response: file";
    assert_eq!(raw(rule, b"\x0a\x01n\x12\x0a\x0a\x03a/b\x12\x03xyz"), body("a/b", b"xyz"));
    // Split messages merge.
    assert_eq!(raw(rule, b"\x12\x05\x0a\x03a/b\x12\x05\x12\x03xyz"), body("a/b", b"xyz"));
    assert_eq!(raw(rule, b""), body("application/octet-stream", b""));
}

#[test]
fn other_replies_and_malformed_ones_are_no_http_bodies() {
    assert_eq!(raw("get: /a", b"\x0a\x01x"), None);
    assert_eq!(raw("Upload get: /a", b""), None);
    assert_eq!(raw("Upload get: /a response: name", b""), None);
    assert_eq!(raw("Raw get: /a", b"\x0a\x05x"), None);
}
