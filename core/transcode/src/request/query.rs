//! Query parameters.

use super::carried::is_list;
use crate::binding::{Binding, Body, Relation, has_text_form, relate};
use crate::options::{Repeated, Strictness, TranscodeOptions};
use crate::percent::{Buffer, Mode, decode};
use crate::refusal::Refusal;
use smallvec::SmallVec;
use std::ops::Range;
use tidegate_protojson::schema::{Cardinality, Kind};
use tidegate_protojson::{FieldId, MessageId, Schema, text_to_field};

/// More different fields and keys than this are refused: each is compared to those before it.
const MAX_DIFFERENT: usize = 512;

/// Longer names are cut in messages.
const MAX_NAME: usize = 100;

type Path = SmallVec<[FieldId; 4]>;

/// Writes parameters, and remembers which fields they set.
pub(super) struct Writer<'r> {
    binding: &'r Binding,
    schema: &'r Schema,
    options: &'r TranscodeOptions,
    /// The field that the rule binds to the body, and whether the body had content for it.
    body_field: Option<(FieldId, bool)>,
    seen: SmallVec<[Seen; 8]>,
}

/// A field that a parameter has set.
struct Seen {
    path: Path,
    /// The key as written, for an entry of a map.
    key: Option<Box<[u8]>>,
    /// Where it stands in the output.
    place: Range<usize>,
}

/// A parameter's name, and where it stands.
#[derive(Clone, Copy)]
struct Name<'n> {
    /// Decoded, or as it came if it cannot be.
    text: &'n str,
    /// Its first byte in the query.
    offset: usize,
}

/// What a parameter's name means.
struct Target<'n> {
    path: Path,
    /// The text in brackets, for an entry of a map.
    key: Option<&'n str>,
}

/// What a name does not mean.
struct Unknown<'n> {
    /// The message that lacks the field; `None` if there is a field, but nothing in it.
    message: Option<MessageId>,
    /// The component of the name.
    component: &'n str,
}

// === impl Writer ===

impl<'r> Writer<'r> {
    pub(super) fn new(
        binding: &'r Binding,
        schema: &'r Schema,
        options: &'r TranscodeOptions,
        body_field: Option<(FieldId, bool)>,
    ) -> Self {
        Self { binding, schema, options, body_field, seen: SmallVec::new() }
    }

    /// Appends what `query` (`a=1&b.c=2`) says.
    pub(super) fn write(mut self, query: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (raw_name, raw_value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (mut name_buffer, mut value_buffer) = (Buffer::new(), Buffer::new());
            let offset = parameter.as_ptr().addr() - query.as_ptr().addr();
            let name = |text| Name { text, offset };
            let name = decode(raw_name, Mode::Query, &mut name_buffer)
                .map(name)
                .map_err(|error| refuse(name(raw_name), &format!("its name: {error}")))?;
            let value =
                decode(raw_value, Mode::Query, &mut value_buffer).map_err(|error| refuse(name, &error.to_string()))?;
            self.parameter(name, value, out)?;
        }
        Ok(())
    }

