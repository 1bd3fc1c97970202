//! Wire → JSON, and back; wire → canonical wire; streams of replies.

use crate::schema::{SCHEMA, assert_is_json, assert_same_json, canonical, message, printed, read_again};
use bytes::Bytes;
use tidegate_protojson::{
    MessageId, ParseOptions, PrintError, PrintErrorKind, PrintOptions, UnknownFields, json_to_wire, reencode,
    wire_to_json,
};
use tidegate_transcode::stream::{Framing, StreamWriter};
use tidegate_transcode::{Code, Status};

/// Bytes of plain JSON for one byte of wire, at most: two bytes can be a field with the longest name and its value.
const GROWTH: usize = 64;

/// One byte of options, then a message.
///
/// What prints is JSON for any parser, in every style; it is read again and prints the same. The canonical form is a
/// fixed point and means the same. What does not print leaves the output alone. Output is bounded by the input, and
/// by its limit.
pub fn wire_in(data: &[u8]) {
    let Some((&choice, wire)) = data.split_first() else { return };
    let message = message(choice & 1 != 0);
    let options = PrintOptions {
        proto_names: choice & 2 != 0,
        enum_numbers: choice & 4 != 0,
        int64_numbers: choice & 8 != 0,
        pretty: choice & 16 != 0,
        emit_defaults: choice & 32 != 0,
        allow_partial: true,
        ..PrintOptions::default()
    };
    let mut fixed = Vec::new();
    if reencode(&SCHEMA, message, wire, &mut fixed).is_ok() {
        assert_eq!(canonical(message, &fixed), fixed);
    } else {
        assert!(fixed.is_empty());
    }
    let Ok(json) = print(message, wire, &options) else {
        // With unknown types allowed there may be something to say; if so, JSON.
        let opaque = PrintOptions { opaque_any: true, ..options };
        if let Ok(json) = print(message, wire, &opaque) {
            assert_is_json(&json);
        }
        return;
    };
    assert_is_json(&json);
    if !options.pretty && !options.emit_defaults {
        assert!(json.len() <= 2 + GROWTH * wire.len(), "{} bytes of {}", json.len(), wire.len());
    }
    let mut tight = options.clone();
    tight.max_output = json.len();
    assert_eq!(print(message, wire, &tight).as_ref(), Ok(&json));
    tight.max_output -= 1;
    let kind = print(message, wire, &tight).map_err(|error| error.kind);
    assert_eq!(kind, Err(PrintErrorKind::TooLarge { max_output: tight.max_output }));

    let parse = ParseOptions { allow_partial: true, ..ParseOptions::default() };
    // Fields print in the order of the wire, which the canonical form sorts.
    assert_same_json(&printed(message, &fixed, &options), &json);
    let Some(again) = read_again(message, &json, &parse) else { return };
    // Those at their default come last if all are written.
    assert_same_json(&printed(message, &again, &options), &json);
    let lenient = ParseOptions { unknown_fields: UnknownFields::Ignore, ..parse };
    let mut same = Vec::new();
    json_to_wire(&SCHEMA, message, &json, &lenient, &mut same).expect("what is read strictly is read");
    assert_eq!(same, again);
    stream(message, wire, &options, &json);
}

fn print(message: MessageId, wire: &[u8], options: &PrintOptions) -> Result<Vec<u8>, PrintError> {
    let mut out = b"before".to_vec();
    let result = wire_to_json(&SCHEMA, message, wire, options, &mut out);
    assert!(out.starts_with(b"before"));
    let json = out.split_off(6);
    assert!(result.is_ok() || json.is_empty());
    result.map(|()| json)
}

/// Two messages and an error in each framing: its reader finds all three.
fn stream(message: MessageId, wire: &[u8], options: &PrintOptions, json: &[u8]) {
    let status = Status::new(Code::Aborted, String::from_utf8_lossy(wire))
        .with_detail("type.googleapis.com/fuzz.M", Bytes::copy_from_slice(wire));
    for framing in [Framing::JsonArray, Framing::Ndjson, Framing::Sse] {
        let (mut writer, mut out) = (StreamWriter::new(framing), Vec::new());
        writer.begin(&mut out);
        for _ in 0..2 {
            let print = |out: &mut Vec<u8>| wire_to_json(&SCHEMA, message, wire, options, out);
            writer.message(&mut out, print).expect("what printed once prints again");
        }
        writer.error(&SCHEMA, &status, &mut out);
        let text = String::from_utf8(out).expect("streams are text");
        match framing {
            Framing::JsonArray => {
                assert_is_json(text.as_bytes());
            }
            Framing::Ndjson => {
                let lines: Vec<&str> = text.split_terminator('\n').collect();
                assert_eq!(lines.len(), 3, "{text}");
                assert!(text.ends_with('\n'));
                lines.iter().for_each(|line| assert_is_json(line.as_bytes()));
            }
            Framing::Sse => {
                let events: Vec<&str> = text.split_terminator("\n\n").collect();
                assert_eq!(events.len(), 3, "{text}");
                let data = |event: &str| -> String {
                    let lines = event.split('\n').filter_map(|line| line.strip_prefix("data: "));
                    lines.collect::<Vec<_>>().join("\n")
                };
                assert_eq!(data(events[0]).as_bytes(), json);
                assert_eq!(data(events[1]).as_bytes(), json);
                assert!(events[2].starts_with("event: error\n"), "{text}");
                assert_is_json(data(events[2]).as_bytes());
            }
        }
    }
}
