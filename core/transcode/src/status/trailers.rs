//! A status in trailers, as gRPC's `doc/PROTOCOL-HTTP2.md` has it.

use super::{Code, Detail, Status, put_string};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_protojson::wire::{Reader, WireError, WireType, put_len_prefixed, put_tag, put_varint};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// "Implementations must accept padded and un-padded values and should emit un-padded values."
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Status {
    /// Reads `grpc-status`, `grpc-message` and `grpc-status-details-bin`.
    ///
    /// `None` if there is no `grpc-status`. A number that gRPC does not define, or text that is no
    /// number, is [`Code::Unknown`]. Broken percent-encoding in the message is left as it stands;
    /// bytes that are no UTF-8 become U+FFFD. Details count only if they can be read and their code
    /// is that of `grpc-status`; without a `grpc-message` their message is taken.
    #[must_use]
    pub fn from_trailers(trailers: &HeaderMap) -> Option<Result<(), Self>> {
        let raw = trailers.get(GRPC_STATUS)?.as_bytes();
        let Some(number) = decimal(raw) else {
            let text = String::from_utf8_lossy(raw);
            return Some(Err(Self::new(Code::Unknown, format!("the upstream's grpc-status is not a number: {text}"))));
        };
        if number == 0 {
            return Some(Ok(()));
        }
        let message = trailers.get(GRPC_MESSAGE).map(|value| decode_message(value.as_bytes())).unwrap_or_default();
        let mut status = Self::new(Code::from_u32(number), message);
        if let Some(value) = trailers.get(GRPC_STATUS_DETAILS)
            && let Some((code, message, details)) = BASE64.decode(value.as_bytes()).ok().and_then(read_details)
            && code == number
        {
            status.details = details;
            if status.message.is_empty() {
                status.message = message;
            }
        }
        Some(Err(status))
    }

    /// The code in `grpc-status`, as [`from_trailers`](Self::from_trailers) reads it; `None` if there is none.
    #[must_use]
    pub fn code_in(trailers: &HeaderMap) -> Option<Code> {
        let raw = trailers.get(GRPC_STATUS)?.as_bytes();
        Some(decimal(raw).map_or(Code::Unknown, Code::from_u32))
    }

    /// Sets `grpc-status`, and `grpc-message` and `grpc-status-details-bin` where there is one.
    pub fn write_trailers(&self, trailers: &mut HeaderMap) {
        trailers.insert(GRPC_STATUS, HeaderValue::from(self.code.as_u32()));
        if !self.message.is_empty()
            && let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(encode_message(&self.message)))
        {
            trailers.insert(GRPC_MESSAGE, value);
        }
        if !self.details.is_empty()
            && let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(BASE64.encode(self.to_wire())))
        {
            trailers.insert(GRPC_STATUS_DETAILS, value);
        }
    }

    /// The wire bytes of `google.rpc.Status`.
    fn to_wire(&self) -> Vec<u8> {
        let mut wire = Vec::new();
        if self.code != Code::Ok {
            put_tag(&mut wire, 1, WireType::Varint);
            put_varint(&mut wire, u64::from(self.code.as_u32()));
        }
        put_string(&mut wire, 2, &self.message);
        for detail in &self.details {
            let mut any = Vec::with_capacity(detail.type_url.len() + detail.value.len() + 12);
            put_string(&mut any, 1, &detail.type_url);
            if !detail.value.is_empty() {
                put_tag(&mut any, 2, WireType::Len);
                put_len_prefixed(&mut any, &detail.value);
            }
            put_tag(&mut wire, 3, WireType::Len);
            put_len_prefixed(&mut wire, &any);
        }
        wire
    }
}

/// A decimal number without sign.
fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u32, |number, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Undoes the percent-encoding of a `grpc-message`; never fails, as the protocol demands.
fn decode_message(encoded: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&byte, behind)) = rest.split_first() {
        match (byte, crate::percent::hex_pair(behind)) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Percent-encodes everything but printable ASCII, and `%`.
fn encode_message(message: &str) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = Vec::with_capacity(message.len());
    for &byte in message.as_bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(byte);
        } else {
            encoded.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    encoded
}

/// Code, message and details of a `google.rpc.Status`; `None` if the bytes are not one.
fn read_details(wire: Vec<u8>) -> Option<(u32, String, Vec<Detail>)> {
    let wire = Bytes::from(wire);
    let (mut code, mut message, mut details) = (0u32, String::new(), Vec::new());
    let mut reader = Reader::new(&wire);
    let mut read = || -> Result<(), WireError> {
        while !reader.is_empty() {
            match reader.tag()? {
                (1, WireType::Varint) => code = u32::try_from(reader.varint()?).unwrap_or(u32::MAX),
                (2, WireType::Len) => message = String::from_utf8_lossy(reader.len_prefixed()?).into_owned(),
                (3, WireType::Len) => details.push(read_detail(&wire, reader.len_prefixed()?)?),
                (number, wire_type) => reader.skip(number, wire_type, 100)?,
            }
        }
        Ok(())
    };
    read().ok()?;
    Some((code, message, details))
}

fn read_detail(whole: &Bytes, any: &[u8]) -> Result<Detail, WireError> {
    let mut detail = Detail { type_url: String::new(), value: Bytes::new() };
    let mut reader = Reader::new(any);
    while !reader.is_empty() {
        match reader.tag()? {
            (1, WireType::Len) => detail.type_url = String::from_utf8_lossy(reader.len_prefixed()?).into_owned(),
            (2, WireType::Len) => detail.value = whole.slice_ref(reader.len_prefixed()?),
            (number, wire_type) => reader.skip(number, wire_type, 100)?,
        }
    }
    Ok(detail)
}