    fn parameter(&mut self, name: Name<'_>, value: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.binding.body == Body::Whole {
            return match self.options.query_beside_body {
                Strictness::Ignore => Ok(()),
                Strictness::Reject => Err(refuse(name, "this method takes its request from path and body alone")),
            };
        }
        let target = match self.resolve(name)? {
            Ok(target) => target,
            Err(_) if self.options.unknown_query == Strictness::Ignore => return Ok(()),
            Err(unknown) => return Err(refuse(name, &unknown.describe(self.schema))),
        };
        if self.is_carried(name, &target)? {
            return Ok(());
        }
        let start = out.len();
        let key_len = self.write_value(name, &target, value, out)?;
        // The key's bytes, before the entry is wrapped in its map and that in its parents.
        let key: Option<Box<[u8]>> = target.key.map(|_| out[start..start + key_len].into());
        let wrappers = if key.is_some() { &target.path[..] } else { &target.path[..target.path.len() - 1] };
        super::wrap(self.schema, wrappers, start, out);
        self.remember(name, target.path, key, start, out)
    }

    /// Looks the name up; the inner error is that there is no such field.
    fn resolve<'n>(&self, name: Name<'n>) -> Result<Result<Target<'n>, Unknown<'n>>, Refusal> {
        let mut path = Path::new();
        let mut message = self.binding.input;
        let mut rest = name.text;
        loop {
            let (component, behind) = first_component(rest);
            let Some(id) = self.schema.find_field(message, component) else {
                return Ok(Err(Unknown { message: Some(message), component }));
            };
            let field = self.schema.field(id);
            path.push(id);
            if path.len() >= self.options.parse.max_depth as usize {
                return Err(refuse(name, "is nested too deeply"));
            }
            if field.cardinality == Cardinality::Map {
                let key = behind.strip_prefix('[').and_then(|key| key.strip_suffix(']'));
                let key =
                    key.ok_or_else(|| refuse(name, &format!("`{component}` is a map: write {component}[key]")))?;
                return Ok(Ok(Target { path, key: Some(key) }));
            }
            if behind.is_empty() {
                return Ok(Ok(Target { path, key: None }));
            }
            let Some(next) = behind.strip_prefix('.') else { return Ok(Err(Unknown { message: None, component })) };
            message = match field.kind {
                Kind::Message(_) | Kind::Group(_) if field.cardinality == Cardinality::Repeated => {
                    return Err(refuse(
                        name,
                        &format!("`{component}` is a list of messages, which a query cannot say"),
                    ));
                }
                Kind::Message(held) | Kind::Group(held) => held,
                _ => return Ok(Err(Unknown { message: None, component })),
            };
            rest = next;
        }
    }

    /// Whether path or body carry the field, so that the parameter is to be passed over.
    fn is_carried(&self, name: Name<'_>, target: &Target<'_>) -> Result<bool, Refusal> {
        let by_path = self.binding.variables.iter().map(|variable| (&variable.path[..], true, "path"));
        let body = self.body_field.as_ref();
        let by_body = body.map(|(field, content)| (std::slice::from_ref(field), *content, "body"));
        for (other, has_content, carrier) in by_path.chain(by_body) {
            match relate(self.schema, other, &target.path) {
                Relation::Apart => {}
                Relation::Overlap if self.options.overlapping_query == Strictness::Ignore => return Ok(true),
                Relation::Overlap => return Err(refuse(name, &format!("the {carrier} carries this field"))),
                Relation::Oneof if has_content => {
                    return Err(refuse(name, &format!("the {carrier} carries another member of its oneof")));
                }
                Relation::Oneof => {}
            }
        }
        Ok(false)
    }

    /// Appends the value's own record; of a map, key and value. Gives the length of the key's record.
    fn write_value(
        &self,
        name: Name<'_>,
        target: &Target<'_>,
        text: &str,
        out: &mut Vec<u8>,
    ) -> Result<usize, Refusal> {
        let leaf = *target.path.last().expect("invariant: a field path is not empty");
        let start = out.len();
        let Some(key) = target.key else {
            self.write_text(name, leaf, text, out)?;
            return Ok(0);
        };
        let (Kind::Message(entry) | Kind::Group(entry)) = self.schema.field(leaf).kind else {
            return Err(refuse(name, "is not a map"));
        };
        let part = |number| self.schema.field_by_number(entry, number);
        let (Some(key_field), Some(value_field)) = (part(1), part(2)) else {
            return Err(refuse(name, "is not a map"));
        };
        text_to_field(self.schema, key_field, key, &self.options.parse, out)
            .map_err(|kind| refuse(name, &format!("its key: {kind}")))?;
        let key_len = out.len() - start;
        self.write_text(name, value_field, text, out)?;
        Ok(key_len)
    }

    fn write_text(&self, name: Name<'_>, field: FieldId, text: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if let Kind::Message(message) | Kind::Group(message) = self.schema.field(field).kind {
            if is_list(self.schema, field) {
                return Err(refuse(name, "is a list of messages, which a query cannot say"));
            }
            if !has_text_form(self.schema, message) {
                let message = &self.schema.message(message).full_name;
                return Err(refuse(name, &format!("is a {message}: give its fields one by one")));
            }
        }
        text_to_field(self.schema, field, text, &self.options.parse, out)
            .map_err(|kind| refuse(name, &kind.to_string()))
    }

    /// Compares what was just written (from `start` on) to what was there before.
    fn remember(
        &mut self,
        name: Name<'_>,
        path: Path,
        key: Option<Box<[u8]>>,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let is_list = path.last().is_some_and(|&leaf| is_list(self.schema, leaf));
        let mut place = start..out.len();
        let mut index = 0;
        while let Some(seen) = self.seen.get(index) {
            match relate(self.schema, &seen.path, &path) {
                Relation::Oneof => return Err(refuse(name, "another member of its oneof is given")),
                Relation::Overlap if is_list && seen.path == path => return Ok(()),
                Relation::Overlap if seen.key == key => {
                    // A message and a part of it: which of the two is meant is anyone's guess.
                    if self.options.repeated_query == Repeated::Reject || seen.path != path {
                        return Err(refuse(name, "is given twice"));
                    }
                    // Merging would keep parts of the first: it has to go.
                    let gone = seen.place.clone();
                    out.drain(gone.clone());
                    self.seen.remove(index);
                    for later in self.seen.iter_mut().map(|seen| &mut seen.place).chain([&mut place]) {
                        if later.start >= gone.end {
                            *later = later.start - gone.len()..later.end - gone.len();
                        }
                    }
                }
                Relation::Overlap | Relation::Apart => index += 1,
            }
        }
        if self.seen.len() == MAX_DIFFERENT {
            return Err(refuse(name, &format!("more than {MAX_DIFFERENT} different parameters")));
        }
        // A list comes often: it is to be found at once. How many there are, the schema bounds.
        let index = if is_list { 0 } else { self.seen.len() };
        self.seen.insert(index, Seen { path, key, place });
        Ok(())
    }
}

// === impl Unknown ===

impl Unknown<'_> {
    #[cold]
    fn describe(&self, schema: &Schema) -> String {
        let component = shorten(self.component);
        let Some(message) = self.message.map(|message| schema.message(message)) else {
            return format!("`{component}` has no fields");
        };
        let distance = |name: &str| strsim::osa_distance(name, component);
        let near = message.names().map(|name| (distance(name), name)).min();
        let near = near.filter(|(distance, name)| *distance <= name.len() / 3);
        let hint = near.map(|(_, name)| format!(", did you mean `{name}`?")).unwrap_or_default();
        format!("{} has no field `{component}`{hint}", message.full_name)
    }
}

/// The first component of a parameter's name, and what is behind it: `.next`, `[key]`, or nothing.
fn first_component(name: &str) -> (&str, &str) {
    let end = match name.strip_prefix('[') {
        // `[pkg.extension]`, which has dots of its own.
        Some(extension) => extension.find(']').map(|close| close + 2),
        None => name.find(['.', '[']),
    };
    name.split_at(end.unwrap_or(name.len()))
}

#[cold]
fn refuse(name: Name<'_>, description: &str) -> Refusal {
    let (name, description) = (shorten(name.text), format!("{description} (byte {} of the query)", name.offset));
    Refusal::bad_field(&format!("query parameter `{name}`"), name, &description)
}

/// As much of a caller's text as a message repeats.
pub(super) fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_NAME)]
}
