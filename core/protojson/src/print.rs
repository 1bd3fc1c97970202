//! Wire → JSON.
//!
//! [`fast`] takes the wire as it comes, in one pass; where that cannot be right or might be an error,
//! [`ordered`] prints the document anew from an index of every message's fields.

mod fast;
mod mask;
mod number;
mod ordered;
mod path;
mod pretty;
mod scalar;
mod text;
mod time;
mod writer;

use crate::index::Source;
use crate::schema::Field;
use crate::wire::WireError;
use crate::{FieldId, MessageId, PrintOptions, Schema};
use fast::Fast;
use ordered::Ordered;
use writer::Writer;

/// Why wire bytes could not be written as JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}{}{kind}", if path.is_empty() { "" } else { ": " })]
pub struct PrintError {
    /// What is wrong.
    pub kind: PrintErrorKind,
    /// Where, as `order.items[3].labels["k"]`; empty for the root.
    pub path: String,
}

/// What is wrong with wire bytes, or what JSON cannot say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrintErrorKind {
    /// The bytes are no protobuf message.
    #[error("{0}")]
    Malformed(WireError),
    /// A string's bytes are not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// Messages are nested deeper than [`PrintOptions::max_depth`], or than 500.
    #[error("messages are nested deeper than {max_depth}")]
    TooDeep {
        /// The limit.
        max_depth: u32,
    },
    /// The JSON would be longer than [`PrintOptions::max_output`].
    #[error("the output is longer than {max_output} bytes")]
    TooLarge {
        /// The limit.
        max_output: usize,
    },
    /// A required field is not set.
    #[error("required field {field} is not set")]
    MissingRequired {
        /// Its proto name.
        field: Box<str>,
    },
    /// An `Any` holds a type that the schema does not have.
    #[error("type {type_url:?} is not in the schema")]
    UnknownType {
        /// The `type_url`.
        type_url: Box<str>,
    },
    /// A `Timestamp` outside the years 1 to 9999, or its nanoseconds outside a second.
    #[error("no timestamp: {seconds} s, {nanos} ns")]
    Timestamp {
        /// Its `seconds`.
        seconds: i64,
        /// Its `nanos`.
        nanos: i32,
    },
    /// A `Duration` above 10 000 years, or whose parts differ in sign.
    #[error("no duration: {seconds} s, {nanos} ns")]
    Duration {
        /// Its `seconds`.
        seconds: i64,
        /// Its `nanos`.
        nanos: i32,
    },
    /// A path of a `FieldMask` that would not come back from lowerCamel.
    #[error("field mask path {path:?} has no JSON form")]
    FieldMask {
        /// The path.
        path: Box<str>,
    },
    /// A `Value` of which nothing is set.
    #[error("a google.protobuf.Value is empty")]
    EmptyValue,
    /// A number of a `Value` that is NaN or infinite.
    #[error("a google.protobuf.Value is not a finite number")]
    NotFinite,
    /// The schema declares a well-known type or a map entry in another form than protobuf does.
    #[error("the schema declares a type of protobuf's own in another form")]
    UnexpectedDescriptor,
}

/// Translates wire bytes of `message` into JSON, appended to `out`.
///
/// # Errors
/// [`PrintError`]; `out` then has the length that it had before.
///
/// # Examples
/// ```
/// use tidegate_protojson::{PrintOptions, Schema, wire_to_json};
///
/// // A `FileDescriptorSet`, as `protoc --include_imports --descriptor_set_out` writes it.
/// let set = b"\x0a\x2c\x0a\x07a.proto\x12\x01a\x22\x16\x0a\x04Tide\x12\x0e\x0a\x06height\x18\x01\x20\x01\x28\x05b\x06proto3";
/// let schema = Schema::compile(&[set])?;
/// let tide = schema.find_message("a.Tide").expect("the set declares it");
///
/// let mut json = Vec::new();
/// wire_to_json(&schema, tide, b"\x08\x07", &PrintOptions::default(), &mut json)?;
/// assert_eq!(json, br#"{"height":7}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Bounds
/// One pass over `wire` if the values of every field stand together, as all serializers write them;
/// otherwise, and before any error, two. Memory is that of the output; in the second pass, 20 bytes
/// for every field on the wire as well.
pub fn wire_to_json(
    schema: &Schema,
    message: MessageId,
    wire: &[u8],
    options: &PrintOptions,
    out: &mut Vec<u8>,
) -> Result<(), PrintError> {
    let root = Root { schema, wire, options };
    root.print(out, Target::Message(message))
}

