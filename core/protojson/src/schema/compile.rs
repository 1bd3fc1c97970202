//! Descriptors → tables.

use super::descriptor::{self, Value, each};
use super::error::{SchemaError, SchemaErrorKind};
use super::features::{self, Features, FieldPresence};
use super::{
    Cardinality, Enum, EnumId, ExpectedKey, Field, FieldId, Key, Kind, Message, MessageId, Method, Presence, Schema,
    Service, TagBytes, WellKnown,
};
use super::{prefix, set};
use crate::names::NameTable;
use crate::wire::{MAX_FIELD_NUMBER, WireType};
use std::collections::HashMap;

const LABEL_REQUIRED: u64 = 2;
const LABEL_REPEATED: u64 = 3;
const TYPE_GROUP: u64 = 10;
const TYPE_MESSAGE: u64 = 11;
const TYPE_ENUM: u64 = 14;

/// Field numbers below this are looked up by index.
const DENSE_NUMBERS: u32 = 256;

impl Schema {
    /// Compiles one or more serialized `google.protobuf.FileDescriptorSet`s, imports included.
    /// A file that several sets hold is taken from the first.
    ///
    /// # Errors
    /// [`SchemaError`]: the first element that cannot be compiled, and why.
    pub fn compile(descriptor_sets: &[&[u8]]) -> Result<Self, SchemaError> {
        let mut files: Vec<descriptor::File> = Vec::new();
        let mut raw = Vec::new();
        for set in descriptor_sets {
            let fail = |kind| SchemaError::new("", "", kind);
            for bytes in set::raw_files(set).map_err(fail)? {
                let file = descriptor::file(bytes).map_err(fail)?;
                if !files.iter().any(|known| known.name == file.name) {
                    files.push(file);
                    set::append(&mut raw, bytes);
                }
            }
        }
        let mut compiler = Compiler::default();
        for file in &files {
            compiler.declare_file(file)?;
        }
        let schema = compiler.finish(&files)?;
        Ok(Self { descriptor_set: raw.into(), ..schema })
    }
}

/// A message as declared: what pass two needs to lay out its fields.
struct Declared<'d> {
    full_name: String,
    file: &'d str,
    descriptor: &'d descriptor::Message,
    features: Features,
    /// Extensions of this message, with the features of the place that declares them.
    extensions: Vec<(String, &'d descriptor::Field, Features)>,
}

/// An extension as declared: scope (package or message), field, its features, its file.
type DeclaredExtension<'d> = (String, &'d descriptor::Field, Features, &'d str);

#[derive(Default)]
struct Compiler<'d> {
    messages: Vec<Declared<'d>>,
    message_ids: HashMap<String, u32>,
    extensions: Vec<DeclaredExtension<'d>>,
    enums: Vec<Enum>,
    enum_ids: HashMap<String, u32>,
}

// === pass one: names ===

impl<'d> Compiler<'d> {
    fn declare_file(&mut self, file: &'d descriptor::File) -> Result<(), SchemaError> {
        let features = Features::of_file(&file.syntax, file.edition)
            .and_then(|defaults| defaults.with_options(&file.options, features::IN_FILE))
            .map_err(|kind| SchemaError::new(&file.name, "", kind))?;
        for message in &file.messages {
            self.declare_message(&file.name, &file.package, message, features)?;
        }
        for enumeration in &file.enums {
            self.declare_enum(&file.name, &file.package, enumeration, features)?;
        }
        for extension in &file.extensions {
            self.extensions.push((file.package.clone(), extension, features, &file.name));
        }
        Ok(())
    }

    fn declare_message(
        &mut self,
        file: &'d str,
        scope: &str,
        message: &'d descriptor::Message,
        outer: Features,
    ) -> Result<(), SchemaError> {
        let full_name = join(scope, &message.name);
        let fail = |kind| SchemaError::new(file, &full_name, kind);
        let features = outer.with_options(&message.options, features::IN_MESSAGE).map_err(fail)?;
        let id = u32::try_from(self.messages.len()).map_err(|_| fail(SchemaErrorKind::TooMany))?;
        if self.message_ids.insert(full_name.clone(), id).is_some() {
            return Err(fail(SchemaErrorKind::Duplicate));
        }
        let declared =
            Declared { full_name: full_name.clone(), file, descriptor: message, features, extensions: Vec::new() };
        self.messages.push(declared);
        for nested in &message.messages {
            self.declare_message(file, &full_name, nested, features)?;
        }
        for enumeration in &message.enums {
            self.declare_enum(file, &full_name, enumeration, features)?;
        }
        for extension in &message.extensions {
            self.extensions.push((full_name.clone(), extension, features, file));
        }
        Ok(())
    }

