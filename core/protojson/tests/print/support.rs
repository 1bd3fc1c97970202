//! Schemas, wire bytes and comparisons for the tests of this folder.

use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use std::sync::OnceLock;
use tidegate_protojson::{MessageId, PrintOptions, Schema, reencode, wire_to_json};

const FILES: [(&str, &str); 2] =
    [("modern.proto", include_str!("modern.proto")), ("old.proto", include_str!("old.proto"))];

struct InMemory;

impl FileResolver for InMemory {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match FILES.iter().find(|(known, _)| *known == name) {
            Some((_, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

fn compiler() -> protox::Compiler {
    let mut resolver = ChainFileResolver::new();
    resolver.add(InMemory);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_files(FILES.map(|(name, _)| name)).expect("the schema compiles");
    compiler
}

/// The schema of `modern.proto` and `old.proto`.
pub(crate) fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| Schema::compile(&[&compiler().encode_file_descriptor_set()]).expect("the schema compiles"))
}

/// The same schema for the oracle.
pub(crate) fn pool() -> DescriptorPool {
    compiler().descriptor_pool()
}

pub(crate) fn message(name: &str) -> MessageId {
    schema().find_message(name).expect("the schema has the message")
}

/// The JSON of wire bytes, or the error's text.
pub(crate) fn print(name: &str, wire: &[u8], options: &PrintOptions) -> String {
    let mut out = b"kept".to_vec();
    let result = wire_to_json(schema(), message(name), wire, options, &mut out);
    let text = String::from_utf8(out).expect("JSON is UTF-8");
    let text = text.strip_prefix("kept").expect("what was there stays").to_owned();
    match result {
        Ok(()) => text,
        Err(error) => {
            assert_eq!(text, "", "nothing is appended when it fails");
            format!("error: {error}")
        }
    }
}

/// Compares the JSON (or the error's text) of wire bytes under default options.
#[track_caller]
pub(crate) fn check(name: &str, wire: &[u8], expected: &str) {
    assert_eq!(print(name, wire, &PrintOptions::default()), expected);
}

/// Compares the JSON (or the error's text) of wire bytes.
#[track_caller]
pub(crate) fn check_with(options: &PrintOptions, name: &str, wire: &[u8], expected: &str) {
    assert_eq!(print(name, wire, options), expected);
}

/// Compares the canonical wire (or the error's text) of wire bytes.
#[track_caller]
pub(crate) fn check_wire(name: &str, wire: &[u8], expected: Result<&[u8], &str>) {
    let mut out = b"kept".to_vec();
    let result = reencode(schema(), message(name), wire, &mut out);
    let bytes = out.strip_prefix(b"kept").expect("what was there stays");
    let result = match result {
        Ok(()) => Ok(bytes.to_vec()),
        Err(error) => {
            assert_eq!(bytes, b"", "nothing is appended when it fails");
            Err(error.to_string())
        }
    };
    assert_eq!(result, expected.map(<[u8]>::to_vec).map_err(str::to_owned));
}

/// Several records one behind the other.
macro_rules! wire {
    ($($record:expr),* $(,)?) => {{
        let records: Vec<Vec<u8>> = vec![$($record.to_vec()),*];
        records.concat()
    }};
}
pub(crate) use wire;

fn tag(number: u32, wire_type: u64) -> Vec<u8> {
    number_bytes(u64::from(number) << 3 | wire_type)
}

fn number_bytes(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A varint without a tag.
pub(crate) fn raw(value: i64) -> Vec<u8> {
    number_bytes(value.cast_unsigned())
}

/// A varint field.
pub(crate) fn varint(number: u32, value: i64) -> Vec<u8> {
    [tag(number, 0), raw(value)].concat()
}

/// A `double`, `fixed64` or `sfixed64` field.
pub(crate) fn fixed64(number: u32, bits: u64) -> Vec<u8> {
    [tag(number, 1), bits.to_le_bytes().to_vec()].concat()
}

/// A `double` field.
pub(crate) fn double(number: u32, value: f64) -> Vec<u8> {
    fixed64(number, value.to_bits())
}

/// A `float`, `fixed32` or `sfixed32` field.
pub(crate) fn fixed32(number: u32, bits: u32) -> Vec<u8> {
    [tag(number, 5), bits.to_le_bytes().to_vec()].concat()
}

/// A length-delimited field: string, bytes, message or packed list.
pub(crate) fn len(number: u32, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [tag(number, 2), number_bytes(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A group.
pub(crate) fn group(number: u32, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [tag(number, 3), bytes.as_ref().to_vec(), tag(number, 4)].concat()
}
