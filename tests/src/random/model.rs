//! A schema as the generators of wire bytes and JSON need it: features resolved, names at hand.

/// The language version of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `syntax = "proto2"`
    Proto2,
    /// `syntax = "proto3"`
    Proto3,
    /// `edition = "2023"`
    Edition2023,
    /// `edition = "2024"`
    Edition2024,
}

/// A schema.
#[derive(Debug, Clone)]
pub struct Model {
    /// The encoded `FileDescriptorSet`, well-known types included.
    pub descriptor_set: Vec<u8>,
    /// All messages; each is a root as good as any.
    pub messages: Vec<Message>,
    /// All enums.
    pub enums: Vec<Enum>,
}

/// A message type.
#[derive(Debug, Clone)]
pub struct Message {
    /// `pkg.Name`
    pub full_name: String,
    /// Its fields, extensions included.
    pub fields: Vec<Field>,
}

/// A field or extension.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name in the `.proto` file; `[pkg.ext]` for an extension.
    pub name: String,
    /// The name in JSON.
    pub json_name: String,
    /// The number.
    pub number: u32,
    /// Of what type; a map's values.
    pub kind: Kind,
    /// How many.
    pub label: Label,
    /// A message as a group.
    pub delimited: bool,
    /// Which oneof of the message.
    pub oneof: Option<usize>,
}

/// How many values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// At most one.
    Singular,
    /// Exactly one, or the message is refused.
    Required,
    /// A list.
    Repeated,
    /// A map with keys of this type.
    Map(Scalar),
}

/// A type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A scalar.
    Scalar(Scalar),
    /// An enum of the model.
    Enum(usize),
    /// A message of the model.
    Message(usize),
    /// A well-known type.
    WellKnown(WellKnown),
}

/// The scalar types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the language's types")]
pub enum Scalar {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Bytes,
    Uint32,
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
}

impl Scalar {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Double,
        Self::Float,
        Self::Int64,
        Self::Uint64,
        Self::Int32,
        Self::Fixed64,
        Self::Fixed32,
        Self::Bool,
        Self::String,
        Self::Bytes,
        Self::Uint32,
        Self::Sfixed32,
        Self::Sfixed64,
        Self::Sint32,
        Self::Sint64,
    ];

    /// The number in `FieldDescriptorProto.Type`.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Double => 1,
            Self::Float => 2,
            Self::Int64 => 3,
            Self::Uint64 => 4,
            Self::Int32 => 5,
            Self::Fixed64 => 6,
            Self::Fixed32 => 7,
            Self::Bool => 8,
            Self::String => 9,
            Self::Bytes => 12,
            Self::Uint32 => 13,
            Self::Sfixed32 => 15,
            Self::Sfixed64 => 16,
            Self::Sint32 => 17,
            Self::Sint64 => 18,
        }
    }

    /// The wire type of one value.
    #[must_use]
    pub fn wire_type(self) -> u32 {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => 1,
            Self::String | Self::Bytes => 2,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => 5,
            _ => 0,
        }
    }
}

/// The well-known types, the wrappers by their scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the types")]
pub enum WellKnown {
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    Any,
    Empty,
    Wrapper(Scalar),
    NullValue,
}

impl WellKnown {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Timestamp,
        Self::Duration,
        Self::FieldMask,
        Self::Struct,
        Self::Value,
        Self::ListValue,
        Self::Any,
        Self::Empty,
        Self::NullValue,
        Self::Wrapper(Scalar::Double),
        Self::Wrapper(Scalar::Float),
        Self::Wrapper(Scalar::Int64),
        Self::Wrapper(Scalar::Uint64),
        Self::Wrapper(Scalar::Int32),
        Self::Wrapper(Scalar::Uint32),
        Self::Wrapper(Scalar::Bool),
        Self::Wrapper(Scalar::String),
        Self::Wrapper(Scalar::Bytes),
    ];

    /// The name without its package.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Wrapper(scalar) => match scalar {
                Scalar::Int64 => "Int64Value".to_owned(),
                Scalar::Uint64 => "UInt64Value".to_owned(),
                Scalar::Int32 => "Int32Value".to_owned(),
                Scalar::Uint32 => "UInt32Value".to_owned(),
                other => format!("{other:?}Value"),
            },
            other => format!("{other:?}"),
        }
    }
}

/// An enum type.
#[derive(Debug, Clone)]
pub struct Enum {
    /// Names and numbers.
    pub values: Vec<(String, i32)>,
    /// Other numbers are no values of it.
    pub closed: bool,
}
