//! One field of a message, read without looking at the values of the others.

use crate::schema::{Cardinality, EnumId, Field, Kind, MessageId, Presence, Schema};
use crate::wire::{MAX_DEPTH_OF_UNKNOWN, Reader, WireError, WireType, unzigzag};
use std::borrow::Cow;

/// The way from a message to one of its fields, or to one of a message in it: `order.type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    /// Numbers of the fields that are messages, the outermost first.
    through: Box<[u32]>,
    number: u32,
    value: Value,
    /// What it is where it is not there: its default, unless "not there" is something else.
    absent: Option<Box<str>>,
}

/// What stands at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Text,
    Bool,
    Unsigned32,
    Unsigned64,
    Signed32,
    Signed64,
    Zigzag32,
    Zigzag64,
    Fixed { signed: bool },
    Enum(EnumId),
}

/// Why a path leads to no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldPathError {
    /// No such field.
    #[error("message `{message}` has no field `{field}`")]
    Unknown {
        /// The full name of the message.
        message: String,
        /// What the path calls it.
        field: String,
        /// The fields that it has.
        known: Vec<String>,
    },
    /// A step leads through what is no message.
    #[error("`{field}` of `{message}` is no message: the path cannot go on behind it")]
    NoMessage {
        /// The full name of the message.
        message: String,
        /// The field.
        field: String,
    },
    /// It is a list, a map, a message, bytes or a floating-point number.
    #[error("`{field}` of `{message}` is {found}: it must be a string, an integer, a boolean or an enum")]
    NoValue {
        /// The full name of the message.
        message: String,
        /// The field.
        field: String,
        /// What it is.
        found: &'static str,
    },
}

// === impl FieldPath ===

impl FieldPath {
    /// The way that `path` names: names of fields, as the `.proto` file or JSON has them, with dots between.
    ///
    /// # Errors
    /// The step that leads nowhere.
    pub fn new(schema: &Schema, message: MessageId, path: &str) -> Result<Self, FieldPathError> {
        let mut at = message;
        let mut through = Vec::new();
        let mut steps = path.split('.').peekable();
        loop {
            let step = steps.next().unwrap_or_default();
            let (message, name) = (schema.message(at), step.to_owned());
            let owner = message.full_name.to_string();
            let Some(field) = schema.find_field(at, step).map(|id| schema.field(id)) else {
                let known = schema.fields(at).map(|(_, field)| field.name.to_string()).collect();
                return Err(FieldPathError::Unknown { message: owner, field: name, known });
            };
            if steps.peek().is_none() {
                let value = value_of(field);
                let value = value.map_err(|found| FieldPathError::NoValue { message: owner, field: name, found })?;
                let absent = (field.presence == Presence::Implicit).then(|| value.default(schema));
                return Ok(Self { through: through.into(), number: field.number, value, absent });
            }
            match (field.cardinality, field.kind) {
                (Cardinality::Singular, Kind::Message(inner) | Kind::Group(inner)) => at = inner,
                _ => return Err(FieldPathError::NoMessage { message: owner, field: name }),
            }
            through.push(field.number);
        }
    }

    /// The value in the wire bytes of a message: a text as it is, numbers in decimal, enums by name if they have
    /// one. `None` if it is not there; a field without presence has its default then. As protobuf has it, the last
    /// value counts if there are several. Takes time linear in `wire`, and no memory but for what it returns.
    ///
    /// # Errors
    /// `wire` is no protobuf message.
    pub fn read<'w>(&'w self, schema: &Schema, wire: &'w [u8]) -> Result<Option<Cow<'w, str>>, WireError> {
        let mut found = None;
        self.scan(schema, wire, 0, &mut found)?;
        Ok(found.or_else(|| self.absent.as_deref().map(Cow::Borrowed)))
    }

