//! Why descriptors could not be compiled.

use crate::wire::WireError;

/// Descriptors that cannot be compiled, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{kind}", Part(file), Part(element))]
pub struct SchemaError {
    /// The `.proto` file, as the descriptor names it; empty when it cannot be told.
    pub file: String,
    /// The full name of the message, field, enum or service; may be empty.
    pub element: String,
    /// What is wrong.
    pub kind: SchemaErrorKind,
}

/// What is wrong with a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaErrorKind {
    /// The bytes are no `google.protobuf.FileDescriptorSet`.
    #[error("not a FileDescriptorSet")]
    Malformed(#[source] WireError),
    /// A name is no UTF-8.
    #[error("a name is not UTF-8")]
    NotUtf8,
    /// The file is of a syntax or an edition that this compiler does not know.
    #[error("{0} is not supported (proto2, proto3, editions 2023 and 2024 are)")]
    UnknownEdition(String),
    /// A type that no file of the set declares.
    #[error("type {0} is not in the descriptor set; build it with --include_imports")]
    UnresolvedType(String),
    /// Two different files of the same name, or two elements of the same full name.
    #[error("declared twice")]
    Duplicate,
    /// A field number of 0, above 2²⁹-1, or used twice in its message.
    #[error("field number {0} is invalid or used twice")]
    BadNumber(u32),
    /// A field of a type number that protobuf does not have.
    #[error("field type {0} is unknown")]
    BadType(u64),
    /// A map entry without key and value.
    #[error("a map entry needs key = 1 and value = 2")]
    BadMapEntry,
    /// An enum without values.
    #[error("an enum needs a value")]
    EmptyEnum,
    /// More elements than the tables can number.
    #[error("too many fields or messages")]
    TooMany,
}

impl SchemaError {
    pub(super) fn new(file: &str, element: &str, kind: SchemaErrorKind) -> Self {
        Self { file: file.into(), element: element.into(), kind }
    }
}

/// Writes `name: `, or nothing for an empty name.
struct Part<'a>(&'a str);

impl std::fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}
