//! Streams of replies in one body.

use crate::harness::SCHEMA;
use tidegate_transcode::stream::{Framing, StreamWriter};
use tidegate_transcode::{Code, Status};

const ALL: [Framing; 3] = [Framing::JsonArray, Framing::Ndjson, Framing::Sse];

/// The body with these messages; with a failure behind them, if there is one.
fn body(framing: Framing, messages: &[&str], failure: Option<&Status>) -> String {
    let mut out = Vec::new();
    let mut writer = StreamWriter::new(framing);
    writer.begin(&mut out);
    for message in messages {
        let print = |out: &mut Vec<u8>| -> Result<(), ()> {
            out.extend_from_slice(message.as_bytes());
            Ok(())
        };
        assert_eq!(writer.message(&mut out, print), Ok(()));
    }
    match failure {
        Some(status) => writer.error(&SCHEMA, status, &mut out),
        None => writer.end(&mut out),
    }
    String::from_utf8(out).expect("the messages are UTF-8")
}

#[test]
fn messages_stand_between_separators() {
    let of = |messages: &[&str]| ALL.map(|framing| body(framing, messages, None));
    assert_eq!(of(&[]), ["[]", "", ""]);
    assert_eq!(of(&["{}"]), ["[{}]", "{}\n", "data: {}\n\n"]);
    assert_eq!(of(&["1", "2", "3"]), ["[1,2,3]", "1\n2\n3\n", "data: 1\n\ndata: 2\n\ndata: 3\n\n"]);
}

#[test]
fn a_failure_is_visible_in_each() {
    let status = Status::new(Code::Unavailable, "gone\nnow");
    let of = |messages: &[&str]| ALL.map(|framing| body(framing, messages, Some(&status)));
    let json = r#"{"code":14,"message":"gone\nnow"}"#;
    assert_eq!(
        of(&["1"]),
        [
            format!(r#"[1,{{"error":{json}}}]"#),
            format!("1\n{{\"error\":{json}}}\n"),
            format!("data: 1\n\nevent: error\ndata: {json}\n\n"),
        ]
    );
    assert_eq!(
        of(&[]),
        [
            format!(r#"[{{"error":{json}}}]"#),
            format!("{{\"error\":{json}}}\n"),
            format!("event: error\ndata: {json}\n\n")
        ]
    );
}

#[test]
fn line_breaks_within_a_message_separate_nothing() {
    let pretty = "{\n  \"a\": 1\n}";
    let of = ALL.map(|framing| body(framing, &[pretty, "2"], None));
    assert_eq!(
        of,
        ["[{\n  \"a\": 1\n},2]", "{   \"a\": 1 }\n2\n", "data: {\ndata:   \"a\": 1\ndata: }\n\ndata: 2\n\n",]
    );
}

#[test]
fn a_message_that_cannot_be_printed_leaves_no_trace() {
    for framing in ALL {
        let mut out = Vec::new();
        let mut writer = StreamWriter::new(framing);
        writer.begin(&mut out);
        let half = |out: &mut Vec<u8>| {
            out.extend_from_slice(b"half");
            Err("cannot")
        };
        assert_eq!(writer.message(&mut out, half), Err("cannot"));
        assert_eq!(
            writer.message(&mut out, |out| -> Result<(), &str> {
                out.push(b'1');
                Ok(())
            }),
            Ok(())
        );
        assert_eq!(writer.message(&mut out, half), Err("cannot"));
        writer.end(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), body(framing, &["1"], None));
    }
}

#[test]
fn content_types_name_the_framing() {
    assert_eq!(ALL.map(Framing::content_type), ["application/json", "application/x-ndjson", "text/event-stream"]);
    assert_eq!(ALL.map(|framing| Framing::from_accept(Some(framing.content_type()))), ALL.map(Some));
}

#[test]
fn accept_chooses_the_framing() {
    let accept = |header: &str| Framing::from_accept(Some(header));
    let (json, lines, events) = (Some(Framing::JsonArray), Some(Framing::Ndjson), Some(Framing::Sse));
    assert_eq!(Framing::from_accept(None), json);
    let cases = [
        ("", json),
        ("*/*", json),
        ("application/json", json),
        ("application/*", json),
        ("application/x-ndjson", lines),
        ("application/ndjson", lines),
        ("application/jsonl", lines),
        ("text/event-stream", events),
        ("text/*", events),
        ("Text/Event-Stream; charset=utf-8", events),
        ("text/event-stream, */*", events),
        ("*/*, application/x-ndjson", lines),
        ("application/json, text/event-stream", json),
        ("text/event-stream, application/json", events),
        ("application/json;q=0.5, text/event-stream", events),
        ("application/json;q=0.9, text/event-stream;q=0.8", json),
        ("text/event-stream;q=0.001, text/html", events),
        ("application/json;q=0, */*", lines),
        ("application/*;q=0, */*;q=0.1", events),
        ("text/html, application/xhtml+xml, */*;q=0.8", json),
        ("text/html", None),
        ("text/html, image/*", None),
        ("application/json;q=0", None),
        ("*/*;q=0", None),
        ("*/*;q=0.0000", None),
        ("application/json;q=2", None),
        ("application/json;q=x", None),
        ("application/json;q=1.001", None),
        ("nonsense", None),
        (",;/,", None),
    ];
    for (header, want) in cases {
        assert_eq!(accept(header), want, "{header}");
    }
}
