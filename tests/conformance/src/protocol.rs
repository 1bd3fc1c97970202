//! `ConformanceRequest` and `ConformanceResponse` of `conformance.proto`, read and written by hand.

/// A payload's format. Text format and JSPB are not spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Binary wire format.
    Protobuf,
    /// ProtoJSON.
    Json,
    /// Any other.
    Other,
}

/// `ConformanceRequest`.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The test's input, in `format`.
    pub payload: &'a [u8],
    /// Which member of the `payload` oneof it was.
    pub format: Format,
    /// The wanted format.
    pub output: Format,
    /// Full name of the test message.
    pub message_type: &'a str,
    /// True in `JSON_IGNORE_UNKNOWN_PARSING_TEST`.
    pub ignore_unknown: bool,
}

impl<'a> Request<'a> {
    /// Reads the wire bytes of a request.
    pub(crate) fn read(mut bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut request = Self {
            payload: &[],
            format: Format::Other,
            output: Format::Other,
            message_type: "",
            ignore_unknown: false,
        };
        while !bytes.is_empty() {
            match field(&mut bytes)? {
                (1, Value::Bytes(payload)) => request.set_payload(payload, Format::Protobuf),
                (2, Value::Bytes(payload)) => request.set_payload(payload, Format::Json),
                (7 | 8, Value::Bytes(payload)) => request.set_payload(payload, Format::Other),
                (3, Value::Number(1)) => request.output = Format::Protobuf,
                (3, Value::Number(2)) => request.output = Format::Json,
                (4, Value::Bytes(name)) => {
                    request.message_type = std::str::from_utf8(name).map_err(|_| "message type is not UTF-8")?;
                }
                (5, Value::Number(category)) => request.ignore_unknown = category == 3,
                _ => {}
            }
        }
        Ok(request)
    }

    fn set_payload(&mut self, payload: &'a [u8], format: Format) {
        self.payload = payload;
        self.format = format;
    }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The next field: its number and value.
fn field<'a>(bytes: &mut &'a [u8]) -> Result<(u64, Value<'a>), &'static str> {
    let tag = varint(bytes)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(bytes)?),
        2 => {
            let length = usize::try_from(varint(bytes)?).map_err(|_| "length beyond usize")?;
            let (value, rest) = bytes.split_at_checked(length).ok_or("length beyond input")?;
            *bytes = rest;
            Value::Bytes(value)
        }
        _ => return Err("wire type not of conformance.proto"),
    };
    Ok((tag >> 3, value))
}

fn varint(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or("input ends in a varint")?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err("varint of more than ten bytes")
}

/// `ConformanceResponse`: one of its `result`s.
#[derive(Debug)]
pub(crate) enum Response {
    /// The payload is not a message of this type.
    ParseError(String),
    /// It is, but has no form in the wanted format.
    SerializeError(String),
    /// The testee itself failed.
    RuntimeError(String),
    /// The message in wire format.
    Protobuf(Vec<u8>),
    /// The message as JSON.
    Json(Vec<u8>),
    /// Not tried, and why.
    Skipped(String),
}

impl Response {
    /// The wire bytes of the response.
    pub(crate) fn write(self) -> Vec<u8> {
        let (number, value) = match self {
            Self::ParseError(why) => (1, why.into_bytes()),
            Self::RuntimeError(why) => (2, why.into_bytes()),
            Self::Protobuf(payload) => (3, payload),
            Self::Json(payload) => (4, payload),
            Self::Skipped(why) => (5, why.into_bytes()),
            Self::SerializeError(why) => (6, why.into_bytes()),
        };
        let mut bytes = vec![number << 3 | 2];
        let mut length = value.len();
        while length >= 0x80 {
            // Truncation is the point: seven bits and the mark that more follow.
            bytes.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(&value);
        bytes
    }
}
