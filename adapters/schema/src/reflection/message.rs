//! The messages of `grpc/reflection/v1/reflection.proto`; those of v1alpha are the same on the wire.

use std::fmt;
use tidegate_protojson::wire::{Reader, WireError, WireType, put_len_prefixed, put_tag};

/// Groups nested deeper than this are no message.
const DEPTH: u32 = 16;

/// `ServerReflectionRequest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Which services there are.
    Services,
    /// The file that declares a service.
    Service { name: String },
    /// A file by its import path; another one imports it.
    File { name: String, importer: String },
}

/// `ServerReflectionResponse`, as far as these questions lead to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    Services(Vec<String>),
    /// Serialized `FileDescriptorProto`s.
    Files(Vec<&'a [u8]>),
    Error {
        code: u32,
        message: String,
    },
    /// None of these.
    Other,
}

impl Question {
    pub(super) fn to_wire(&self) -> Vec<u8> {
        let (number, value) = match self {
            Self::File { name, .. } => (3, name.as_str()),
            Self::Service { name } => (4, name.as_str()),
            // The content is not defined; servers look at the field alone.
            Self::Services => (7, "*"),
        };
        let mut wire = Vec::with_capacity(value.len() + 8);
        put_tag(&mut wire, number, WireType::Len);
        put_len_prefixed(&mut wire, value.as_bytes());
        wire
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Services => f.write_str("its services"),
            Self::Service { name } => write!(f, "the service `{name}`"),
            Self::File { name, .. } => write!(f, "the file `{name}`"),
        }
    }
}

impl<'a> Answer<'a> {
    pub(super) fn from_wire(wire: &'a [u8]) -> Result<Self, WireError> {
        let mut answer = Self::Other;
        fields(wire, |number, value| {
            // Of the members of a oneof the last one counts.
            match number {
                4 => answer = Self::Files(members(value.bytes, 1)?),
                6 => {
                    let services = members(value.bytes, 1)?.into_iter();
                    answer = Self::Services(services.map(service_name).collect::<Result<_, _>>()?);
                }
                7 => answer = Self::error(value.bytes)?,
                5 => answer = Self::Other,
                _ => {}
            }
            Ok(())
        })?;
        Ok(answer)
    }

    /// `ErrorResponse`.
    fn error(wire: &[u8]) -> Result<Self, WireError> {
        let (mut code, mut message) = (0, String::new());
        fields(wire, |number, value| {
            match number {
                1 => code = u32::try_from(value.number).unwrap_or(u32::MAX),
                2 => message = text(value.bytes),
                _ => {}
            }
            Ok(())
        })?;
        Ok(Self::Error { code, message })
    }
}

/// `ServiceResponse.name`.
fn service_name(wire: &[u8]) -> Result<String, WireError> {
    Ok(members(wire, 1)?.last().copied().map(text).unwrap_or_default())
}

/// The values of one length-delimited field.
fn members(wire: &[u8], of: u32) -> Result<Vec<&[u8]>, WireError> {
    let mut members = Vec::new();
    fields(wire, |number, value| {
        if number == of && value.delimited {
            members.push(value.bytes);
        }
        Ok(())
    })?;
    Ok(members)
}

/// A field's value: a number or bytes.
struct Value<'a> {
    bytes: &'a [u8],
    number: u64,
    delimited: bool,
}

fn fields<'a>(wire: &'a [u8], mut visit: impl FnMut(u32, Value<'a>) -> Result<(), WireError>) -> Result<(), WireError> {
    let mut reader = Reader::new(wire);
    while !reader.is_empty() {
        let value = match reader.tag()? {
            (number, WireType::Len) => (number, Value { bytes: reader.len_prefixed()?, number: 0, delimited: true }),
            (number, WireType::Varint) => (number, Value { bytes: &[], number: reader.varint()?, delimited: false }),
            (number, other) => {
                reader.skip(number, other, DEPTH)?;
                continue;
            }
        };
        visit(value.0, value.1)?;
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
