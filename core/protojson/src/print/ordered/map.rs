//! Maps whose keys may come twice: of equal keys the last entry counts.

use super::{Ordered, Print, Segment};
use crate::index::Source;
use crate::print::PrintErrorKind;
use crate::schema::{Field, Kind, MessageId};
use std::ops::Range;

impl<'p> Ordered<'p, '_> {
    /// Writes the entries of a map as an object; nothing if there are none.
    pub(super) fn map(&mut self, field: &'p Field, places: &Range<usize>, depth: u32) -> Print {
        let (id, key, _) = self.entry_type(field)?;
        let entries = self.index.last_entries(id, key, places)?;
        let start = self.fast.out.position();
        for place in entries {
            self.entry(field, place, depth)?;
        }
        if self.fast.out.position() != start {
            self.fast.out.close(start, b'{', b'}');
        }
        Ok(())
    }

    fn entry(&mut self, field: &'p Field, place: usize, depth: u32) -> Print {
        let (id, key, value) = self.entry_type(field)?;
        let level = self.index.open(id, Source::Values(place..place + 1))?;
        self.fast.out.byte(b',');
        let start = self.fast.out.position();
        match self.index.last(&level, key.number) {
            Some(place) => self.fast.map_key(key, self.index.value(place))?.0,
            None => self.fast.default_map_key(key),
        };
        let name = self.fast.out.position();
        self.fast.out.byte(b':');
        let mut places = self.index.places(&level, value.number);
        let written = match value.kind {
            Kind::Message(id) => self.message(id, Source::Values(places), depth),
            _ => match places.next_back() {
                Some(last) => self.value(value, last..last + 1, depth),
                None => self.fast.missing_map_value(value, depth).map_err(Into::into),
            },
        };
        written.map_err(|failure| failure.at(Segment::key(self.fast.out.since(start, name))))?;
        self.index.close(&level);
        Ok(())
    }

    fn entry_type(&self, field: &'p Field) -> Print<(MessageId, &'p Field, &'p Field)> {
        let entry = self.fast.schema.map_entry(field);
        match (field.kind, entry) {
            (Kind::Message(id), Some((key, value))) => Ok((id, key, value)),
            _ => Err(PrintErrorKind::UnexpectedDescriptor.into()),
        }
    }
}
