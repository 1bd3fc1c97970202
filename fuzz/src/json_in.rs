//! JSON → wire, and back.

use crate::schema::{SCHEMA, assert_is_json, canonical, message, printed};
use tidegate_protojson::{ParseError, ParseErrorKind, ParseOptions, PrintOptions, UnknownFields, json_to_wire};

/// Wire bytes for one byte of JSON, at most: `0,` in a list of `google.protobuf.Value` becomes 11.
const GROWTH: usize = 8;

/// One byte of options, then a document.
///
/// What is accepted prints as JSON that any parser reads, and that is read as the same message again; reading less
/// strictly changes nothing for it. What is refused leaves the output alone and names a place in the document. The
/// output is at most `GROWTH` times the input, and never longer than allowed.
pub fn json_in(data: &[u8]) {
    let Some((&choice, json)) = data.split_first() else { return };
    let message = message(choice & 1 != 0);
    let options = ParseOptions {
        unknown_fields: if choice & 2 != 0 { UnknownFields::Ignore } else { UnknownFields::Reject },
        max_depth: if choice & 4 != 0 { 6 } else { 100 },
        allow_partial: choice & 8 != 0,
        ..ParseOptions::default()
    };
    let read = |options: &ParseOptions| -> Result<Vec<u8>, ParseError> {
        let mut out = b"before".to_vec();
        let result = json_to_wire(&SCHEMA, message, json, options, &mut out);
        assert!(out.starts_with(b"before"));
        let wire = out.split_off(6);
        result.map(|()| wire).inspect_err(|error| {
            assert!(error.offset <= json.len(), "{error}");
            assert!(error.to_string().len() <= 1024 + 4 * json.len(), "{error}");
        })
    };
    let Ok(wire) = read(&options) else { return };
    assert!(wire.len() <= GROWTH * json.len(), "{} bytes of {}", wire.len(), json.len());

    let lenient =
        ParseOptions { unknown_fields: UnknownFields::Ignore, allow_partial: true, ..ParseOptions::default() };
    assert_eq!(read(&lenient).as_ref(), Ok(&wire));
    let mut tight = options.clone();
    tight.max_output = wire.len();
    assert_eq!(read(&tight).as_ref(), Ok(&wire));
    if !wire.is_empty() {
        tight.max_output -= 1;
        let kind = read(&tight).map_err(|error| error.kind);
        assert_eq!(kind, Err(ParseErrorKind::TooLarge(tight.max_output)));
    }

    let print = PrintOptions { allow_partial: options.allow_partial, ..PrintOptions::default() };
    let first = printed(message, &wire, &print);
    assert_is_json(&first);
    let mut again = Vec::new();
    json_to_wire(&SCHEMA, message, &first, &options, &mut again).expect("what was printed can be read");
    assert_eq!(canonical(message, &again), canonical(message, &wire));
    assert_eq!(printed(message, &again, &print), first);
}
