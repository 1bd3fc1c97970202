//! Compiled descriptors: flat tables that the codec walks by index.

mod compile;
mod descriptor;
mod error;
mod expected;
mod features;
mod prefix;
mod set;

use crate::names::NameTable;
use std::ops::Range;

pub(crate) use expected::ExpectedKey;
pub(crate) use prefix::{Key, TagBytes};

pub use error::SchemaError;
pub use set::FileDescriptor;

/// A message type of one [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub(crate) u32);

/// A field (or extension) of one [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub(crate) u32);

/// An enum type of one [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnumId(pub(crate) u32);

/// Every message, enum and service of some descriptor sets, compiled for translation.
///
/// Immutable; share it by `Arc`. Ids are valid only in the schema that gave them.
#[derive(Debug, Default)]
pub struct Schema {
    pub(crate) messages: Vec<Message>,
    pub(crate) fields: Vec<Field>,
    pub(crate) enums: Vec<Enum>,
    services: Vec<Service>,
    message_names: NameTable,
    enum_names: NameTable,
    descriptor_set: Box<[u8]>,
}

/// A message type.
#[derive(Debug)]
pub struct Message {
    /// `pkg.Outer.Inner`, without a leading dot.
    pub full_name: Box<str>,
    /// Where its fields stand in the schema's table: own fields in declaration order,
    /// extensions behind them. A field's place in this range is its *slot*.
    pub(crate) fields: Range<u32>,
    /// Slot + 1 by field number, for the numbers up to its length; 0 is no field.
    pub(crate) dense: Box<[u16]>,
    /// `(number, field)` of every field, ascending.
    pub(crate) sparse: Box<[(u32, FieldId)]>,
    /// JSON names, proto names, and `[pkg.ext]` of extensions → slot.
    pub(crate) by_name: NameTable,
    /// Slots of the fields that must be set.
    pub(crate) required: Box<[u32]>,
    /// Nothing is to be done for fields that are not there: none is required, and it is no message set.
    pub(crate) is_plain: bool,
    /// True if this message or any that it can hold has required fields.
    pub(crate) checks_required: bool,
    /// Names of its oneofs, by [`Field::oneof`]; synthetic ones are left out.
    pub(crate) oneofs: Box<[Box<str>]>,
    /// How JSON treats it.
    pub well_known: WellKnown,
    /// A `map<K, V>` entry: key is its field 1, value its field 2.
    pub map_entry: bool,
    /// `option message_set_wire_format = true`.
    pub message_set: bool,
}

/// A field or extension.
#[derive(Debug)]
pub struct Field {
    /// The name in the `.proto` file; the full name of an extension.
    pub name: Box<str>,
    /// The lowerCamel name; `[pkg.ext]` of an extension.
    pub json_name: Box<str>,
    /// 1..=2²⁹-1.
    pub number: u32,
    /// The type of one value.
    pub kind: Kind,
    /// One, many, or a map.
    pub cardinality: Cardinality,
    /// Whether "not set" and "set to the default" differ.
    pub presence: Presence,
    /// Repeated values are written in one length-delimited record.
    pub packed: bool,
    /// `string` bytes on the wire must be UTF-8 (for JSON they must be, always).
    pub verify_utf8: bool,
    /// Index of the oneof that it is part of (synthetic ones do not count).
    pub oneof: Option<u16>,
    /// The message that has this field.
    pub message: MessageId,
    /// Its tag as written: varint of number and wire type (of an unpacked value).
    pub(crate) tag: TagBytes,
    /// The same as a number.
    pub(crate) raw_tag: u32,
    /// Bits of its slot and of its oneof's (which is numbered behind the slots) if both are below 64,
    /// otherwise 0.
    pub(crate) seen: u64,
    /// Its enum is closed: numbers that it does not have are no values.
    pub(crate) closed_enum: bool,
    /// `,"jsonName":`
    pub(crate) json_key: Key,
    /// `,"proto_name":`
    pub(crate) proto_key: Key,
    /// `"jsonName":`
    pub(crate) expected: ExpectedKey,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are protobuf's own")]
pub enum Kind {
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
    Enum(EnumId),
    /// A message behind a length.
    Message(MessageId),
    /// A message between start-group and end-group tags (proto2 `group`, editions `DELIMITED`).
    Group(MessageId),
}

/// How many values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// At most one.
    Singular,
    /// A list.
    Repeated,
    /// A map; the field's kind is its entry message.
    Map,
}

