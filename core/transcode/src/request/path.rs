//! What the path captured.

use super::carried::{Carried, carried, record_value};
use crate::binding::{Body, Variable};
use crate::options::TranscodeOptions;
use crate::percent::{Buffer, Mode, decode};
use crate::refusal::Refusal;
use crate::router::Match;
use std::ops::Range;
use tidegate_protojson::schema::Kind;
use tidegate_protojson::{FieldId, Schema, reencode, text_to_field};

/// Appends the values of the path variables; `body` is what the body said, in `out`.
pub(super) fn write(
    found: &Match<'_>,
    schema: &Schema,
    options: &TranscodeOptions,
    body: Range<usize>,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    for (variable, raw) in found.binding.variables.iter().zip(&found.captures) {
        let refuse = |description: &str| refuse(variable, found.offset(raw), description);
        let mode = if variable.multi { Mode::Segments } else { Mode::Segment };
        let mut buffer = Buffer::new();
        let text = decode(raw, mode, &mut buffer).map_err(|error| refuse(&error.to_string()))?;
        let (&leaf, parents) = variable.path.split_last().expect("invariant: a field path is not empty");
        let start = out.len();
        text_to_field(schema, leaf, text, &options.parse, out).map_err(|kind| refuse(&kind.to_string()))?;
        let may_carry = match found.binding.body {
            Body::None => false,
            Body::Whole => true,
            Body::Field(field) => variable.path.first() == Some(&field) || schema.field(field).oneof.is_some(),
        };
        if may_carry {
            let (before, record) = out.split_at(start);
            match carried(schema, found.binding.input, &variable.path, &before[body.clone()]) {
                Carried::No => {}
                Carried::Value(value) if is_same(schema, leaf, value, record_value(record)) => {
                    // Said already; saying it twice would merge messages and add up their lists.
                    out.truncate(start);
                    continue;
                }
                Carried::Value(_) => return Err(refuse("the body has another value for it")),
                Carried::Oneof(other) => {
                    let other = &schema.field(other).name;
                    return Err(refuse(&format!("the body has `{other}` of the same oneof")));
                }
            }
        }
        super::wrap(schema, parents, start, out);
    }
    Ok(())
}

/// Whether two encodings of a field's value, which our own codec wrote, mean the same: those of a
/// message can differ in defaults that are written out.
fn is_same(schema: &Schema, leaf: FieldId, one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let (Kind::Message(message) | Kind::Group(message)) = schema.field(leaf).kind else { return false };
    let canonical = |wire: &[u8]| {
        let mut out = Vec::new();
        reencode(schema, message, wire, &mut out).ok().map(|()| out)
    };
    canonical(one).is_some_and(|one| Some(one) == canonical(other))
}

#[cold]
fn refuse(variable: &Variable, offset: usize, description: &str) -> Refusal {
    let description = format!("{description} (byte {offset} of the path)");
    Refusal::bad_field(&format!("path variable `{}`", variable.name), &variable.name, &description)
}
