//! Protobuf's JSON mapping without generated code, without a DOM and without dynamic messages.
//!
//! **Owns** compiled descriptors ([`Schema`]) and the three translations over them:
//! [`json_to_wire`], [`wire_to_json`] and [`reencode()`] (wire to canonical wire); [`FieldPath`] reads one field.
//!
//! **Does not** do I/O, hold message values, know HTTP, or read `.proto` text.
//!
//! **Invariant**: input is translated in one pass in the common case and in at most two otherwise;
//! whatever the input, time and memory are linear in it and the output, and the depth of nesting is
//! bounded by [`ParseOptions::max_depth`] and [`PrintOptions::max_depth`], through `Any`, `Struct`
//! and `Value` too.
//!
//! Follows the ProtoJSON specification (<https://protobuf.dev/programming-guides/json/>) and passes
//! protobuf's conformance suite, editions 2023 and 2024 included.

mod index;
mod names;
mod options;
mod parse;
mod pick;
mod plain;
mod print;
mod reencode;
mod scalar;
pub mod schema;
mod take;
pub mod wire;
mod wkt;

pub use options::{ParseOptions, PrintOptions, UnknownFields};
pub use parse::{ParseError, ParseErrorKind, StringFault, json_to_field, json_to_wire, text_to_field};
pub use pick::{FieldPath, FieldPathError};
pub use print::{PrintError, PrintErrorKind, field_to_json, wire_to_json};
pub use reencode::{ReencodeError, reencode};
pub use schema::{FieldId, MessageId, Schema, SchemaError};
