//! The schema that all targets share.

use serde::Deserialize as _;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use tidegate_protojson::{
    MessageId, ParseErrorKind, ParseOptions, PrintOptions, Schema, json_to_wire, reencode, wire_to_json,
};
use tidegate_schema::Compiler;
use tidegate_transcode::ports::SchemaCompiler;

/// `proto/`, compiled, with the bundled `google` files.
pub(crate) static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("proto");
    let set = Compiler::default().compile(&[folder]).expect("the .proto files compile");
    let bundled = tidegate_schema::bundled_descriptor_set();
    Arc::new(Schema::compile(&[&set, &bundled]).expect("the descriptors compile"))
});

/// `fuzz.M`, or `fuzz.Old`.
pub(crate) fn message(old: bool) -> MessageId {
    SCHEMA.find_message(if old { "fuzz.Old" } else { "fuzz.M" }).expect("the schema has it")
}

/// `wire` as canonical wire bytes.
///
/// # Panics
/// They are no message.
pub(crate) fn canonical(message: MessageId, wire: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    reencode(&SCHEMA, message, wire, &mut out).expect("what was accepted is a message");
    out
}

/// `wire` as JSON.
///
/// # Panics
/// JSON cannot say it.
pub(crate) fn printed(message: MessageId, wire: &[u8], options: &PrintOptions) -> Vec<u8> {
    let mut out = Vec::new();
    wire_to_json(&SCHEMA, message, wire, options, &mut out).expect("what was accepted can be printed");
    out
}

/// What was printed, read; `None` for a `FieldMask` with characters that no path has, which is shown as it is but not
/// taken.
///
/// # Panics
/// It cannot be read.
pub(crate) fn read_again(message: MessageId, json: &[u8], options: &ParseOptions) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match json_to_wire(&SCHEMA, message, json, options, &mut out) {
        Ok(()) => Some(out),
        Err(error) => {
            let of_mask =
                matches!(error.kind, ParseErrorKind::Malformed { expected, .. } if expected.contains("FieldMask"));
            assert!(of_mask, "{error} in {}", json.escape_ascii());
            None
        }
    }
}

/// Checks that `text` is one JSON document, by a parser of others.
///
/// # Panics
/// It is none.
pub(crate) fn assert_is_json(text: &[u8]) {
    let mut parser = serde_json::Deserializer::from_slice(text);
    parser.disable_recursion_limit();
    let read = serde::de::IgnoredAny::deserialize(&mut parser).and_then(|_| parser.end());
    assert!(read.is_ok(), "{read:?} in {}", String::from_utf8_lossy(text));
    assert!(std::str::from_utf8(text).is_ok());
}

/// Checks that two documents say the same; the order of members does not count.
///
/// # Panics
/// They do not.
pub(crate) fn assert_same_json(one: &[u8], other: &[u8]) {
    if one == other {
        return;
    }
    let read = |text: &[u8]| {
        let mut parser = serde_json::Deserializer::from_slice(text);
        parser.disable_recursion_limit();
        Value::deserialize(&mut parser).expect("what is printed is JSON")
    };
    assert_eq!(read(one), read(other));
}
