//! Does the message written so far already say something about a field?

use tidegate_protojson::schema::Cardinality;
use tidegate_protojson::wire::{Reader, WireError, WireType};
use tidegate_protojson::{FieldId, MessageId, Schema};

/// What wire bytes say about a field path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried<'w> {
    /// Nothing.
    No,
    /// This value: without its tag and, of a length-delimited one, without its length.
    Value(&'w [u8]),
    /// Another member of a oneof that the path goes through.
    Oneof(FieldId),
}

/// Groups nested deeper than this are passed over: nothing that we write has them.
const DEPTH: u32 = 1000;

/// What `wire`, a `message` that our own codec wrote, says about the field at the end of `path`.
///
/// Linear in `wire`; members of messages that are not on the path are skipped by their length.
pub(super) fn carried<'w>(schema: &Schema, message: MessageId, path: &[FieldId], wire: &'w [u8]) -> Carried<'w> {
    let mut found = Carried::No;
    // Our own bytes are well-formed; of any others what was found before the fault counts.
    let _: Result<(), WireError> = scan(schema, message, path, wire, &mut found);
    found
}

fn scan<'w>(
    schema: &Schema,
    message: MessageId,
    path: &[FieldId],
    wire: &'w [u8],
    found: &mut Carried<'w>,
) -> Result<(), WireError> {
    let Some((&wanted, below)) = path.split_first() else { return Ok(()) };
    let field = schema.field(wanted);
    let mut reader = Reader::new(wire);
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag()?;
        if number == field.number {
            let value = value(&mut reader, number, wire_type)?;
            match below.first() {
                None => *found = Carried::Value(value),
                Some(&next) => scan(schema, schema.field(next).message, below, value, found)?,
            }
            continue;
        }
        reader.skip(number, wire_type, DEPTH)?;
        if field.oneof.is_some()
            && let Some(other) = schema.field_by_number(message, number)
            && schema.field(other).oneof == field.oneof
        {
            *found = Carried::Oneof(other);
        }
    }
    Ok(())
}

/// The value behind a tag: without its length, if it has one.
pub(super) fn value<'w>(reader: &mut Reader<'w>, number: u32, wire_type: WireType) -> Result<&'w [u8], WireError> {
    match wire_type {
        WireType::Len => reader.len_prefixed(),
        WireType::StartGroup => reader.group(number, DEPTH),
        _ => {
            let start = reader.position();
            reader.skip(number, wire_type, DEPTH)?;
            Ok(reader.since(start))
        }
    }
}

/// The value of a record that is nothing but tag and value; empty if there is no record.
pub(super) fn record_value(record: &[u8]) -> &[u8] {
    let mut reader = Reader::new(record);
    reader.tag().and_then(|(number, wire_type)| value(&mut reader, number, wire_type)).unwrap_or_default()
}

/// A list, whose values add up; all else replaces or merges.
pub(super) fn is_list(schema: &Schema, field: FieldId) -> bool {
    schema.field(field).cardinality == Cardinality::Repeated
}
