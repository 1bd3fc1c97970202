//! Objects that are messages.

use super::error::{ParseErrorKind, nearest};
use super::scan::{peek, token};
use super::{Failed, Parser, Step};
use crate::schema::{Cardinality, Field, Kind, Message, MessageId, Presence, WellKnown};
use crate::{Schema, UnknownFields};

/// Which fields and oneofs of a message the document has given: one bit each.
#[derive(Debug)]
pub(super) struct Seen {
    low: u64,
    /// Where the parser keeps the bits from the 65th on, once one is needed.
    spill: Option<usize>,
}

/// What a member's name stands for.
enum Name {
    /// A field, by its slot; the colon was read.
    Slot(usize),
    /// Nothing: the member was skipped.
    Skipped,
}

impl<'a> Parser<'a> {
    /// Reads the object at `at` as fields of the message `id`.
    #[inline]
    pub(super) fn object(&mut self, id: MessageId, at: usize) -> Step {
        if peek(self.json, at) != b'{' {
            return Err(self.no_object(id, at));
        }
        self.enter(at)?;
        let end = self.members(id, at, false)?;
        self.leave();
        Ok(end)
    }

    #[cold]
    fn no_object(&mut self, id: MessageId, at: usize) -> Failed {
        self.mismatch(at, &format!("object ({})", self.schema.message(id).full_name))
    }

    /// Reads the members of the object whose brace stands at `open`; with `any`, one of them is `@type`.
    pub(super) fn members(&mut self, id: MessageId, open: usize, any: bool) -> Step {
        let (schema, json) = (self.schema, self.json);
        let message = schema.message(id);
        let fields = schema.slots(message);
        let mut seen = Seen { low: 0, spill: None };
        // Documents mostly have their members in the order of declaration.
        let mut next = 0;
        let (mut at, byte) = token(json, open + 1);
        if byte == b'}' {
            self.check_required(message, &seen, open)?;
            return Ok(at + 1);
        }
        if byte != b'"' {
            return Err(self.syntax(at, "a member's name or `}`"));
        }
        loop {
            let key = at;
            let name = match fields.get(next).and_then(|field| field.expected.end(json, at)) {
                Some(end) => {
                    at = end;
                    Name::Slot(next)
                }
                None => self.name(message, &mut at, any, &mut seen)?,
            };
            if let Name::Slot(slot) = name
                && let Some(field) = fields.get(slot)
            {
                if !self.first(&mut seen, slot) {
                    return Err(self.duplicate(key));
                }
                next = slot + 1;
                (at, _) = token(json, at);
                let before = self.out.position();
                at = match self.member(field, at) {
                    Ok(end) => end,
                    Err(Failed) => return Err(self.unwind_field(key)),
                };
                if let Some(oneof) = field.oneof
                    && self.out.position() != before
                    && !self.first(&mut seen, fields.len() + usize::from(oneof))
                {
                    return Err(self.second_of_oneof(message, oneof, key));
                }
            }
            let (comma, byte) = token(json, at);
            if byte != b',' {
                if byte != b'}' {
                    return Err(self.syntax(comma, "`,` or `}`"));
                }
                at = comma + 1;
                break;
            }
            let (start, byte) = token(json, comma + 1);
            if byte != b'"' {
                return Err(self.syntax(start, "a member's name"));
            }
            at = start;
        }
        self.check_required(message, &seen, open)?;
        if let Some(base) = seen.spill {
            self.spill.truncate(base);
        }
        Ok(at)
    }

    /// Finds the field that the key at `at` names, and moves `at` behind the colon; a member
    /// without a field is refused or skipped.
    #[inline(never)]
    fn name(&mut self, message: &Message, at: &mut usize, any: bool, seen: &mut Seen) -> Result<Name, Failed> {
        let key = *at;
        let (text, end) = self.string(key)?;
        let name = self.text(text);
        let slot = message.by_name.get(name);
        let is_type = any && slot.is_none() && name == b"@type";
        *at = self.colon(end)?;
        if let Some(slot) = slot {
            return Ok(Name::Slot(slot as usize));
        }
        if is_type {
            // Its value was read before the other members.
            let bit = message.fields.len() + message.oneofs.len();
            if !self.first(seen, bit) {
                return Err(self.duplicate(key));
            }
        } else if self.options.unknown_fields == UnknownFields::Reject {
            return Err(self.unknown_field(message, key));
        }
        let (value, _) = token(self.json, *at);
        *at = match self.skip(value) {
            Ok(end) => end,
            Err(Failed) => return Err(self.unwind_field(key)),
        };
        Ok(Name::Skipped)
    }

