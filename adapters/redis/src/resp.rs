//! The protocol, RESP2, as far as it is needed: commands out, replies in.
//!
//! Source: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use bytes::{BufMut as _, Bytes, BytesMut};

/// The longest reply, in bytes. Longer than any of a batch, or of INFO.
const LONGEST: usize = 8 << 20;
/// How deep arrays may stand in each other.
const DEEPEST: u32 = 8;

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Bytes),
    Error(String),
    Number(i64),
    List(Vec<Value>),
    Nothing,
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }
}

/// Writes the beginning of a command of so many parts.
pub(crate) fn begin(out: &mut BytesMut, parts: usize) {
    number(out, b'*', parts);
}

/// Writes a part of a command.
pub(crate) fn part(out: &mut BytesMut, part: &[u8]) {
    number(out, b'$', part.len());
    out.extend_from_slice(part);
    out.extend_from_slice(b"\r\n");
}

/// Writes a part that is made of several.
pub(crate) fn part_of(out: &mut BytesMut, parts: &[&[u8]]) {
    number(out, b'$', parts.iter().map(|one| one.len()).sum());
    parts.iter().for_each(|one| out.extend_from_slice(one));
    out.extend_from_slice(b"\r\n");
}

fn number(out: &mut BytesMut, kind: u8, number: usize) {
    out.put_u8(kind);
    // There is one for each key of a batch: without a String.
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    while at > 0 {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// A whole command.
pub(crate) fn command(out: &mut BytesMut, parts: &[&[u8]]) {
    begin(out, parts.len());
    parts.iter().for_each(|one| part(out, one));
}

/// Takes a reply off the buffer. `None`: it is not all there.
///
/// # Errors
/// What is not RESP2, or too long.
pub(crate) fn take(buffer: &mut BytesMut) -> Result<Option<Value>, &'static str> {
    let mut reader = Reader { bytes: buffer, at: 0 };
    match reader.value(0)? {
        Some(value) => {
            let read = reader.at;
            drop(buffer.split_to(read));
            Ok(Some(value))
        }
        None if buffer.len() > LONGEST => Err("a reply of more than 8 MiB"),
        None => Ok(None),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
        self.at += length + 2;
        Some(&rest[..length])
    }

    fn value(&mut self, depth: u32) -> Result<Option<Value>, &'static str> {
        if depth > DEEPEST {
            return Err("arrays too deep in each other");
        }
        let Some(line) = self.line() else { return Ok(None) };
        let Some((kind, rest)) = line.split_first() else { return Err("an empty line") };
        match kind {
            b'+' => Ok(Some(Value::Text(Bytes::copy_from_slice(rest)))),
            b'-' => Ok(Some(Value::Error(String::from_utf8_lossy(rest).into_owned()))),
            b':' => Ok(Some(Value::Number(integer(rest)?))),
            b'$' => self.bulk(integer(rest)?),
            b'*' => self.list(integer(rest)?, depth),
            _ => Err("not the Redis protocol"),
        }
    }

    fn bulk(&mut self, length: i64) -> Result<Option<Value>, &'static str> {
        if length == -1 {
            return Ok(Some(Value::Nothing));
        }
        let length = bounded(length)?;
        let Some(text) = self.bytes.get(self.at..self.at + length + 2) else { return Ok(None) };
        let Some(text) = text.strip_suffix(b"\r\n") else { return Err("a text longer than it says") };
        self.at += length + 2;
        Ok(Some(Value::Text(Bytes::copy_from_slice(text))))
    }

    fn list(&mut self, length: i64, depth: u32) -> Result<Option<Value>, &'static str> {
        if length == -1 {
            return Ok(Some(Value::Nothing));
        }
        let length = bounded(length)?;
        // What is not there yet takes no room, whatever length is said.
        let mut list = Vec::new();
        for _ in 0..length {
            match self.value(depth + 1)? {
                Some(value) => list.push(value),
                None => return Ok(None),
            }
        }
        Ok(Some(Value::List(list)))
    }
}

fn integer(digits: &[u8]) -> Result<i64, &'static str> {
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or("not a number")
}

fn bounded(length: i64) -> Result<usize, &'static str> {
    usize::try_from(length).ok().filter(|length| *length <= LONGEST).ok_or("an impossible length")
}

#[cfg(test)]
mod tests;
