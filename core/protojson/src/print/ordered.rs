//! The second pass, for wire bytes in any order: every message by its [`Index`], fields ascending by
//! number. It alone reports errors.

mod map;
mod well_known;

use super::fast::{Fast, Unusual};
use super::path::{Path, Segment};
use super::{PrintError, PrintErrorKind};
use crate::MessageId;
use crate::index::{Index, Level, Source, UNKNOWN};
use crate::schema::{Cardinality, Field, Kind, Message};
use crate::take;
use crate::wire::{WireError, WireType};
use std::ops::Range;

/// The printer of the second pass: writes with the tools of the first.
pub(super) struct Ordered<'p, 'f> {
    fast: &'f mut Fast<'p>,
    index: Index<'p>,
}

/// An error on its way up; every level adds where it was.
pub(super) struct Failure {
    kind: PrintErrorKind,
    path: Path,
}

type Print<T = ()> = Result<T, Box<Failure>>;

// === impl Ordered ===

impl<'p, 'f> Ordered<'p, 'f> {
    pub(super) fn new(fast: &'f mut Fast<'p>, wire: &'p [u8]) -> Result<Self, WireError> {
        let index = Index::new(fast.schema, wire, fast.max_depth.max(1))?;
        Ok(Self { fast, index })
    }

    /// Writes a message as it stands where a value may stand.
    pub(super) fn message(&mut self, id: MessageId, source: Source, depth: u32) -> Print {
        let message = self.fast.schema.message(id);
        let level = self.index.open(id, source)?;
        if message.well_known.is_special() {
            self.well_known(message, &level, depth)?;
        } else {
            let start = self.fast.out.position();
            self.fields(message, &level, depth)?;
            self.fast.out.close(start, b'{', b'}');
        }
        self.index.close(&level);
        Ok(())
    }

    /// Writes only the value of one field of a message, its default if it is not set.
    pub(super) fn only_field(&mut self, field: &'p Field, source: Source, depth: u32) -> Print {
        let level = self.index.open(field.message, source)?;
        let places = self.index.places(&level, field.number);
        let start = self.fast.out.position();
        self.field(field, &places, depth).map_err(|failure| failure.at(Segment::Field(field.json_name.clone())))?;
        if self.fast.out.position() == start {
            self.fast.default_value(field);
        }
        self.index.close(&level);
        Ok(())
    }

    /// Writes the members of an object, each behind a comma.
    fn fields(&mut self, message: &'p Message, level: &Level, depth: u32) -> Print {
        let depth = self.deeper(depth)?;
        let schema = self.fast.schema;
        let mut place = level.first();
        while let Some((number, places)) = self.index.run(level, place) {
            place = places.end;
            let Some(id) = message.field_by_number(number).filter(|_| number != UNKNOWN) else { continue };
            let field = schema.field(id);
            self.member(field, &places, depth)
                .map_err(|failure| failure.at(Segment::Field(field.json_name.clone())))?;
        }
        let absent = |field: &Field| self.index.last(level, field.number).is_none();
        if !self.fast.options.allow_partial {
            let mut required = message.required.iter().filter_map(|&slot| schema.slots(message).get(slot as usize));
            if let Some(field) = required.find(|field| absent(field)) {
                return Err(PrintErrorKind::MissingRequired { field: field.name.clone() }.into());
            }
        }
        if self.fast.options.emit_defaults {
            for field in schema.slots(message) {
                if !self.is_written(field, level) {
                    self.fast.absent(field);
                }
            }
        }
        if self.fast.out.overflowed() { Err(self.too_large()) } else { Ok(()) }
    }

    /// A list of empty packed records only is not written.
    fn is_written(&self, field: &Field, level: &Level) -> bool {
        let places = self.index.places(level, field.number);
        let mut places = places.into_iter();
        places.any(|place| !self.is_packed(field, place) || self.has_elements(field, place))
    }

    fn is_packed(&self, field: &Field, place: usize) -> bool {
        field.is_packable() && self.index.tag(place).1 == WireType::Len
    }

