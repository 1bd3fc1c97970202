//! The body of a reply, cut out of the bytes that came.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::head::{BadReply, HEADERS_MAX, Length};

/// Bytes of all extensions of all chunks of a body, which nobody reads.
const EXTENSIONS_MAX: usize = 16 * 1024;

/// Bytes of all trailers of a body.
const TRAILERS_MAX: usize = 16 * 1024;

/// How far a body has come. Knows no socket: whoever asks has the bytes.
#[derive(Debug)]
pub(super) enum Decoder {
    /// So many bytes are to come.
    Left(u64),
    Chunked(Chunks),
    UntilClose,
}

/// A chunked body (RFC 9112, section 7.1).
#[derive(Debug)]
pub(super) struct Chunks {
    place: Place,
    extensions: usize,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The digits of a size; how many came, and what they say.
    Size(u32, u64),
    /// What may follow it: blanks, then an extension.
    Blanks(u64),
    Extension(u64),
    SizeLf(u64),
    /// So many bytes of data.
    Data(u64),
    DataCr,
    DataLf,
    Trailers,
    End,
}

/// The next part of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
    /// It is complete.
    End,
    /// More has to be read.
    Missing,
}

impl Decoder {
    pub(super) fn new(length: Length) -> Self {
        match length {
            Length::Known(left) => Self::Left(left),
            Length::Chunked => Self::Chunked(Chunks { place: Place::Size(0, 0), extensions: 0 }),
            Length::UntilClose => Self::UntilClose,
        }
    }

    /// Whether nothing is to come, and nobody need ask.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Left(left) => *left == 0,
            Self::Chunked(chunks) => chunks.place == Place::End,
            Self::UntilClose => false,
        }
    }

    /// How many bytes of data are to come, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Left(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// Takes the next part out of what was read.
    ///
    /// # Errors
    /// The framing is not as it must be; the decoder is not to be asked again.
    pub(super) fn take(&mut self, buf: &mut BytesMut) -> Result<Part, BadReply> {
        match self {
            Self::Left(0) => Ok(Part::End),
            Self::Left(left) => Ok(data(buf, left)),
            Self::Chunked(chunks) => chunks.take(buf),
            Self::UntilClose if buf.is_empty() => Ok(Part::Missing),
            Self::UntilClose => Ok(Part::Data(buf.split().freeze())),
        }
    }
}

/// As much as there is of what is left.
fn data(buf: &mut BytesMut, left: &mut u64) -> Part {
    if buf.is_empty() {
        return Part::Missing;
    }
    let len = usize::try_from(*left).map_or(buf.len(), |left| left.min(buf.len()));
    *left -= len as u64;
    Part::Data(buf.split_to(len).freeze())
}

impl Chunks {
    fn take(&mut self, buf: &mut BytesMut) -> Result<Part, BadReply> {
        loop {
            match &mut self.place {
                Place::End => return Ok(Part::End),
                Place::Trailers => return self.trailers(buf),
                Place::Data(left) => {
                    let part = data(buf, left);
                    if *left == 0 {
                        self.place = Place::DataCr;
                    }
                    return Ok(part);
                }
                place => {
                    if buf.is_empty() {
                        return Ok(Part::Missing);
                    }
                    *place = step(*place, buf.get_u8(), &mut self.extensions)?;
                }
            }
        }
    }

    fn trailers(&mut self, buf: &mut BytesMut) -> Result<Part, BadReply> {
        let mut room = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let (len, fields) = match httparse::parse_headers(buf, &mut room).map_err(BadReply::Trailers)? {
            httparse::Status::Complete(found) if found.0 <= TRAILERS_MAX => found,
            httparse::Status::Partial if buf.len() < TRAILERS_MAX => return Ok(Part::Missing),
            _ => return Err(BadReply::Trailers(httparse::Error::TooManyHeaders)),
        };
        let mut trailers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let value = HeaderValue::from_bytes(field.value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(BadReply::Trailers(httparse::Error::HeaderName));
            };
            trailers.append(name, value);
        }
        buf.advance(len);
        self.place = Place::End;
        Ok(if trailers.is_empty() { Part::End } else { Part::Trailers(trailers) })
    }
}

/// One byte of what is around the data. Lines end with CRLF: a bare LF is read otherwise by other programs.
fn step(place: Place, byte: u8, extensions: &mut usize) -> Result<Place, BadReply> {
    Ok(match (place, byte) {
        (Place::Size(digits, size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
            let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
            let size = size.checked_mul(16).and_then(|size| size.checked_add(digit));
            Place::Size(digits.saturating_add(1), size.ok_or(BadReply::ChunkSize)?)
        }
        (Place::Size(1.., size) | Place::Blanks(size), b' ' | b'\t') => Place::Blanks(size),
        (Place::Size(1.., size) | Place::Blanks(size), b';') => Place::Extension(size),
        (Place::Size(1.., size) | Place::Blanks(size) | Place::Extension(size), b'\r') => Place::SizeLf(size),
        (Place::Extension(size), 0..=b'\x08' | b'\x0b'.. | b'\t') => {
            *extensions += 1;
            if *extensions > EXTENSIONS_MAX {
                return Err(BadReply::Extensions);
            }
            Place::Extension(size)
        }
        (Place::SizeLf(0), b'\n') => Place::Trailers,
        (Place::SizeLf(size), b'\n') => Place::Data(size),
        (Place::DataCr, b'\r') => Place::DataLf,
        (Place::DataLf, b'\n') => Place::Size(0, 0),
        (Place::DataCr | Place::DataLf, _) => return Err(BadReply::ChunkEnd),
        _ => return Err(BadReply::ChunkSize),
    })
}

#[cfg(test)]
mod tests;
