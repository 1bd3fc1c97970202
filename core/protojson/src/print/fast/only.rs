//! One field of a message.

use super::message::Open;
use super::seen::Seen;
use super::{Fast, Pass, Unusual};
use crate::schema::{Cardinality, Field, Kind};
use crate::take;
use crate::wire::WireType;

impl Fast<'_> {
    /// Writes only the value of one field of a message, its default if it is not set. Other fields
    /// are skipped.
    pub(in crate::print) fn only_field(&mut self, field: &Field, mut bytes: &[u8], depth: u32) -> Pass {
        let depth = depth.checked_sub(1).ok_or(Unusual::TooDeep)?;
        let holder = self.schema.message(field.message);
        if holder.message_set || field.oneof.is_some() {
            return Err(Unusual::Order);
        }
        let start = self.out.position();
        let keys = self.keys.len();
        let mut last = None;
        while !bytes.is_empty() {
            let (tag, rest) = take::tag(bytes)?;
            let packed = field.raw_tag != tag && tag == field.number << 3 | WireType::Len as u32 && field.is_packable();
            if field.raw_tag != tag && !packed {
                bytes = take::skip(rest, tag)?;
            } else if field.cardinality != Cardinality::Singular {
                bytes = self.elements(field, packed, rest, depth)?;
            } else {
                let known = !(field.closed_enum && self.is_unknown_enum(field, rest)?);
                let is_message = matches!(field.kind, Kind::Message(_) | Kind::Group(_));
                if known && last.replace(rest).is_some() && is_message {
                    return Err(Unusual::Order);
                }
                bytes = take::skip(rest, tag)?;
            }
        }
        if let Some(value) = last {
            self.value(field, value, depth)?;
        } else if self.out.position() == start {
            self.default_value(field);
        } else {
            let mut open = Open { slot: 0, key: start, value: start, keys };
            self.end_list(&mut open, std::slice::from_ref(field), &mut Seen::default())?;
        }
        Ok(())
    }
}