    /// Reads the value of a field of any cardinality.
    #[inline]
    pub(super) fn member(&mut self, field: &'a Field, at: usize) -> Step {
        if peek(self.json, at) == b'n' {
            return self.null_member(field, at);
        }
        match field.cardinality {
            Cardinality::Singular => self.singular(field, field.tag, at, field.presence != Presence::Implicit),
            Cardinality::Repeated => self.list(field, at),
            Cardinality::Map => self.map(field, at),
        }
    }

    /// `null` leaves a field unset, save where it is a value.
    #[inline(never)]
    fn null_member(&mut self, field: &'a Field, at: usize) -> Step {
        if field.cardinality == Cardinality::Singular && takes_null(self.schema, field.kind) {
            return self.singular(field, field.tag, at, field.presence != Presence::Implicit);
        }
        let Some(end) = self.word(at, b"null") else {
            return Err(self.syntax(at, "a value"));
        };
        if field.presence == Presence::Required && !self.options.allow_partial {
            let message = self.schema.message(field.message).full_name.to_string();
            let names = vec![field.json_name.to_string()];
            return Err(self.fail(at, ParseErrorKind::MissingRequired { message, names }));
        }
        Ok(end)
    }

    /// Sets a bit and says whether it was unset.
    #[inline(always)]
    pub(super) fn first(&mut self, seen: &mut Seen, bit: usize) -> bool {
        if bit >= 64 {
            return self.first_spilled(seen, bit - 64);
        }
        let mask = 1 << bit;
        let first = seen.low & mask == 0;
        seen.low |= mask;
        first
    }

    #[inline(never)]
    fn first_spilled(&mut self, seen: &mut Seen, bit: usize) -> bool {
        let base = *seen.spill.get_or_insert(self.spill.len());
        // The messages inside of this one have cut off theirs: what follows `base` is its own.
        let index = base + bit / 64;
        if index >= self.spill.len() {
            self.spill.resize(index + 1, 0);
        }
        let mask = 1 << (bit % 64);
        let Some(word) = self.spill.get_mut(index) else { return true };
        let first = *word & mask == 0;
        *word |= mask;
        first
    }

    #[inline]
    fn check_required(&mut self, message: &Message, seen: &Seen, open: usize) -> Result<(), Failed> {
        if message.required.is_empty() || self.options.allow_partial {
            return Ok(());
        }
        let is_set = |slot: usize| match slot.checked_sub(64) {
            None => seen.low & (1 << slot) != 0,
            Some(bit) => seen
                .spill
                .is_some_and(|base| self.spill.get(base + bit / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0)),
        };
        let missing = message.required.iter().filter(|slot| !is_set(**slot as usize));
        let fields = self.schema.slots(message);
        let names: Vec<String> =
            missing.filter_map(|slot| fields.get(*slot as usize)).map(|field| field.json_name.to_string()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let message = message.full_name.to_string();
        Err(self.fail(open, ParseErrorKind::MissingRequired { message, names }))
    }

    #[cold]
    pub(super) fn duplicate(&mut self, key: usize) -> Failed {
        let name = self.key_text(key);
        self.fail(key, ParseErrorKind::DuplicateField { name })
    }

    #[cold]
    fn second_of_oneof(&mut self, message: &Message, oneof: u16, key: usize) -> Failed {
        let name = self.key_text(key);
        let oneof = message.oneofs().nth(oneof.into()).unwrap_or_default().to_owned();
        self.fail(key, ParseErrorKind::OneofTwice { name, oneof })
    }

    #[cold]
    pub(super) fn unknown_field(&mut self, message: &Message, key: usize) -> Failed {
        let name = self.key_text(key);
        let suggestion = nearest(&name, message.names());
        let message = message.full_name.to_string();
        self.fail(key, ParseErrorKind::UnknownField { name, message, suggestion })
    }
}

/// True if `null` is a value of the type.
pub(super) fn takes_null(schema: &Schema, kind: Kind) -> bool {
    match kind {
        Kind::Message(id) | Kind::Group(id) => schema.message(id).well_known == WellKnown::Value,
        Kind::Enum(id) => schema.enumeration(id).null_value,
        _ => false,
    }
}
