//! Fields of a protobuf message, one after the other.

use super::Malformed;

/// The deepest group that is passed over.
const DEPTH: usize = 16;

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a type that none of our fields has.
    Other,
}

/// What is left of a message.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field; `None` at the end.
    pub(super) fn field(&mut self) -> Result<Option<(u64, Value<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.number()?;
        let (number, kind) = (tag >> 3, tag & 7);
        if number == 0 || tag > u64::from(u32::MAX) {
            return Err(Malformed::Wire("a field has no number"));
        }
        let value = self.value(number, kind, 0)?;
        Ok(Some((number, value)))
    }

    fn value(&mut self, number: u64, kind: u64, depth: usize) -> Result<Value<'a>, Malformed> {
        Ok(match kind {
            0 => Value::Number(self.number()?),
            1 => self.skip(8)?,
            2 => {
                let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                Value::Bytes(self.take(length)?)
            }
            3 => self.group(number, depth)?,
            5 => self.skip(4)?,
            _ => return Err(Malformed::Wire("a field has no type")),
        })
    }

    /// Passes over a group.
    fn group(&mut self, number: u64, depth: usize) -> Result<Value<'a>, Malformed> {
        if depth == DEPTH {
            return Err(Malformed::Wire("groups are nested too deep"));
        }
        loop {
            let tag = self.number()?;
            match (tag >> 3, tag & 7) {
                (end, 4) if end == number => return Ok(Value::Other),
                (0, _) | (_, 4) => return Err(Malformed::Wire("a group does not end")),
                (inner, kind) => {
                    self.value(inner, kind, depth + 1)?;
                }
            }
        }
    }

    fn skip(&mut self, length: usize) -> Result<Value<'a>, Malformed> {
        self.take(length)?;
        Ok(Value::Other)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Wire("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// A varint: ten bytes at most, bits beyond the 64th are none.
    fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for (index, byte) in self.rest.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                if index == 9 && *byte > 1 {
                    break;
                }
                self.rest = &self.rest[index + 1..];
                return Ok(number);
            }
        }
        Err(Malformed::Wire("a number does not end"))
    }
}
