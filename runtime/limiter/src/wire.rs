//! The messages of `envoy/service/ratelimit/v3/rls.proto` and `envoy/extensions/common/ratelimit/v3/ratelimit.proto`
//! on the wire, without copies: a request is read where it stands, a reply is written once.

mod reader;
mod reply;
#[cfg(test)]
mod tests;

pub(crate) use reply::{Code, Reply, Status};

use reader::{Reader, Value};
use smallvec::SmallVec;

/// The most descriptors of a request.
pub(crate) const DESCRIPTORS: usize = 100;
/// The most entries of a descriptor.
const ENTRIES: usize = 100;

/// What is wrong with a request: a sentence for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the request is no message of RateLimitRequest: {0}")]
    Wire(&'static str),
    #[error("`{0}` is no UTF-8")]
    Text(&'static str),
    #[error("the request has more than {DESCRIPTORS} descriptors")]
    Descriptors,
    #[error("a descriptor has more than {ENTRIES} entries")]
    Entries,
}

/// `RateLimitRequest`.
#[derive(Debug, Default)]
pub(crate) struct Request<'a> {
    pub(crate) domain: &'a str,
    pub(crate) descriptors: SmallVec<[Descriptor<'a>; 4]>,
    pub(crate) hits_addend: u32,
}

/// `RateLimitDescriptor`.
#[derive(Debug, Default)]
pub(crate) struct Descriptor<'a> {
    /// Keys and values.
    pub(crate) entries: SmallVec<[(&'a str, &'a str); 4]>,
    pub(crate) limit: Option<Override>,
    pub(crate) hits_addend: Option<u64>,
    /// `is_negative_hits`: hits are given back.
    pub(crate) gives_back: bool,
}

/// `RateLimitDescriptor.RateLimitOverride`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Override {
    pub(crate) requests_per_unit: u32,
    /// As sent: any number.
    pub(crate) unit: u64,
}

impl<'a> Request<'a> {
    /// Reads a message. Of a field that comes twice the last one counts, as protobuf has it.
    pub(crate) fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut request = Self::default();
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => request.domain = text(bytes, "domain")?,
                (2, Value::Bytes(bytes)) if request.descriptors.len() == DESCRIPTORS => {
                    let _ = bytes;
                    return Err(Malformed::Descriptors);
                }
                (2, Value::Bytes(bytes)) => request.descriptors.push(Descriptor::read(bytes)?),
                (3, Value::Number(number)) => request.hits_addend = low(number),
                (1..=3, _) => return Err(Malformed::Wire("a field has another type")),
                _ => {}
            }
        }
        Ok(request)
    }
}

impl<'a> Descriptor<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut descriptor = Self::default();
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match (number, value) {
                (1, Value::Bytes(_)) if descriptor.entries.len() == ENTRIES => return Err(Malformed::Entries),
                (1, Value::Bytes(bytes)) => descriptor.entries.push(entry(bytes)?),
                (2, Value::Bytes(bytes)) => descriptor.limit.get_or_insert_default().read(bytes)?,
                (3, Value::Bytes(bytes)) => uint64_value(bytes, descriptor.hits_addend.get_or_insert(0))?,
                (4, Value::Number(number)) => descriptor.gives_back = number != 0,
                (1..=4, _) => return Err(Malformed::Wire("a field has another type")),
                _ => {}
            }
        }
        Ok(descriptor)
    }
}

impl Override {
    fn read(&mut self, message: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match (number, value) {
                (1, Value::Number(number)) => self.requests_per_unit = low(number),
                (2, Value::Number(number)) => self.unit = number,
                (1..=2, _) => return Err(Malformed::Wire("a field has another type")),
                _ => {}
            }
        }
        Ok(())
    }
}

/// `RateLimitDescriptor.Entry`.
fn entry(message: &[u8]) -> Result<(&str, &str), Malformed> {
    let (mut key, mut value) = ("", "");
    let mut reader = Reader::new(message);
    while let Some((number, field)) = reader.field()? {
        match (number, field) {
            (1, Value::Bytes(bytes)) => key = text(bytes, "key")?,
            (2, Value::Bytes(bytes)) => value = text(bytes, "value")?,
            (1..=2, _) => return Err(Malformed::Wire("a field has another type")),
            _ => {}
        }
    }
    Ok((key, value))
}

/// `google.protobuf.UInt64Value`.
fn uint64_value(message: &[u8], into: &mut u64) -> Result<(), Malformed> {
    let mut reader = Reader::new(message);
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, Value::Number(number)) => *into = number,
            (1, _) => return Err(Malformed::Wire("a field has another type")),
            _ => {}
        }
    }
    Ok(())
}

fn text<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::Text(field))
}

/// What a parser makes of a varint that is too large for 32 bits: its low ones.
#[expect(clippy::cast_possible_truncation, reason = "protobuf's own rule")]
const fn low(number: u64) -> u32 {
    number as u32
}