/// Whether a field knows that it was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Set to its default is the same as not set (proto3 scalars; lists and maps as well).
    Implicit,
    /// Remembers being set.
    Explicit,
    /// Explicit, and must be set (proto2 `required`, editions `LEGACY_REQUIRED`).
    Required,
}

/// Messages with a JSON form of their own.
///
/// Source: <https://protobuf.dev/programming-guides/json/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are protobuf's own")]
pub enum WellKnown {
    None,
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    /// `google.protobuf.DoubleValue` and its like: field 1 is the value.
    Wrapper,
    Empty,
}

/// An enum type.
#[derive(Debug)]
pub struct Enum {
    /// `pkg.Outer.Kind`, without a leading dot.
    pub full_name: Box<str>,
    /// Numbers outside the enum are no values of it (proto2).
    pub closed: bool,
    /// Is `google.protobuf.NullValue`, which is `null` in JSON.
    pub null_value: bool,
    /// `(number, name)` ascending; of aliases only the one declared first.
    pub(crate) by_number: Box<[(i32, Box<str>)]>,
    pub(crate) by_name: NameTable,
    /// The value declared first.
    pub default: i32,
}

/// A service.
#[derive(Debug)]
pub struct Service {
    /// `pkg.Service`.
    pub full_name: Box<str>,
    /// The `.proto` file that declares it.
    pub file: Box<str>,
    /// Its methods, in declaration order.
    pub methods: Vec<Method>,
}

/// A method of a service.
#[derive(Debug)]
pub struct Method {
    /// The name without its service.
    pub name: Box<str>,
    /// The request's type.
    pub input: MessageId,
    /// The reply's type.
    pub output: MessageId,
    /// The caller sends a stream.
    pub client_streaming: bool,
    /// The service answers with a stream.
    pub server_streaming: bool,
    /// The bytes of its `google.protobuf.MethodOptions`, extensions included.
    pub options: Box<[u8]>,
}

// === impl Schema ===

impl Schema {
    /// The message named `pkg.Message` (no leading dot).
    #[must_use]
    pub fn find_message(&self, full_name: &str) -> Option<MessageId> {
        self.message_names.get(full_name.as_bytes()).map(MessageId)
    }

    /// The enum named `pkg.Enum` (no leading dot).
    #[must_use]
    pub fn find_enum(&self, full_name: &str) -> Option<EnumId> {
        self.enum_names.get(full_name.as_bytes()).map(EnumId)
    }

    /// What it was compiled from: a serialized `google.protobuf.FileDescriptorSet`, imports included,
    /// each file once.
    #[must_use]
    pub fn descriptor_set(&self) -> &[u8] {
        &self.descriptor_set
    }

    /// Every service, in the order of the files.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The service named `pkg.Service`.
    #[must_use]
    pub fn find_service(&self, full_name: &str) -> Option<&Service> {
        self.services.iter().find(|service| &*service.full_name == full_name)
    }

    /// The message behind an id of this schema.
    #[must_use]
    #[inline]
    pub fn message(&self, id: MessageId) -> &Message {
        &self.messages[id.0 as usize]
    }

    /// The field behind an id of this schema.
    #[must_use]
    #[inline]
    pub fn field(&self, id: FieldId) -> &Field {
        &self.fields[id.0 as usize]
    }

    /// The enum behind an id of this schema.
    #[must_use]
    #[inline]
    pub fn enumeration(&self, id: EnumId) -> &Enum {
        &self.enums[id.0 as usize]
    }

    /// The message that an `Any` names: what stands behind the last `/`, which must be there.
    pub(crate) fn resolve_type_url(&self, type_url: &[u8]) -> Option<MessageId> {
        let slash = type_url.iter().rposition(|&byte| byte == b'/')?;
        self.message_names.get(type_url.get(slash + 1..)?).map(MessageId)
    }

    /// Every message, in the order of the files.
    pub fn messages(&self) -> impl Iterator<Item = (MessageId, &Message)> {
        (0..).map(MessageId).zip(&self.messages)
    }

    /// The fields of a message: own fields in declaration order, then extensions.
    pub fn fields(&self, message: MessageId) -> impl Iterator<Item = (FieldId, &Field)> {
        let range = self.message(message).fields.clone();
        range.map(|index| (FieldId(index), &self.fields[index as usize]))
    }

