//! Messages with a JSON form of their own, in any order.

use super::{Failure, Ordered, Print, Segment};
use crate::index::{Level, Source};
use crate::print::{PrintErrorKind, mask, time};
use crate::schema::{Field, Kind, Message, WellKnown};
use crate::take;
use std::ops::Range;

impl<'p> Ordered<'p, '_> {
    pub(super) fn well_known(&mut self, message: &'p Message, level: &Level, depth: u32) -> Print {
        match message.well_known {
            WellKnown::Timestamp => {
                let (seconds, nanos) = self.seconds_and_nanos(level);
                time::timestamp(&mut self.fast.out, seconds, nanos)
                    .map_err(|_| PrintErrorKind::Timestamp { seconds, nanos }.into())
            }
            WellKnown::Duration => {
                let (seconds, nanos) = self.seconds_and_nanos(level);
                time::duration(&mut self.fast.out, seconds, nanos)
                    .map_err(|_| PrintErrorKind::Duration { seconds, nanos }.into())
            }
            WellKnown::FieldMask => self.field_mask(level),
            WellKnown::Wrapper => self.wrapper(message, level),
            WellKnown::Struct => {
                let depth = self.deeper(depth)?;
                let field = self.only(message)?;
                self.or_empty(field, &self.index.places(level, 1), b"{}", depth)
            }
            WellKnown::ListValue => {
                let depth = self.deeper(depth)?;
                let field = self.only(message)?;
                self.or_empty(field, &self.index.places(level, 1), b"[]", depth)
            }
            WellKnown::Value => self.dynamic_value(message, level, depth),
            WellKnown::Any => self.any(level, depth),
            WellKnown::Empty | WellKnown::None => Err(PrintErrorKind::UnexpectedDescriptor.into()),
        }
    }

    fn or_empty(&mut self, field: &'p Field, places: &Range<usize>, empty: &[u8], depth: u32) -> Print {
        let start = self.fast.out.position();
        self.field(field, places, depth)?;
        if self.fast.out.position() == start {
            self.fast.out.slice(empty);
        }
        Ok(())
    }

    fn seconds_and_nanos(&self, level: &Level) -> (i64, i32) {
        let number = |field| {
            let place = self.index.last(level, field)?;
            take::varint(self.index.value(place)).ok().map(|(value, _)| value)
        };
        (number(1).unwrap_or(0).cast_signed(), number(2).unwrap_or(0) as i32)
    }

    fn field_mask(&mut self, level: &Level) -> Print {
        let start = self.fast.out.position();
        for place in self.index.places(level, 1) {
            let path = self.index.len_prefixed(place)?;
            self.fast.out.byte(b',');
            mask::path(&mut self.fast.out, path)
                .map_err(|_| PrintErrorKind::FieldMask { path: String::from_utf8_lossy(path).into() })?;
        }
        self.fast.out.close(start, b'"', b'"');
        Ok(())
    }

    fn wrapper(&mut self, message: &'p Message, level: &Level) -> Print {
        let field = self.only(message)?;
        match self.index.last(level, field.number) {
            Some(place) => {
                self.fast.value(field, self.index.value(place), 0)?;
            }
            None => self.fast.default_value(field),
        }
        Ok(())
    }

    fn dynamic_value(&mut self, message: &'p Message, level: &Level, depth: u32) -> Print {
        let set = self.index.run(level, level.first());
        let known = set.and_then(|(number, places)| Some((message.field_by_number(number)?, places)));
        let Some((id, places)) = known else { return Err(PrintErrorKind::EmptyValue.into()) };
        let field = self.fast.schema.field(id);
        match field.kind {
            Kind::Message(id) => match self.fast.schema.message(id).well_known {
                WellKnown::Struct | WellKnown::ListValue => self.message(id, Source::Values(places), depth),
                _ => Err(PrintErrorKind::UnexpectedDescriptor.into()),
            },
            _ => {
                let value = self.index.value(places.end.saturating_sub(1));
                self.fast.dynamic_field(field, value, depth)?;
                Ok(())
            }
        }
    }

    fn any(&mut self, level: &Level, depth: u32) -> Print {
        let inner = self.deeper(depth)?;
        let type_url = match self.index.last(level, 1) {
            Some(place) => self.index.len_prefixed(place)?,
            None => &[],
        };
        let value = match self.index.last(level, 2) {
            Some(place) => self.index.content(place)?,
            None => 0..0,
        };
        if type_url.is_empty() && value.is_empty() {
            self.fast.out.block(b"{}", 2);
            return Ok(());
        }
        let start = self.fast.out.position();
        self.fast.type_url(type_url)?;
        match self.fast.schema.resolve_type_url(type_url) {
            Some(id) => {
                let message = self.fast.schema.message(id);
                if message.well_known.is_special() {
                    self.fast.out.block(b",\"value\":", 9);
                    self.message(id, Source::Bytes(value), inner)
                        .map_err(|failure| failure.at(Segment::Field("value".into())))?;
                } else {
                    let level = self.index.open(id, Source::Bytes(value))?;
                    self.fields(message, &level, depth)?;
                    self.index.close(&level);
                }
            }
            None if self.fast.options.opaque_any => {
                let bytes = self.index.bytes(value);
                self.fast.opaque(bytes);
            }
            None => return Err(unknown_type(type_url)),
        }
        self.fast.out.close(start, b'{', b'}');
        Ok(())
    }

    /// Field 1 of a message that must have just that.
    fn only(&self, message: &Message) -> Print<&'p Field> {
        let schema = self.fast.schema;
        let field = message.field_by_number(1).map(|id| schema.field(id));
        field.ok_or_else(|| PrintErrorKind::UnexpectedDescriptor.into())
    }
}

fn unknown_type(type_url: &[u8]) -> Box<Failure> {
    PrintErrorKind::UnknownType { type_url: String::from_utf8_lossy(type_url).into() }.into()
}
