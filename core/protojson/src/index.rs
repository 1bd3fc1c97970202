//! Fields of a message by number, wherever on the wire they stand.
//!
//! The second pass of printing and all of re-encoding go through here. A message is a *level*: its
//! records, read once from one piece of wire or, if it was split, from several, with what later
//! records replace already gone. Levels are opened and closed as a stack over two shared vectors,
//! so that memory is linear in the input; nothing is copied to merge.

mod entries;

use crate::schema::{Cardinality, Field, Kind, Message, MessageId, Schema};
use crate::take;
use crate::wire::{Reader, WireError, WireType};
use std::ops::Range;

/// Wire bytes and the levels that are open.
pub(crate) struct Index<'a> {
    wire: &'a [u8],
    schema: &'a Schema,
    records: Vec<Record>,
    /// `number << 32 | record`, sorted within a level.
    order: Vec<u64>,
    max_groups: u32,
}

/// A tag and where its value starts. Records of a group follow their group's.
#[derive(Clone, Copy, Debug)]
struct Record {
    /// Number and wire type as on the wire.
    tag: u32,
    /// Behind the tag.
    at: u32,
    /// The record behind this one and its children.
    next: u32,
}

/// A message that is open: places in the order, ascending by field number.
#[derive(Debug)]
pub(crate) struct Level {
    records: usize,
    places: Range<usize>,
}

/// Where the bytes of a message are.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A piece of the wire.
    Bytes(Range<usize>),
    /// The values of a field of the level above, to be merged.
    Values(Range<usize>),
}

/// Stands for a field number where the schema has no field, or none that the value fits.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// What a record is to its message.
enum Class {
    Known(u32),
    Unknown,
    /// A packed list of an enum some of whose numbers it does not have.
    Mixed(u32),
}

impl<'a> Index<'a> {
    /// An index over bytes of at most 4 GiB; groups may be nested `max_groups` deep.
    pub(crate) fn new(schema: &'a Schema, wire: &'a [u8], max_groups: u32) -> Result<Self, WireError> {
        // Positions are 32 bits wide, as are lengths in gRPC.
        if u32::try_from(wire.len()).is_err() {
            return Err(WireError::TooLong);
        }
        Ok(Self { wire, schema, records: Vec::new(), order: Vec::new(), max_groups })
    }

    /// Reads the records of a message and brings them into order.
    pub(crate) fn open(&mut self, id: MessageId, source: Source) -> Result<Level, WireError> {
        let schema = self.schema;
        let message = schema.message(id);
        let (records, start) = (self.records.len(), self.order.len());
        let mut runs = vec![Run::default(); message.oneofs.len()];
        match source {
            Source::Bytes(range) => {
                let piece = self.scan(range)?;
                self.sort_in(message, piece, &mut runs)?;
            }
            Source::Values(places) => {
                for place in places {
                    let piece = self.piece(place)?;
                    self.sort_in(message, piece, &mut runs)?;
                }
            }
        }
        if runs.iter().any(|run| run.switched) {
            self.drop_replaced(message, start, &runs);
        }
        let order = self.order.get_mut(start..).unwrap_or_default();
        if !order.is_sorted() {
            order.sort_unstable();
        }
        Ok(Level { records, places: start..self.order.len() })
    }

    /// Ends the level that was opened last.
    pub(crate) fn close(&mut self, level: &Level) {
        self.records.truncate(level.records);
        self.order.truncate(level.places.start);
    }

    /// The next field of a level at or behind a place: its number and the places of its values.
    pub(crate) fn run(&self, level: &Level, from: usize) -> Option<(u32, Range<usize>)> {
        let order = self.order.get(from..level.places.end)?;
        let number = (order.first()? >> 32) as u32;
        let len = order.iter().position(|entry| (entry >> 32) as u32 != number).unwrap_or(order.len());
        Some((number, from..from + len))
    }

