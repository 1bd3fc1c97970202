//! Objects: the fields of a message, in the order of the wire.

use super::seen::Seen;
use super::{Fast, Pass, Rest, Unusual};
use crate::MessageId;
use crate::schema::{Cardinality, Field, Kind, Message, Presence};
use crate::take;
use crate::wire::{WireError, WireType};

/// The list or map that the last values belong to: its closing bracket is still to come.
#[derive(Clone, Copy)]
pub(super) struct Open {
    /// [`NONE`] if there is none.
    pub(super) slot: usize,
    /// Where its key starts in the text, and where its value does.
    pub(super) key: usize,
    pub(super) value: usize,
    /// How many fingerprints there were before.
    pub(super) keys: usize,
}

const NONE: usize = usize::MAX;

impl<'p> Fast<'p> {
    /// Writes a message as it stands where a value may stand. `group` is its number if it ends with
    /// an end-group tag, 0 if it ends with the bytes. `depth` counts what may be nested here, this
    /// message included.
    pub(in crate::print) fn message<'a>(&mut self, id: MessageId, bytes: &'a [u8], group: u32, depth: u32) -> Rest<'a> {
        let message = self.schema.message(id);
        if message.well_known.is_special() {
            self.well_known(message, bytes, group, depth)?;
            return Ok(&[]);
        }
        self.object(message, bytes, group, depth)
    }

    #[inline(always)]
    pub(super) fn object<'a>(&mut self, message: &'p Message, bytes: &'a [u8], group: u32, depth: u32) -> Rest<'a> {
        let start = self.out.position();
        let rest = self.fields(message, bytes, group, depth)?;
        self.out.close(start, b'{', b'}');
        Ok(rest)
    }

    /// Writes the members of an object, each behind a comma.
    pub(super) fn fields<'a>(&mut self, message: &'p Message, bytes: &'a [u8], group: u32, depth: u32) -> Rest<'a> {
        let depth = depth.checked_sub(1).ok_or(Unusual::TooDeep)?;
        let fields = self.schema.slots(message);
        let mut seen = Seen::default();
        let mut open = Open { slot: NONE, key: 0, value: 0, keys: 0 };
        let mut bytes = bytes;
        // Most serializers write fields in the order of declaration.
        let mut expected = 0;
        while !bytes.is_empty() {
            let (tag, rest) = take::tag(bytes)?;
            let (slot, field, packed) = match fields.get(expected) {
                Some(field) if field.raw_tag == tag => (expected, field, false),
                _ => match find(message, fields, tag) {
                    Some(found) => found,
                    None if is_end(tag, group) => {
                        return self.end_fields(message, fields, open, seen).map(|()| rest);
                    }
                    None => {
                        bytes = take::skip(rest, tag)?;
                        continue;
                    }
                },
            };
            expected = slot + 1;
            if field.cardinality != Cardinality::Singular {
                if open.slot != slot {
                    self.end_list(&mut open, fields, &mut seen)?;
                    if seen.contains(slot) {
                        return Err(Unusual::Order);
                    }
                    open = self.begin_list(slot, field);
                }
                bytes = self.elements(field, packed, rest, depth)?;
                continue;
            }
            if open.slot != NONE {
                self.end_list(&mut open, fields, &mut seen)?;
            }
            if field.closed_enum && self.is_unknown_enum(field, rest)? {
                bytes = take::skip(rest, tag)?;
                continue;
            }
            let new = if field.seen != 0 {
                seen.insert_bits(field.seen)
            } else {
                seen.insert(slot) & field.oneof.is_none_or(|oneof| seen.insert(fields.len() + usize::from(oneof)))
            };
            if !new {
                return Err(Unusual::Order);
            }
            bytes = self.singular(field, rest, depth)?;
        }
        if group != 0 {
            return Err(Unusual::Wire(WireError::Truncated));
        }
        self.end_fields(message, fields, open, seen).map(|()| bytes)
    }

    #[inline(always)]
    fn begin_list(&mut self, slot: usize, field: &Field) -> Open {
        let key = self.out.position();
        self.key(field);
        Open { slot, key, value: self.out.position(), keys: self.keys.len() }
    }

    /// Writes the closing bracket, if a list is open; one that turned out to have no elements was
    /// never there.
    #[inline(always)]
    pub(super) fn end_list(&mut self, open: &mut Open, fields: &[Field], seen: &mut Seen) -> Pass {
        let Open { slot, key, value, keys } = *open;
        if slot == NONE {
            return Ok(());
        }
        open.slot = NONE;
        if self.out.position() == value {
            self.out.rewind(key);
            return Ok(());
        }
        seen.insert(slot);
        if fields.get(slot).is_some_and(|field| field.cardinality == Cardinality::Map) {
            self.check_unique(keys)?;
            self.out.close(value, b'{', b'}');
        } else {
            self.out.close(value, b'[', b']');
        }
        Ok(())
    }

    /// What is left to do when the last field was read.
    #[inline(always)]
    fn end_fields(&mut self, message: &Message, fields: &[Field], mut open: Open, mut seen: Seen) -> Pass {
        self.end_list(&mut open, fields, &mut seen)?;
        if message.is_plain && !self.emit_defaults {
            return if self.out.overflowed() { Err(Unusual::TooLarge) } else { Ok(()) };
        }
        self.absent_fields(message, fields, &seen)
    }

    /// What must be there although it was not on the wire.
    #[inline(never)]
    fn absent_fields(&mut self, message: &Message, fields: &[Field], seen: &Seen) -> Pass {
        // Items of a message set are no fields.
        if message.message_set {
            return Err(Unusual::Order);
        }
        let missing = |slot: &u32| !seen.contains(*slot as usize);
        if !self.options.allow_partial && message.required.iter().any(missing) {
            return Err(Unusual::Order);
        }
        if self.options.emit_defaults {
            for (slot, field) in fields.iter().enumerate() {
                if !seen.contains(slot) {
                    self.absent(field);
                }
            }
        }
        if self.out.overflowed() { Err(Unusual::TooLarge) } else { Ok(()) }
    }

    /// Writes a field that is not set, if [`emit_defaults`](crate::PrintOptions::emit_defaults) wants
    /// it written.
    pub(in crate::print) fn absent(&mut self, field: &Field) {
        if field.presence == Presence::Implicit && !field.is_extension() {
            self.key(field);
            self.default_value(field);
        }
    }

    /// True for a number that a closed enum does not have: such a field counts as unknown.
    #[inline]
    pub(super) fn is_unknown_enum(&self, field: &Field, bytes: &[u8]) -> Pass<bool> {
        let Kind::Enum(id) = field.kind else { return Ok(false) };
        let (number, _) = take::varint(bytes)?;
        Ok(self.schema.enumeration(id).name(number as i32).is_none())
    }
}

/// The field that a tag is for, its slot, and whether it is a packed record.
#[inline(always)]
fn find<'p>(message: &Message, fields: &'p [Field], tag: u32) -> Option<(usize, &'p Field, bool)> {
    let slot = message.slot_by_number(tag >> 3)?;
    let field = fields.get(slot)?;
    let packed = field.raw_tag != tag;
    let fits = !packed || (tag & 7 == WireType::Len as u32 && field.is_packable());
    fits.then_some((slot, field, packed))
}

#[inline(always)]
fn is_end(tag: u32, group: u32) -> bool {
    group != 0 && tag == group << 3 | WireType::EndGroup as u32
}
