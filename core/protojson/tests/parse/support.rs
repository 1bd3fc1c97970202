//! Schemas from text, wire bytes from pieces, and the one check that all cases go through.

use prost::Message as _;
use std::sync::LazyLock;
use tidegate_protojson::{ParseOptions, Schema, UnknownFields, json_to_wire};

/// One `.proto` file as a compiler sees it.
struct Text<'t>(&'t str);

impl protox::file::FileResolver for Text<'_> {
    fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
        if name == "test.proto" {
            protox::file::File::from_source(name, self.0)
        } else {
            protox::file::GoogleFileResolver::new().open_file(name)
        }
    }
}

/// The descriptor set of one `.proto` file and its imports.
pub(crate) fn descriptors(proto: &str) -> Vec<u8> {
    // The resolver lives as long as the compiler; the text of a test does, too.
    let text: &'static str = proto.to_owned().leak();
    let mut compiler = protox::Compiler::with_file_resolver(Text(text));
    compiler.include_imports(true);
    compiler.open_file("test.proto").unwrap_or_else(|error| panic!("{error:?}"));
    compiler.file_descriptor_set().encode_to_vec()
}

pub(crate) fn schema(proto: &str) -> Schema {
    Schema::compile(&[&descriptors(proto)]).expect("the schema compiles")
}

/// The schema that most cases use.
pub(crate) static PROTO3: LazyLock<Schema> = LazyLock::new(|| schema(include_str!("proto3.proto")));
/// What only proto2 has.
pub(crate) static PROTO2: LazyLock<Schema> = LazyLock::new(|| schema(include_str!("proto2.proto")));

/// The translation, or the error's text.
pub(crate) fn translate(
    schema: &Schema,
    message: &str,
    json: &[u8],
    options: &ParseOptions,
) -> Result<Vec<u8>, String> {
    let id = schema.find_message(message).unwrap_or_else(|| panic!("no message {message}"));
    let mut out = b"before".to_vec();
    let result = json_to_wire(schema, id, json, options, &mut out);
    assert!(out.starts_with(b"before"), "what was there before stays");
    match result {
        Ok(()) => Ok(out.split_off(6)),
        Err(error) => {
            assert_eq!(out, b"before", "an error leaves nothing behind");
            Err(error.to_string())
        }
    }
}

/// `json` as `t.M` of [`PROTO3`] becomes these records.
#[track_caller]
pub(crate) fn check(json: &str, want: &[Vec<u8>]) {
    check_as(&PROTO3, "t.M", json, want);
}

#[track_caller]
pub(crate) fn check_as(schema: &Schema, message: &str, json: &str, want: &[Vec<u8>]) {
    let got = translate(schema, message, json.as_bytes(), &ParseOptions::default());
    assert_eq!(got, Ok(want.concat()), "{}", &json[..json.len().min(200)]);
}

/// `json` as `t.M` of [`PROTO3`] is refused with this text.
#[track_caller]
pub(crate) fn refuse(json: &str, want: &str) {
    refuse_as(&PROTO3, "t.M", json.as_bytes(), want);
}

#[track_caller]
pub(crate) fn refuse_as(schema: &Schema, message: &str, json: &[u8], want: &str) {
    let got = translate(schema, message, json, &ParseOptions::default());
    assert_eq!(got, Err(want.to_owned()), "{}", String::from_utf8_lossy(&json[..json.len().min(200)]));
}

/// As [`check`], with unknown fields ignored.
#[track_caller]
pub(crate) fn check_ignoring(schema: &Schema, message: &str, json: &str, want: &[Vec<u8>]) {
    let options = ParseOptions { unknown_fields: UnknownFields::Ignore, ..ParseOptions::default() };
    assert_eq!(translate(schema, message, json.as_bytes(), &options), Ok(want.concat()), "{json}");
}

// Wire records.

/// A varint alone.
pub(crate) fn raw(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field of varint type.
pub(crate) fn v(number: u64, value: i64) -> Vec<u8> {
    [raw(number << 3), raw(value.cast_unsigned())].concat()
}

/// A length-delimited field.
pub(crate) fn s(number: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [raw(number << 3 | 2), raw(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A message field.
pub(crate) fn m(number: u64, fields: &[Vec<u8>]) -> Vec<u8> {
    s(number, fields.concat())
}

/// A group field.
pub(crate) fn g(number: u64, fields: &[Vec<u8>]) -> Vec<u8> {
    [raw(number << 3 | 3), fields.concat(), raw(number << 3 | 4)].concat()
}

pub(crate) fn f32(number: u64, bits: u32) -> Vec<u8> {
    [raw(number << 3 | 5), bits.to_le_bytes().to_vec()].concat()
}

pub(crate) fn f64(number: u64, bits: u64) -> Vec<u8> {
    [raw(number << 3 | 1), bits.to_le_bytes().to_vec()].concat()
}

/// A double field.
pub(crate) fn d(number: u64, value: f64) -> Vec<u8> {
    f64(number, value.to_bits())
}