    fn declare_enum(
        &mut self,
        file: &str,
        scope: &str,
        enumeration: &descriptor::Enum,
        outer: Features,
    ) -> Result<(), SchemaError> {
        let full_name = join(scope, &enumeration.name);
        let fail = |kind| SchemaError::new(file, &full_name, kind);
        let features = outer.with_options(&enumeration.options, features::IN_ENUM).map_err(fail)?;
        let default = enumeration.values.first().ok_or_else(|| fail(SchemaErrorKind::EmptyEnum))?.1;
        let mut by_number: Vec<(i32, Box<str>)> = Vec::new();
        for (name, number) in &enumeration.values {
            by_number.push((*number, name.as_str().into()));
        }
        by_number.sort_by_key(|value| value.0);
        by_number.dedup_by_key(|value| value.0);
        let id = u32::try_from(self.enums.len()).map_err(|_| fail(SchemaErrorKind::TooMany))?;
        if self.enum_ids.insert(full_name.clone(), id).is_some() {
            return Err(fail(SchemaErrorKind::Duplicate));
        }
        self.enums.push(Enum {
            closed: features.closed_enums,
            null_value: full_name == "google.protobuf.NullValue",
            by_number: by_number.into(),
            by_name: NameTable::new(
                enumeration.values.iter().map(|(name, number)| (name.as_str(), number.cast_unsigned())),
            ),
            default,
            full_name: full_name.into(),
        });
        Ok(())
    }
}

// === pass two: fields ===

impl<'d> Compiler<'d> {
    fn finish(mut self, files: &'d [descriptor::File]) -> Result<Schema, SchemaError> {
        for (scope, extension, features, file) in std::mem::take(&mut self.extensions) {
            let full_name = join(&scope, &extension.name);
            let extendee = self.message_id(file, &full_name, &extension.extendee)?;
            self.messages[extendee.0 as usize].extensions.push((full_name, extension, features));
        }
        let mut schema = Schema::default();
        for index in 0..self.messages.len() {
            self.lay_out(index, &mut schema)?;
        }
        for file in files {
            for service in &file.services {
                let service = self.service(file, service)?;
                schema.services.push(service);
            }
        }
        schema.message_names = NameTable::new(self.messages.iter().map(|message| message.full_name.as_str()).zip(0..));
        schema.enum_names = NameTable::new(self.enums.iter().map(|enumeration| &*enumeration.full_name).zip(0..));
        schema.enums = self.enums;
        mark_required(&mut schema);
        Ok(schema)
    }

    fn lay_out(&self, index: usize, schema: &mut Schema) -> Result<(), SchemaError> {
        let declared = &self.messages[index];
        let id = MessageId(index as u32);
        let start = schema.fields.len();
        let oneof_numbers = real_oneofs(declared.descriptor);
        for field in &declared.descriptor.fields {
            let full_name = join(&declared.full_name, &field.name);
            let mut compiled = self.field(declared, id, field, &full_name, declared.features, false)?;
            compiled.oneof = field.oneof.and_then(|oneof| oneof_numbers.get(oneof).copied().flatten());
            schema.fields.push(compiled);
        }
        for (full_name, field, features) in &declared.extensions {
            schema.fields.push(self.field(declared, id, field, full_name, *features, true)?);
        }
        mark_seen(&mut schema.fields[start..]);
        let message = self.message(declared, start, &schema.fields[start..])?;
        schema.messages.push(message);
        Ok(())
    }