/// Writes only the value of one field of the message in `wire` (`response_body`): the field's value
/// as JSON; if it is not set, its default (`[]`, `{}`, `0`, `""`, `null` for a message).
///
/// # Errors
/// [`PrintError`]; `out` then has the length that it had before.
///
/// # Bounds
/// As [`wire_to_json`]; other fields are only skipped.
pub fn field_to_json(
    schema: &Schema,
    field: FieldId,
    wire: &[u8],
    options: &PrintOptions,
    out: &mut Vec<u8>,
) -> Result<(), PrintError> {
    let root = Root { schema, wire, options };
    root.print(out, Target::Field(schema.field(field)))
}

/// One call.
struct Root<'p> {
    schema: &'p Schema,
    wire: &'p [u8],
    options: &'p PrintOptions,
}

/// What of the root message to print.
#[derive(Clone, Copy)]
enum Target<'p> {
    Message(MessageId),
    Field(&'p Field),
}

/// How deep a message may nest whatever the options say: what the stack of a thread can carry.
const DEPTH_MAX: u32 = 500;

/// Output that is expected at once is at most this; larger documents grow as they come.
const EXPECTED_MAX: usize = 1 << 20;

impl<'p> Root<'p> {
    fn print(&self, out: &mut Vec<u8>, target: Target<'p>) -> Result<(), PrintError> {
        if !self.options.pretty {
            return self.compact(out, target);
        }
        let mut compact = Vec::new();
        self.compact(&mut compact, target)?;
        let before = out.len();
        if pretty::indent(&compact, self.options.max_output, out) {
            return Ok(());
        }
        out.truncate(before);
        let kind = PrintErrorKind::TooLarge { max_output: self.options.max_output };
        Err(PrintError { kind, path: String::new() })
    }

    fn compact(&self, out: &mut Vec<u8>, target: Target<'p>) -> Result<(), PrintError> {
        // Names take about as much as values; where that is too little, the writer grows.
        let expected = self.wire.len().saturating_mul(3).clamp(64, EXPECTED_MAX);
        let writer = Writer::new(std::mem::take(out), expected, self.options.max_output);
        let mut fast = Fast::new(self.schema, self.options, writer);
        let depth = fast.max_depth;
        let passed = match target {
            Target::Message(id) => fast.message(id, self.wire, 0, depth).map(|_| ()),
            Target::Field(field) => fast.only_field(field, self.wire, depth),
        };
        let result = match passed {
            Ok(()) if !fast.out.overflowed() => Ok(()),
            _ => {
                fast.restart();
                self.ordered(&mut fast, target)
            }
        };
        *out = fast.out.finish(result.is_ok());
        result
    }

    fn ordered(&self, fast: &mut Fast<'p>, target: Target<'p>) -> Result<(), PrintError> {
        let depth = fast.max_depth;
        let mut ordered = Ordered::new(fast, self.wire)
            .map_err(|error| PrintError { kind: PrintErrorKind::Malformed(error), path: String::new() })?;
        let source = Source::Bytes(0..self.wire.len());
        match target {
            Target::Message(id) => ordered.message(id, source, depth),
            Target::Field(field) => ordered.only_field(field, source, depth),
        }
        .map_err(|failure| failure.into_error())?;
        if fast.out.overflowed() {
            let kind = PrintErrorKind::TooLarge { max_output: self.options.max_output };
            return Err(PrintError { kind, path: String::new() });
        }
        Ok(())
    }
}