    fn has_elements(&self, field: &Field, place: usize) -> bool {
        let Ok(mut bytes) = self.index.len_prefixed(place) else { return false };
        let Kind::Enum(id) = field.kind else { return !bytes.is_empty() };
        let enumeration = self.fast.schema.enumeration(id);
        while let Ok((value, rest)) = take::varint(bytes) {
            if !enumeration.closed || enumeration.name(value as i32).is_some() {
                return true;
            }
            bytes = rest;
        }
        false
    }

    /// Writes name and value of a field behind a comma, or nothing if there is nothing to write.
    fn member(&mut self, field: &'p Field, places: &Range<usize>, depth: u32) -> Print {
        if field.cardinality == Cardinality::Singular && !is_message(field.kind) {
            let Some(place) = places.clone().next_back() else { return Ok(()) };
            self.fast.singular(field, self.index.value(place), depth)?;
            return Ok(());
        }
        let start = self.fast.out.position();
        self.fast.key(field);
        let value = self.fast.out.position();
        self.field(field, places, depth)?;
        if self.fast.out.position() == value {
            self.fast.out.rewind(start);
        }
        Ok(())
    }

    /// Writes the value of a field; nothing if it has none.
    fn field(&mut self, field: &'p Field, places: &Range<usize>, depth: u32) -> Print {
        match field.cardinality {
            Cardinality::Singular => match places.clone().next_back() {
                Some(last) if !is_message(field.kind) => {
                    self.fast.value(field, self.index.value(last), depth)?;
                    Ok(())
                }
                Some(_) => self.value(field, places.clone(), depth),
                None => Ok(()),
            },
            Cardinality::Map => self.map(field, places, depth),
            Cardinality::Repeated => {
                let start = self.fast.out.position();
                for (index, place) in places.clone().enumerate() {
                    if self.is_packed(field, place) {
                        self.fast.packed(field, self.index.len_prefixed(place)?)?;
                    } else {
                        self.fast.out.byte(b',');
                        self.value(field, place..place + 1, depth)
                            .map_err(|failure| failure.at(Segment::Index(index)))?;
                    }
                }
                if self.fast.out.position() != start {
                    self.fast.out.close(start, b'[', b']');
                }
                Ok(())
            }
        }
    }

    /// Writes one value: the message that the records at some places make, or what stands at one place.
    fn value(&mut self, field: &Field, places: Range<usize>, depth: u32) -> Print {
        if let Kind::Message(id) | Kind::Group(id) = field.kind {
            return self.message(id, Source::Values(places), depth);
        }
        self.fast.value(field, self.index.value(places.start), depth)?;
        Ok(())
    }

    fn deeper(&self, depth: u32) -> Print<u32> {
        depth.checked_sub(1).ok_or_else(|| PrintErrorKind::TooDeep { max_depth: self.fast.max_depth }.into())
    }

    fn too_large(&self) -> Box<Failure> {
        PrintErrorKind::TooLarge { max_output: self.fast.options.max_output }.into()
    }
}

fn is_message(kind: Kind) -> bool {
    matches!(kind, Kind::Message(_) | Kind::Group(_))
}

// === impl Failure ===

impl Failure {
    fn at(mut self: Box<Self>, segment: Segment) -> Box<Self> {
        // The whole document is too large, not the member that was one too many.
        if !matches!(self.kind, PrintErrorKind::TooLarge { .. }) {
            self.path.enter(segment);
        }
        self
    }

    /// The error as callers see it.
    pub(super) fn into_error(self) -> PrintError {
        PrintError { kind: self.kind, path: self.path.to_string() }
    }
}

impl From<PrintErrorKind> for Box<Failure> {
    fn from(kind: PrintErrorKind) -> Self {
        Box::new(Failure { kind, path: Path::default() })
    }
}

impl From<WireError> for Box<Failure> {
    fn from(error: WireError) -> Self {
        PrintErrorKind::Malformed(error).into()
    }
}

/// Only scalars come here; what else the first pass knows is decided by this one.
impl From<Unusual> for Box<Failure> {
    fn from(unusual: Unusual) -> Self {
        match unusual {
            Unusual::Wire(error) => PrintErrorKind::Malformed(error),
            Unusual::NotUtf8 => PrintErrorKind::NotUtf8,
            Unusual::NotFinite => PrintErrorKind::NotFinite,
            _ => PrintErrorKind::UnexpectedDescriptor,
        }
        .into()
    }
}
