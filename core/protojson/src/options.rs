//! What callers can choose about the JSON on either side.

/// The deepest nesting that is read or written by default, as protobuf's own parsers have it.
pub(crate) const DEFAULT_MAX_DEPTH: u32 = 100;

/// What to do with a JSON member that the message has no field for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// Refuse the document and name the path.
    #[default]
    Reject,
    /// Skip the member (its value must still be well-formed JSON).
    Ignore,
}

/// How JSON is read. The default is strict.
#[derive(Clone, Debug)]
pub struct ParseOptions {
    /// Members without a field; also unknown names of enum values (ignored ones leave the field unset).
    pub unknown_fields: UnknownFields,
    /// The deepest nesting of messages, lists of `Value` and the like; the root counts as one.
    pub max_depth: u32,
    /// The most bytes to append to the output.
    pub max_output: usize,
    /// Accept messages whose required fields are missing.
    pub allow_partial: bool,
}

/// How JSON is written. The default is what ProtoJSON says: lowerCamel names, enum names, 64-bit
/// integers as strings, fields without presence left out at their default, no white space.
#[derive(Clone, Debug)]
pub struct PrintOptions {
    /// Names as in the `.proto` file in place of lowerCamel.
    pub proto_names: bool,
    /// Enum values as numbers.
    pub enum_numbers: bool,
    /// Also write fields without presence that are at their default, empty lists and maps included
    /// (`always_print_fields_with_no_presence` of protobuf's own printers).
    pub emit_defaults: bool,
    /// `int64`, `uint64` and their like as JSON numbers. Loses precision in JavaScript.
    pub int64_numbers: bool,
    /// Line breaks and an indent of two spaces.
    pub pretty: bool,
    /// Write an `Any` whose type is not in the schema as `{"@type": …, "value": "<base64>"}`
    /// in place of an error.
    pub opaque_any: bool,
    /// The deepest nesting of JSON objects and lists that stand for messages (`Any`, `Struct` and
    /// `ListValue` too); the root counts as one. More than 500 counts as 500.
    pub max_depth: u32,
    /// The most bytes to append to the output.
    pub max_output: usize,
    /// Accept messages whose required fields are missing.
    pub allow_partial: bool,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            unknown_fields: UnknownFields::Reject,
            max_depth: DEFAULT_MAX_DEPTH,
            max_output: usize::MAX,
            allow_partial: false,
        }
    }
}

impl Default for PrintOptions {
    fn default() -> Self {
        Self {
            proto_names: false,
            enum_numbers: false,
            emit_defaults: false,
            int64_numbers: false,
            pretty: false,
            opaque_any: false,
            max_depth: DEFAULT_MAX_DEPTH,
            max_output: usize::MAX,
            allow_partial: false,
        }
    }
}
