//! Fields that must be set (proto2 `required`), wherever their values came from.

use super::carried::value;
use crate::refusal::Refusal;
use std::collections::HashSet;
use tidegate_protojson::schema::{Kind, Presence};
use tidegate_protojson::wire::{Reader, WireError};
use tidegate_protojson::{FieldId, MessageId, Schema, reencode};

/// Whether a message, or any that it can hold, has such fields.
pub(crate) fn has_required(schema: &Schema, message: MessageId) -> bool {
    let (mut seen, mut pending) = (HashSet::from([message]), vec![message]);
    while let Some(message) = pending.pop() {
        for (_, field) in schema.fields(message) {
            if field.presence == Presence::Required {
                return true;
            }
            if let Kind::Message(held) | Kind::Group(held) = field.kind
                && seen.insert(held)
            {
                pending.push(held);
            }
        }
    }
    false
}

/// Refuses a composed message that lacks one.
pub(super) fn check(schema: &Schema, message: MessageId, wire: &[u8]) -> Result<(), Refusal> {
    // Body, query and path may each hold a part of one message: merge them first.
    let mut whole = Vec::with_capacity(wire.len());
    let result = reencode(schema, message, wire, &mut whole).map_err(|error| error.to_string());
    result.map_err(|error| Refusal::bad_field("request", "", &error))?;
    let mut path = Vec::new();
    match missing(schema, message, &whole, &mut path) {
        Ok(None) | Err(_) => Ok(()),
        Ok(Some((holder, field))) => {
            path.push(field);
            let names: Vec<&str> = path.iter().map(|&id| &*schema.field(id).name).collect();
            let description = format!(
                "required field `{}` of {} is not set",
                schema.field(field).name,
                schema.message(holder).full_name
            );
            Err(Refusal::bad_field("request", &names.join("."), &description))
        }
    }
}

/// The first required field that canonical wire bytes lack; `path` leads to its message.
fn missing(
    schema: &Schema,
    message: MessageId,
    wire: &[u8],
    path: &mut Vec<FieldId>,
) -> Result<Option<(MessageId, FieldId)>, WireError> {
    let mut set = HashSet::new();
    let mut reader = Reader::new(wire);
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag()?;
        let value = value(&mut reader, number, wire_type)?;
        let Some(id) = schema.field_by_number(message, number) else { continue };
        set.insert(id);
        if let Kind::Message(held) | Kind::Group(held) = schema.field(id).kind {
            path.push(id);
            let found = missing(schema, held, value, path)?;
            if found.is_some() {
                return Ok(found);
            }
            path.pop();
        }
    }
    let unset = |(id, field): &(FieldId, &tidegate_protojson::schema::Field)| {
        field.presence == Presence::Required && !set.contains(id)
    };
    Ok(schema.fields(message).find(unset).map(|(id, _)| (message, id)))
}