    /// The field of `message` with this JSON name, proto name, or `[pkg.ext]`.
    #[must_use]
    pub fn find_field(&self, message: MessageId, name: &str) -> Option<FieldId> {
        let message = self.message(message);
        let slot = message.by_name.get(name.as_bytes())?;
        Some(FieldId(message.fields.start + slot))
    }

    /// The fields of a message by slot.
    #[inline]
    pub(crate) fn slots(&self, message: &Message) -> &[Field] {
        let range = message.fields.start as usize..message.fields.end as usize;
        self.fields.get(range).unwrap_or_default()
    }

    /// The field of `message` with this number.
    #[must_use]
    #[inline]
    pub fn field_by_number(&self, message: MessageId, number: u32) -> Option<FieldId> {
        self.message(message).field_by_number(number)
    }

    /// Key and value of a map field's entry; `None` for any other field.
    #[must_use]
    pub fn map_entry(&self, field: &Field) -> Option<(&Field, &Field)> {
        let (Cardinality::Map, Kind::Message(entry)) = (field.cardinality, field.kind) else {
            return None;
        };
        let start = self.message(entry).fields.start as usize;
        Some((&self.fields[start], &self.fields[start + 1]))
    }
}

// === impl WellKnown ===

impl WellKnown {
    /// True if JSON has something else than an object of the message's fields; an `Any` then puts it
    /// under `"value"`.
    #[inline]
    pub(crate) fn is_special(self) -> bool {
        !matches!(self, Self::None | Self::Empty)
    }
}

// === impl Field ===

impl Field {
    /// True if several values may stand in one length-delimited record.
    #[inline]
    pub(crate) fn is_packable(&self) -> bool {
        self.cardinality == Cardinality::Repeated
            && !matches!(self.kind, Kind::String | Kind::Bytes | Kind::Message(_) | Kind::Group(_))
    }

    /// True for an extension.
    #[inline]
    pub(crate) fn is_extension(&self) -> bool {
        self.json_name.starts_with('[')
    }
}

// === impl Message ===

impl Message {
    /// The field with this number.
    #[must_use]
    #[inline]
    pub fn field_by_number(&self, number: u32) -> Option<FieldId> {
        match self.dense.get(number as usize) {
            Some(0) => None,
            Some(&slot) => Some(FieldId(self.fields.start + u32::from(slot) - 1)),
            None => {
                let index = self.sparse.binary_search_by_key(&number, |entry| entry.0).ok()?;
                Some(self.sparse[index].1)
            }
        }
    }

    /// The slot of the field with this number.
    #[inline]
    pub(crate) fn slot_by_number(&self, number: u32) -> Option<usize> {
        match self.dense.get(number as usize) {
            Some(0) => None,
            Some(&slot) => Some(usize::from(slot) - 1),
            None => {
                let index = self.sparse.binary_search_by_key(&number, |entry| entry.0).ok()?;
                self.sparse.get(index).map(|entry| (entry.1.0 - self.fields.start) as usize)
            }
        }
    }

    /// Names of the oneofs, by [`Field::oneof`].
    pub fn oneofs(&self) -> impl Iterator<Item = &str> {
        self.oneofs.iter().map(|name| &**name)
    }

    /// JSON names, proto names and `[pkg.ext]`s of every field: what a "did you mean" chooses from.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.iter()
    }
}

// === impl Enum ===

impl Enum {
    /// The number of the value called `name` (an alias too).
    #[must_use]
    #[inline]
    pub fn number(&self, name: &str) -> Option<i32> {
        self.by_name.get(name.as_bytes()).map(u32::cast_signed)
    }

    /// The name of `number`: of aliases the one declared first.
    #[must_use]
    #[inline]
    pub fn name(&self, number: i32) -> Option<&str> {
        // Most enums are 0, 1, 2, …: look there first.
        if let Some((found, name)) = usize::try_from(number).ok().and_then(|n| self.by_number.get(n))
            && *found == number
        {
            return Some(name);
        }
        let index = self.by_number.binary_search_by_key(&number, |value| value.0).ok()?;
        Some(&self.by_number[index].1)
    }

    /// Every name, aliases too, in the order of declaration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.iter()
    }

    /// Every `(number, name)`, ascending by number, without aliases.
    pub fn values(&self) -> impl Iterator<Item = (i32, &str)> {
        self.by_number.iter().map(|(number, name)| (*number, &**name))
    }
}