    fn message(&self, declared: &Declared<'_>, start: usize, fields: &[Field]) -> Result<Message, SchemaError> {
        let fail = |kind| SchemaError::new(declared.file, &declared.full_name, kind);
        if fields.len() >= usize::from(u16::MAX) || start + fields.len() > u32::MAX as usize {
            return Err(fail(SchemaErrorKind::TooMany));
        }
        let start = start as u32;
        let (map_entry, message_set) = message_options(&declared.descriptor.options).map_err(fail)?;
        let mut sparse: Vec<(u32, FieldId)> =
            fields.iter().zip(start..).map(|(field, index)| (field.number, FieldId(index))).collect();
        sparse.sort_unstable_by_key(|entry| entry.0);
        if let Some(twice) = sparse.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(fail(SchemaErrorKind::BadNumber(twice[0].0)));
        }
        if map_entry && (fields.len() != 2 || fields[0].number != 1 || fields[1].number != 2) {
            return Err(fail(SchemaErrorKind::BadMapEntry));
        }
        let dense_len =
            sparse.iter().map(|entry| entry.0 + 1).take_while(|&len| len <= DENSE_NUMBERS).last().unwrap_or(0);
        let mut dense = vec![0u16; dense_len as usize];
        for (number, field) in &sparse {
            if let Some(slot) = dense.get_mut(*number as usize) {
                *slot = (field.0 - start) as u16 + 1;
            }
        }
        let oneof_numbers = real_oneofs(declared.descriptor);
        let oneofs = declared.descriptor.oneofs.iter().zip(&oneof_numbers);
        let required = fields.iter().zip(0..).filter(|(field, _)| field.presence == Presence::Required);
        let required: Box<[u32]> = required.map(|(_, slot)| slot).collect();
        let json_names = fields.iter().map(|field| &*field.json_name).zip(0..);
        let proto_names = fields.iter().zip(0..).filter(|(field, _)| !field.json_name.starts_with('['));
        Ok(Message {
            fields: start..start + fields.len() as u32,
            dense: dense.into(),
            sparse: sparse.into(),
            by_name: NameTable::new(json_names.chain(proto_names.map(|(field, slot)| (&*field.name, slot)))),
            is_plain: required.is_empty() && !message_set,
            checks_required: !required.is_empty(),
            required,
            oneofs: oneofs
                .filter(|(_, number)| number.is_some())
                .map(|(oneof, _)| oneof.name.as_str().into())
                .collect(),
            well_known: well_known(&declared.full_name),
            map_entry,
            message_set,
            full_name: declared.full_name.as_str().into(),
        })
    }

    fn field(
        &self,
        declared: &Declared<'_>,
        message: MessageId,
        field: &descriptor::Field,
        full_name: &str,
        outer: Features,
        extension: bool,
    ) -> Result<Field, SchemaError> {
        let fail = |kind| SchemaError::new(declared.file, full_name, kind);
        // A member of a oneof inherits through it.
        let oneof = field.oneof.filter(|_| !extension).and_then(|oneof| declared.descriptor.oneofs.get(oneof));
        let outer = match oneof {
            Some(oneof) => outer.with_options(&oneof.options, features::IN_ONEOF).map_err(fail)?,
            None => outer,
        };
        let features = outer.with_options(&field.options, features::IN_FIELD).map_err(fail)?;
        if field.number == 0 || field.number > MAX_FIELD_NUMBER {
            return Err(fail(SchemaErrorKind::BadNumber(field.number)));
        }
        let in_entry = message_options(&declared.descriptor.options).map_err(fail)?.0;
        let kind = self.kind(declared.file, full_name, field, features.delimited && !in_entry)?;
        let repeated = field.label == LABEL_REPEATED;
        let is_message = matches!(kind, Kind::Message(_) | Kind::Group(_));
        let (kind, cardinality) = match kind {
            Kind::Message(id) | Kind::Group(id) if repeated && self.is_map_entry(id) => {
                (Kind::Message(id), Cardinality::Map)
            }
            kind if repeated => (kind, Cardinality::Repeated),
            kind => (kind, Cardinality::Singular),
        };
        let presence = if field.label == LABEL_REQUIRED
            || (features.presence == FieldPresence::LegacyRequired && !repeated && !extension)
        {
            Presence::Required
        } else if repeated {
            Presence::Implicit
        } else if is_message
            || oneof.is_some()
            || extension
            || field.proto3_optional
            || features.presence == FieldPresence::Explicit
        {
            Presence::Explicit
        } else {
            Presence::Implicit
        };
        let packed_option = packed_option(&field.options).map_err(fail)?;
        let packable = !is_message && !matches!(kind, Kind::String | Kind::Bytes);
        let (name, json_name): (Box<str>, Box<str>) = if extension {
            (full_name.into(), format!("[{full_name}]").into())
        } else if field.json_name.is_empty() {
            (field.name.as_str().into(), lower_camel(&field.name).into())
        } else {
            (field.name.as_str().into(), field.json_name.as_str().into())
        };
        Ok(Field {
            number: field.number,
            kind,
            cardinality,
            presence,
            packed: repeated && packable && packed_option.unwrap_or(features.packed),
            verify_utf8: features.verify_utf8,
            oneof: None,
            message,
            tag: TagBytes::of(field.number, kind.wire_type()),
            raw_tag: field.number << 3 | kind.wire_type() as u32,
            seen: 0,
            closed_enum: matches!(kind, Kind::Enum(id) if self.enums[id.0 as usize].closed),
            json_key: Key::of(&json_name),
            proto_key: Key::of(if extension { &json_name } else { &name }),
            expected: ExpectedKey::new(prefix::member(&json_name).trim_start_matches(',').as_bytes()),
            name,
            json_name,
        })
    }

    fn kind(
        &self,
        file: &str,
        full_name: &str,
        field: &descriptor::Field,
        delimited: bool,
    ) -> Result<Kind, SchemaError> {
        let kind = match field.kind {
            1 => Kind::Double,
            2 => Kind::Float,
            3 => Kind::Int64,
            4 => Kind::Uint64,
            5 => Kind::Int32,
            6 => Kind::Fixed64,
            7 => Kind::Fixed32,
            8 => Kind::Bool,
            9 => Kind::String,
            TYPE_GROUP => Kind::Group(self.message_id(file, full_name, &field.type_name)?),
            TYPE_MESSAGE => {
                let id = self.message_id(file, full_name, &field.type_name)?;
                if delimited && !self.is_map_entry(id) { Kind::Group(id) } else { Kind::Message(id) }
            }
            12 => Kind::Bytes,
            13 => Kind::Uint32,
            TYPE_ENUM => Kind::Enum(self.enum_id(file, full_name, &field.type_name)?),
            15 => Kind::Sfixed32,
            16 => Kind::Sfixed64,
            17 => Kind::Sint32,
            18 => Kind::Sint64,
            other => return Err(SchemaError::new(file, full_name, SchemaErrorKind::BadType(other))),
        };
        Ok(kind)
    }

    fn is_map_entry(&self, id: MessageId) -> bool {
        let options = &self.messages[id.0 as usize].descriptor.options;
        message_options(options).is_ok_and(|(map_entry, _)| map_entry)
    }

    fn message_id(&self, file: &str, element: &str, type_name: &str) -> Result<MessageId, SchemaError> {
        let name = type_name.strip_prefix('.').unwrap_or(type_name);
        let unresolved = || SchemaError::new(file, element, SchemaErrorKind::UnresolvedType(name.into()));
        self.message_ids.get(name).map(|&id| MessageId(id)).ok_or_else(unresolved)
    }

    fn enum_id(&self, file: &str, element: &str, type_name: &str) -> Result<EnumId, SchemaError> {
        let name = type_name.strip_prefix('.').unwrap_or(type_name);
        let unresolved = || SchemaError::new(file, element, SchemaErrorKind::UnresolvedType(name.into()));
        self.enum_ids.get(name).map(|&id| EnumId(id)).ok_or_else(unresolved)
    }

    fn service(&self, file: &descriptor::File, service: &descriptor::Service) -> Result<Service, SchemaError> {
        let full_name = join(&file.package, &service.name);
        let mut methods = Vec::new();
        for method in &service.methods {
            let element = join(&full_name, &method.name);
            methods.push(Method {
                name: method.name.as_str().into(),
                input: self.message_id(&file.name, &element, &method.input)?,
                output: self.message_id(&file.name, &element, &method.output)?,
                client_streaming: method.client_streaming,
                server_streaming: method.server_streaming,
                options: method.options.as_slice().into(),
            });
        }
        Ok(Service { full_name: full_name.into(), file: file.name.as_str().into(), methods })
    }
}

