//! `google/protobuf/descriptor.proto`, read field by field: just what the compiler needs.

use super::error::SchemaErrorKind;
use crate::wire::{Reader, WireError, WireType};

#[derive(Debug, Default, PartialEq)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) package: String,
    pub(super) messages: Vec<Message>,
    pub(super) enums: Vec<Enum>,
    pub(super) services: Vec<Service>,
    pub(super) extensions: Vec<Field>,
    pub(super) options: Vec<u8>,
    pub(super) syntax: String,
    pub(super) edition: u64,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Message {
    pub(super) name: String,
    pub(super) fields: Vec<Field>,
    pub(super) messages: Vec<Message>,
    pub(super) enums: Vec<Enum>,
    pub(super) extensions: Vec<Field>,
    pub(super) oneofs: Vec<Oneof>,
    pub(super) options: Vec<u8>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Oneof {
    pub(super) name: String,
    pub(super) options: Vec<u8>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) extendee: String,
    pub(super) number: u32,
    pub(super) label: u64,
    pub(super) kind: u64,
    pub(super) type_name: String,
    pub(super) options: Vec<u8>,
    pub(super) oneof: Option<usize>,
    pub(super) json_name: String,
    pub(super) proto3_optional: bool,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Enum {
    pub(super) name: String,
    pub(super) values: Vec<(String, i32)>,
    pub(super) options: Vec<u8>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) methods: Vec<Method>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct Method {
    pub(super) name: String,
    pub(super) input: String,
    pub(super) output: String,
    pub(super) options: Vec<u8>,
    pub(super) client_streaming: bool,
    pub(super) server_streaming: bool,
}

type Parsed<T> = Result<T, SchemaErrorKind>;

/// Groups do not occur in descriptors, but in unknown options they may.
const SKIP_DEPTH: u32 = 100;

/// A `FileDescriptorProto`.
pub(super) fn file(bytes: &[u8]) -> Parsed<File> {
    let mut file = File::default();
    each(bytes, |number, value| {
        match number {
            1 => file.name = value.text()?,
            2 => file.package = value.text()?,
            4 => file.messages.push(message(value.bytes(), SKIP_DEPTH)?),
            5 => file.enums.push(enumeration(value.bytes())?),
            6 => file.services.push(service(value.bytes())?),
            7 => file.extensions.push(field(value.bytes())?),
            8 => file.options.extend_from_slice(value.bytes()),
            12 => file.syntax = value.text()?,
            14 => file.edition = value.number(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(file)
}

fn message(bytes: &[u8], depth: u32) -> Parsed<Message> {
    let inner = depth.checked_sub(1).ok_or(SchemaErrorKind::Malformed(WireError::TooDeep))?;
    let mut message = Message::default();
    each(bytes, |number, value| {
        match number {
            1 => message.name = value.text()?,
            2 => message.fields.push(field(value.bytes())?),
            3 => message.messages.push(self::message(value.bytes(), inner)?),
            4 => message.enums.push(enumeration(value.bytes())?),
            6 => message.extensions.push(field(value.bytes())?),
            7 => message.options.extend_from_slice(value.bytes()),
            8 => message.oneofs.push(oneof(value.bytes())?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(message)
}

fn oneof(bytes: &[u8]) -> Parsed<Oneof> {
    let mut oneof = Oneof::default();
    each(bytes, |number, value| {
        match number {
            1 => oneof.name = value.text()?,
            2 => oneof.options.extend_from_slice(value.bytes()),
            _ => {}
        }
        Ok(())
    })?;
    Ok(oneof)
}

fn field(bytes: &[u8]) -> Parsed<Field> {
    let mut field = Field::default();
    each(bytes, |number, value| {
        match number {
            1 => field.name = value.text()?,
            2 => field.extendee = value.text()?,
            3 => field.number = u32::try_from(value.number()).unwrap_or(0),
            4 => field.label = value.number(),
            5 => field.kind = value.number(),
            6 => field.type_name = value.text()?,
            8 => field.options.extend_from_slice(value.bytes()),
            9 => field.oneof = usize::try_from(value.number()).ok(),
            10 => field.json_name = value.text()?,
            17 => field.proto3_optional = value.number() != 0,
            _ => {}
        }
        Ok(())
    })?;
    Ok(field)
}

fn enumeration(bytes: &[u8]) -> Parsed<Enum> {
    let mut enumeration = Enum::default();
    each(bytes, |number, value| {
        match number {
            1 => enumeration.name = value.text()?,
            2 => enumeration.values.push(enum_value(value.bytes())?),
            3 => enumeration.options.extend_from_slice(value.bytes()),
            _ => {}
        }
        Ok(())
    })?;
    Ok(enumeration)
}

fn enum_value(bytes: &[u8]) -> Parsed<(String, i32)> {
    let mut result = (String::new(), 0);
    each(bytes, |number, value| {
        match number {
            1 => result.0 = value.text()?,
            // An int32 on the wire: the low 32 bits of the varint.
            2 => result.1 = value.number() as u32 as i32,
            _ => {}
        }
        Ok(())
    })?;
    Ok(result)
}

fn service(bytes: &[u8]) -> Parsed<Service> {
    let mut service = Service::default();
    each(bytes, |number, value| {
        match number {
            1 => service.name = value.text()?,
            2 => service.methods.push(method(value.bytes())?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(service)
}

fn method(bytes: &[u8]) -> Parsed<Method> {
    let mut method = Method::default();
    each(bytes, |number, value| {
        match number {
            1 => method.name = value.text()?,
            2 => method.input = value.text()?,
            3 => method.output = value.text()?,
            4 => method.options.extend_from_slice(value.bytes()),
            5 => method.client_streaming = value.number() != 0,
            6 => method.server_streaming = value.number() != 0,
            _ => {}
        }
        Ok(())
    })?;
    Ok(method)
}

/// A value of a descriptor: bytes or a number. What does not fit reads as empty or zero, as an
/// unknown field would.
pub(super) enum Value<'a> {
    Bytes(&'a [u8]),
    Number(u64),
}

impl<'a> Value<'a> {
    pub(super) fn bytes(&self) -> &'a [u8] {
        match self {
            Value::Bytes(bytes) => bytes,
            Value::Number(_) => &[],
        }
    }

    pub(super) fn number(&self) -> u64 {
        match self {
            Value::Bytes(_) => 0,
            Value::Number(number) => *number,
        }
    }

    pub(super) fn text(&self) -> Parsed<String> {
        String::from_utf8(self.bytes().to_vec()).map_err(|_| SchemaErrorKind::NotUtf8)
    }
}

/// Calls `visit` with every field of a message.
pub(super) fn each<'a>(bytes: &'a [u8], mut visit: impl FnMut(u32, Value<'a>) -> Parsed<()>) -> Parsed<()> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag().map_err(SchemaErrorKind::Malformed)?;
        let value = match wire_type {
            WireType::Varint => reader.varint().map(Value::Number),
            WireType::Len => reader.len_prefixed().map(Value::Bytes),
            other => {
                reader.skip(number, other, SKIP_DEPTH).map_err(SchemaErrorKind::Malformed)?;
                continue;
            }
        };
        visit(number, value.map_err(SchemaErrorKind::Malformed)?)?;
    }
    Ok(())
}