    fn scan<'w>(
        &self,
        schema: &Schema,
        wire: &'w [u8],
        depth: usize,
        found: &mut Option<Cow<'w, str>>,
    ) -> Result<(), WireError> {
        let wanted = self.through.get(depth).copied();
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            match (wanted, wire_type) {
                (Some(wanted), WireType::Len) if wanted == number => {
                    self.scan(schema, reader.len_prefixed()?, depth + 1, found)?;
                }
                (Some(wanted), WireType::StartGroup) if wanted == number => {
                    self.scan(schema, reader.group(number, MAX_DEPTH_OF_UNKNOWN)?, depth + 1, found)?;
                }
                (None, _) if number == self.number => match self.value.read(schema, &mut reader, wire_type)? {
                    Some(value) => *found = Some(value),
                    // Not the field's own wire type: an unknown field, to protobuf.
                    None => reader.skip(number, wire_type, MAX_DEPTH_OF_UNKNOWN)?,
                },
                _ => reader.skip(number, wire_type, MAX_DEPTH_OF_UNKNOWN)?,
            }
        }
        Ok(())
    }
}

impl Value {
    fn default(self, schema: &Schema) -> Box<str> {
        match self {
            Self::Text => "".into(),
            Self::Bool => "false".into(),
            Self::Enum(id) => {
                let values = schema.enumeration(id);
                values.name(values.default).unwrap_or_default().into()
            }
            _ => "0".into(),
        }
    }

    /// The value behind a tag; `None`, and nothing read, if it is of another wire type.
    fn read<'w>(
        self,
        schema: &Schema,
        reader: &mut Reader<'w>,
        wire_type: WireType,
    ) -> Result<Option<Cow<'w, str>>, WireError> {
        let text: Cow<'w, str> = match (self, wire_type) {
            (Self::Text, WireType::Len) => String::from_utf8_lossy(reader.len_prefixed()?),
            (Self::Bool, WireType::Varint) => if reader.varint()? == 0 { "false" } else { "true" }.into(),
            // Of a number of 32 bits the low ones count, as protobuf's parsers have it.
            (Self::Unsigned32, WireType::Varint) => (reader.varint()? as u32).to_string().into(),
            (Self::Unsigned64, WireType::Varint) => reader.varint()?.to_string().into(),
            (Self::Signed32, WireType::Varint) => (reader.varint()? as u32).cast_signed().to_string().into(),
            (Self::Signed64, WireType::Varint) => reader.varint()?.cast_signed().to_string().into(),
            (Self::Zigzag32, WireType::Varint) => unzigzag(u64::from(reader.varint()? as u32)).to_string().into(),
            (Self::Zigzag64, WireType::Varint) => unzigzag(reader.varint()?).to_string().into(),
            (Self::Fixed { signed: true }, WireType::Fixed32) => reader.fixed32()?.cast_signed().to_string().into(),
            (Self::Fixed { signed: false }, WireType::Fixed32) => reader.fixed32()?.to_string().into(),
            (Self::Fixed { signed: true }, WireType::Fixed64) => reader.fixed64()?.cast_signed().to_string().into(),
            (Self::Fixed { signed: false }, WireType::Fixed64) => reader.fixed64()?.to_string().into(),
            (Self::Enum(id), WireType::Varint) => {
                let number = (reader.varint()? as u32).cast_signed();
                schema.enumeration(id).name(number).map_or_else(|| number.to_string(), str::to_owned).into()
            }
            _ => return Ok(None),
        };
        Ok(Some(text))
    }
}

/// How a field is read, or what it is that has no one value.
fn value_of(field: &Field) -> Result<Value, &'static str> {
    match field.cardinality {
        Cardinality::Repeated => return Err("a list"),
        Cardinality::Map => return Err("a map"),
        Cardinality::Singular => {}
    }
    Ok(match field.kind {
        Kind::String => Value::Text,
        Kind::Bool => Value::Bool,
        Kind::Uint32 => Value::Unsigned32,
        Kind::Uint64 => Value::Unsigned64,
        Kind::Int32 => Value::Signed32,
        Kind::Int64 => Value::Signed64,
        Kind::Sint32 => Value::Zigzag32,
        Kind::Sint64 => Value::Zigzag64,
        Kind::Fixed32 | Kind::Fixed64 => Value::Fixed { signed: false },
        Kind::Sfixed32 | Kind::Sfixed64 => Value::Fixed { signed: true },
        Kind::Enum(id) => Value::Enum(id),
        Kind::Double | Kind::Float => return Err("a floating-point number"),
        Kind::Bytes => return Err("bytes"),
        Kind::Message(_) | Kind::Group(_) => return Err("a message"),
    })
}