impl Kind {
    /// The wire type of one unpacked value.
    #[must_use]
    pub fn wire_type(self) -> WireType {
        match self {
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => WireType::Fixed64,
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => WireType::Fixed32,
            Kind::String | Kind::Bytes | Kind::Message(_) => WireType::Len,
            Kind::Group(_) => WireType::StartGroup,
            Kind::Int64
            | Kind::Uint64
            | Kind::Int32
            | Kind::Bool
            | Kind::Uint32
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Enum(_) => WireType::Varint,
        }
    }
}

/// By index of the declared oneofs: its number among the real ones, `None` for a synthetic one.
fn real_oneofs(message: &descriptor::Message) -> Vec<Option<u16>> {
    let mut next = 0u16;
    let synthetic = |index| message.fields.iter().any(|field| field.oneof == Some(index) && field.proto3_optional);
    let number = |index| {
        (!synthetic(index)).then(|| {
            next += 1;
            next - 1
        })
    };
    (0..message.oneofs.len()).map(number).collect()
}

/// Gives every field its bits, see [`Field::seen`].
fn mark_seen(fields: &mut [Field]) {
    let slots = fields.len() as u64;
    let bit = |slot: u64| u32::try_from(slot).ok().and_then(|slot| 1u64.checked_shl(slot));
    for (slot, field) in (0..).zip(fields) {
        let oneof = field.oneof.map_or(Some(0), |oneof| bit(slots + u64::from(oneof)));
        field.seen = bit(slot).zip(oneof).map_or(0, |(slot, oneof)| slot | oneof);
    }
}