    /// The value at a place, and what is behind it.
    pub(crate) fn value(&self, place: usize) -> &'a [u8] {
        let at = self.record(place).map_or(self.wire.len(), |record| record.at as usize);
        self.wire.get(at..).unwrap_or_default()
    }

    /// The bytes of a length-delimited value at a place.
    pub(crate) fn len_prefixed(&self, place: usize) -> Result<&'a [u8], WireError> {
        take::len_prefixed(self.value(place)).map(|(bytes, _)| bytes)
    }

    /// Where the bytes of a length-delimited value stand.
    pub(crate) fn content(&self, place: usize) -> Result<Range<usize>, WireError> {
        self.record(place).map_or(Ok(0..0), |record| len_range(self.wire, record.at))
    }

    /// Number and wire type of the record at a place.
    pub(crate) fn tag(&self, place: usize) -> (u32, WireType) {
        self.record(place).map_or((0, WireType::Varint), |record| record.parts())
    }

    /// A piece of the wire.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &'a [u8] {
        self.wire.get(range).unwrap_or_default()
    }

    /// Where the last value of a field stands.
    pub(crate) fn last(&self, level: &Level, number: u32) -> Option<usize> {
        self.places(level, number).next_back()
    }

    /// Where the values of a field stand.
    pub(crate) fn places(&self, level: &Level, number: u32) -> Range<usize> {
        let order = self.order.get(level.places.clone()).unwrap_or_default();
        let start = order.partition_point(|entry| ((entry >> 32) as u32) < number);
        let end = order.partition_point(|entry| ((entry >> 32) as u32) <= number);
        level.places.start + start..level.places.start + end
    }

    fn record(&self, place: usize) -> Option<Record> {
        let entry = *self.order.get(place)?;
        self.records.get(entry as u32 as usize).copied()
    }

    /// Appends the records of a piece of the wire, the groups' children included.
    fn scan(&mut self, range: Range<usize>) -> Result<Range<usize>, WireError> {
        let first = self.records.len();
        let bytes = self.wire.get(..range.end).unwrap_or_default();
        let mut reader = Reader::starting_at(bytes, range.start);
        let mut groups: Vec<usize> = Vec::new();
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            let (tag, at) = (number << 3 | wire_type as u32, reader.position() as u32);
            let index = self.records.len();
            if wire_type == WireType::EndGroup {
                let group = groups.pop().and_then(|group| self.records.get_mut(group));
                let group = group.filter(|group| group.parts().0 == number).ok_or(WireError::BadGroup)?;
                group.next = index as u32;
                continue;
            }
            self.records.push(Record { tag, at, next: index as u32 + 1 });
            if wire_type == WireType::StartGroup {
                if groups.len() >= self.max_groups as usize {
                    return Err(WireError::TooDeep);
                }
                groups.push(index);
            } else {
                reader.skip(number, wire_type, 0)?;
            }
        }
        if groups.is_empty() { Ok(first..self.records.len()) } else { Err(WireError::Truncated) }
    }

    /// The records of the message that is the value at a place.
    fn piece(&mut self, place: usize) -> Result<Range<usize>, WireError> {
        let entry = self.order.get(place).copied().unwrap_or_default();
        let index = entry as u32 as usize;
        let Some(record) = self.records.get(index).copied() else { return Ok(0..0) };
        let (number, wire_type) = record.parts();
        if wire_type == WireType::Len {
            return self.scan(len_range(self.wire, record.at)?);
        }
        let children = index + 1..record.next as usize;
        if number == (entry >> 32) as u32 {
            return Ok(children);
        }
        // An item of a message set stands under the number that it names.
        let content = self.item(children).and_then(|(_, content)| content);
        content.map_or(Ok(0..0), |content| self.scan(content))
    }

    /// Adds the records of one piece to the level at the end of the order.
    fn sort_in(&mut self, message: &Message, piece: Range<usize>, runs: &mut [Run]) -> Result<(), WireError> {
        let mut index = piece.start;
        while index < piece.end {
            let Some(record) = self.records.get(index).copied() else { break };
            let class = self.classify(message, index, record)?;
            let entry = index as u64;
            match class {
                Class::Known(number) => self.order.push(u64::from(number) << 32 | entry),
                Class::Unknown => self.order.push(u64::from(UNKNOWN) << 32 | entry),
                Class::Mixed(number) => {
                    self.order.push(u64::from(number) << 32 | entry);
                    self.order.push(u64::from(UNKNOWN) << 32 | entry);
                }
            }
            if let Class::Known(number) = class
                && !runs.is_empty()
                && let Some(oneof) = message.field_by_number(number).and_then(|id| self.schema.field(id).oneof)
                && let Some(run) = runs.get_mut(usize::from(oneof))
            {
                run.meet(number, index);
            }
            index = record.next as usize;
        }
        Ok(())
    }

    fn classify(&self, message: &Message, index: usize, record: Record) -> Result<Class, WireError> {
        let (number, wire_type) = record.parts();
        if message.message_set && (number, wire_type) == (1, WireType::StartGroup) {
            let item = self.item(index + 1..record.next as usize);
            return Ok(match item {
                Some((number, Some(_))) if self.field(message, number).is_some() => Class::Known(number),
                _ => Class::Unknown,
            });
        }
        let Some(field) = self.field(message, number) else { return Ok(Class::Unknown) };
        let enumeration = match field.kind {
            Kind::Enum(id) => Some(self.schema.enumeration(id)).filter(|enumeration| enumeration.closed),
            _ => None,
        };
        let mut reader = Reader::starting_at(self.wire, record.at as usize);
        if wire_type as u8 == field.tag.wire_type() {
            let unknown = match enumeration {
                Some(enumeration) => enumeration.name(reader.varint()? as i32).is_none(),
                None => field.cardinality == Cardinality::Map && self.has_unknown_value(field, record.at)?,
            };
            return Ok(if unknown { Class::Unknown } else { Class::Known(number) });
        }
        if wire_type != WireType::Len || !field.is_packable() {
            return Ok(Class::Unknown);
        }
        if let Some(enumeration) = enumeration {
            let mut values = Reader::new(reader.len_prefixed()?);
            while !values.is_empty() {
                if enumeration.name(values.varint()? as i32).is_none() {
                    return Ok(Class::Mixed(number));
                }
            }
        }
        Ok(Class::Known(number))
    }

    fn field(&self, message: &Message, number: u32) -> Option<&'a Field> {
        message.field_by_number(number).map(|id| self.schema.field(id))
    }

    /// True for a map entry whose value is a number that its closed enum does not have.
    fn has_unknown_value(&self, field: &Field, at: u32) -> Result<bool, WireError> {
        let Some((_, value)) = self.schema.map_entry(field) else { return Ok(false) };
        let Kind::Enum(id) = value.kind else { return Ok(false) };
        let enumeration = self.schema.enumeration(id);
        if !enumeration.closed {
            return Ok(false);
        }
        let range = len_range(self.wire, at)?;
        let mut reader = Reader::starting_at(self.wire.get(..range.end).unwrap_or_default(), range.start);
        let mut unknown = false;
        while !reader.is_empty() {
            match reader.tag()? {
                (2, WireType::Varint) => unknown = enumeration.name(reader.varint()? as i32).is_none(),
                (number, wire_type) => reader.skip(number, wire_type, self.max_groups)?,
            }
        }
        Ok(unknown)
    }

    /// Type id and content of an item of a message set; of each the first one counts.
    ///
    /// Source: `MessageSet` in protobuf's wire_format.cc: `{ required int32 type_id = 2;
    /// required bytes message = 3; }`.
    fn item(&self, children: Range<usize>) -> Option<(u32, Option<Range<usize>>)> {
        let (mut type_id, mut content) = (None, None);
        let mut index = children.start;
        while index < children.end {
            let record = self.records.get(index)?;
            match record.parts() {
                (2, WireType::Varint) if type_id.is_none() => {
                    let raw = Reader::starting_at(self.wire, record.at as usize).varint().ok()?;
                    type_id = Some(u32::try_from(raw).unwrap_or(UNKNOWN));
                }
                (3, WireType::Len) if content.is_none() => content = len_range(self.wire, record.at).ok(),
                _ => {}
            }
            index = record.next as usize;
        }
        Some((type_id?, content))
    }

    /// Takes out the members of oneofs that a later member has replaced.
    fn drop_replaced(&mut self, message: &Message, start: usize, runs: &[Run]) {
        let mut kept = start;
        for place in start..self.order.len() {
            let entry = self.order[place];
            let oneof = self.field(message, (entry >> 32) as u32).and_then(|field| field.oneof);
            let run = oneof.and_then(|oneof| runs.get(usize::from(oneof)));
            if run.is_none_or(|run| run.holds((entry >> 32) as u32, entry as u32 as usize)) {
                self.order[kept] = entry;
                kept += 1;
            }
        }
        self.order.truncate(kept);
    }
}

impl Level {
    /// Where the first run starts.
    pub(crate) fn first(&self) -> usize {
        self.places.start
    }
}

/// The member of a oneof that is set, and since which record.
#[derive(Clone, Copy, Default)]
struct Run {
    number: u32,
    since: usize,
    switched: bool,
}

impl Run {
    fn meet(&mut self, number: u32, record: usize) {
        if self.number != number {
            *self = Self { number, since: record, switched: self.number != 0 };
        }
    }

    fn holds(&self, number: u32, record: usize) -> bool {
        self.number == number && record >= self.since
    }
}

impl Record {
    fn parts(self) -> (u32, WireType) {
        let wire_type = match self.tag & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Len,
            3 => WireType::StartGroup,
            4 => WireType::EndGroup,
            _ => WireType::Fixed32,
        };
        (self.tag >> 3, wire_type)
    }
}

/// Where the bytes behind a length are.
fn len_range(wire: &[u8], at: u32) -> Result<Range<usize>, WireError> {
    let mut reader = Reader::starting_at(wire, at as usize);
    let len = reader.len_prefixed()?.len();
    Ok(reader.position() - len..reader.position())
}