/// Marks every message that can hold one with required fields, by walking backwards from those.
fn mark_required(schema: &mut Schema) {
    let mut holders: Vec<Vec<u32>> = vec![Vec::new(); schema.messages.len()];
    for field in &schema.fields {
        if let Kind::Message(held) | Kind::Group(held) = field.kind {
            holders[held.0 as usize].push(field.message.0);
        }
    }
    let mut pending: Vec<u32> =
        (0..).zip(&schema.messages).filter(|(_, message)| message.checks_required).map(|(index, _)| index).collect();
    while let Some(index) = pending.pop() {
        for &holder in &holders[index as usize] {
            let message = &mut schema.messages[holder as usize];
            if !message.checks_required {
                message.checks_required = true;
                pending.push(holder);
            }
        }
    }
}

/// `map_entry` and `message_set_wire_format` of a `MessageOptions`.
fn message_options(options: &[u8]) -> Result<(bool, bool), SchemaErrorKind> {
    let (mut map_entry, mut message_set) = (false, false);
    each(options, |number, value: Value<'_>| {
        match number {
            1 => message_set = value.number() != 0,
            7 => map_entry = value.number() != 0,
            _ => {}
        }
        Ok(())
    })?;
    Ok((map_entry, message_set))
}

/// `packed` of a `FieldOptions`.
fn packed_option(options: &[u8]) -> Result<Option<bool>, SchemaErrorKind> {
    let mut packed = None;
    each(options, |number, value| {
        if number == 2 {
            packed = Some(value.number() != 0);
        }
        Ok(())
    })?;
    Ok(packed)
}

fn well_known(full_name: &str) -> WellKnown {
    match full_name.strip_prefix("google.protobuf.") {
        Some("Any") => WellKnown::Any,
        Some("Timestamp") => WellKnown::Timestamp,
        Some("Duration") => WellKnown::Duration,
        Some("FieldMask") => WellKnown::FieldMask,
        Some("Struct") => WellKnown::Struct,
        Some("Value") => WellKnown::Value,
        Some("ListValue") => WellKnown::ListValue,
        Some("Empty") => WellKnown::Empty,
        Some(
            "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value" | "UInt32Value" | "BoolValue"
            | "StringValue" | "BytesValue",
        ) => WellKnown::Wrapper,
        _ => WellKnown::None,
    }
}

/// The default `json_name`: underscores go, the letter behind each becomes upper case.
fn lower_camel(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        if character == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            result.push(character.to_ascii_uppercase());
        } else {
            result.push(character);
        }
    }
    result
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.into() } else { format!("{scope}.{name}") }
}
