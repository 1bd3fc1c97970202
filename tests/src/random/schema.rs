//! Random schemas.

use prost::Message as _;
use prost_reflect::DescriptorPool;

use super::descriptor as d;
use super::model::{Dialect, Enum, Field, Kind, Label, Message, Model, Scalar, WellKnown};
use super::rng::Rng;

const PACKAGE: &str = "fuzz.v1";
/// Fields from here on are extensions.
const EXTENSIONS: u32 = 1000;

/// A schema of a few messages and enums that use each other.
#[must_use]
pub fn schema(rng: &mut Rng, dialect: Dialect) -> Model {
    let closed_by_default = match dialect {
        Dialect::Proto2 => true,
        Dialect::Proto3 => false,
        Dialect::Edition2023 | Dialect::Edition2024 => rng.percent(30),
    };
    let mut maker = Maker {
        closed_by_default,
        implicit_by_default: dialect != Dialect::Proto2 && dialect != Dialect::Proto3 && rng.percent(40),
        messages: 2 + rng.below(4),
        enums: Vec::new(),
        extensions: Vec::new(),
        rng,
        dialect,
    };
    let enums = (0..2).map(|index| maker.enumeration(index)).collect();
    let messages = (0..maker.messages).map(|index| maker.message(index)).collect::<Vec<_>>();
    let (descriptors, messages) = messages.into_iter().unzip();
    let file = maker.file(descriptors, enums);
    let mut descriptor_set = well_known_files();
    descriptor_set.extend(d::Set { file: vec![file] }.encode_to_vec());
    Model { descriptor_set, messages, enums: maker.enums }
}

/// The files of the well-known types, as an encoded set: sets are joined by joining their bytes.
fn well_known_files() -> Vec<u8> {
    let pool = DescriptorPool::global();
    let file = pool.file_descriptor_protos().cloned().collect();
    prost_types::FileDescriptorSet { file }.encode_to_vec()
}

struct Maker<'a> {
    rng: &'a mut Rng,
    dialect: Dialect,
    closed_by_default: bool,
    implicit_by_default: bool,
    messages: usize,
    enums: Vec<Enum>,
    extensions: Vec<d::Field>,
}

impl Maker<'_> {
    fn edition(&self) -> Option<i32> {
        match self.dialect {
            Dialect::Edition2023 => Some(1000),
            Dialect::Edition2024 => Some(1001),
            Dialect::Proto2 | Dialect::Proto3 => None,
        }
    }

    fn file(&mut self, message: Vec<d::Message>, enumeration: Vec<d::Enum>) -> d::File {
        let features = self.edition().map(|_| d::Features {
            presence: self.implicit_by_default.then_some(2),
            enumeration: self.closed_by_default.then_some(2),
            repeated: self.rng.percent(30).then_some(2),
            message: None,
        });
        let well_known = ["any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers"];
        d::File {
            name: Some("fuzz/v1/fuzz.proto".to_owned()),
            package: Some(PACKAGE.to_owned()),
            dependency: well_known.map(|name| format!("google/protobuf/{name}.proto")).into(),
            message,
            enumeration,
            extension: std::mem::take(&mut self.extensions),
            options: features.map(|features| d::FileOptions { features: Some(features) }),
            syntax: Some(match self.dialect {
                Dialect::Proto2 => "proto2".to_owned(),
                Dialect::Proto3 => "proto3".to_owned(),
                _ => "editions".to_owned(),
            }),
            edition: self.edition(),
        }
    }

    fn enumeration(&mut self, index: usize) -> d::Enum {
        // Of the two, the first is as the file says, the second may say otherwise.
        let otherwise = index == 1 && self.edition().is_some() && self.rng.percent(50);
        let closed = self.closed_by_default != otherwise;
        let alias = self.rng.percent(30);
        let mut values: Vec<(String, i32)> = [0, 1, 2, -1, i32::MAX, 77]
            .into_iter()
            .map(|number| (format!("E{index}_{}", format!("v{number}").replace('-', "minus_").to_uppercase()), number))
            .collect();
        values.truncate(2 + self.rng.below(5));
        if alias {
            values.push((format!("E{index}_ALIAS"), 1));
        }
        if closed && !self.implicit_by_default {
            // The first is the default, and need not be zero where presence is explicit.
            let first = self.rng.below(values.len());
            values.swap(0, first);
        }
        let value = values
            .iter()
            .map(|(name, number)| d::EnumValue { name: Some(name.clone()), number: Some(*number) })
            .collect();
        self.enums.push(Enum { values, closed });
        d::Enum {
            name: Some(format!("Enum{index}")),
            value,
            options: Some(d::EnumOptions {
                allow_alias: alias.then_some(true),
                features: otherwise
                    .then(|| d::Features { enumeration: Some(if closed { 2 } else { 1 }), ..d::Features::default() }),
            }),
        }
    }

    fn message(&mut self, index: usize) -> (d::Message, Message) {
        let name = format!("Message{index}");
        let full_name = format!("{PACKAGE}.{name}");
        let extensible = self.dialect != Dialect::Proto3;
        let mut descriptor = d::Message {
            name: Some(name),
            extension_range: extensible
                .then_some(d::Range { start: Some(EXTENSIONS as i32), end: Some(2000) })
                .into_iter()
                .collect(),
            ..d::Message::default()
        };
        let count = 1 + self.rng.below(14);
        let mut number = 0;
        let mut fields = Vec::new();
        let mut synthetic = Vec::new();
        if self.rng.percent(60) {
            descriptor.oneof.push(oneof("choice"));
        }
        for _ in 0..count {
            // Gaps, and now and then a number of more than one byte.
            let gap = if self.rng.percent(10) { 90 } else { 3 };
            number += 1 + self.rng.below(gap) as u32;
            let (mut field, model) = self.field(&full_name, number, &mut descriptor);
            if field.proto3_optional == Some(true) {
                synthetic.push(descriptor.field.len());
                field.oneof_index = None;
            }
            descriptor.field.push(field);
            fields.push(model);
        }
        if descriptor.field.iter().all(|field| field.oneof_index.is_none()) {
            descriptor.oneof.clear();
        }
        // Synthetic oneofs come after the real ones.
        for at in synthetic {
            let field = &mut descriptor.field[at];
            field.oneof_index = Some(descriptor.oneof.len() as i32);
            descriptor.oneof.push(oneof(&format!("_{}", field.name())));
        }
        if extensible {
            for offset in 0..self.rng.below(3) as u32 {
                let (extension, model) = self.extension(&full_name, EXTENSIONS + offset);
                self.extensions.push(extension);
                fields.push(model);
            }
        }
        (descriptor, Message { full_name, fields })
    }

    fn kind(&mut self) -> Kind {
        match self.rng.below(10) {
            0..=4 => Kind::Scalar(*self.rng.choose(&Scalar::ALL)),
            5 => Kind::Enum(self.rng.below(2)),
            6..=7 => Kind::Message(self.rng.below(self.messages)),
            _ => Kind::WellKnown(*self.rng.choose(&WellKnown::ALL)),
        }
    }

    fn field(&mut self, parent: &str, number: u32, message: &mut d::Message) -> (d::Field, Field) {
        let (name, json_name) = self.name(number);
        let kind = self.kind();
        let mut label = match self.rng.below(10) {
            0..=5 => Label::Singular,
            6..=7 => Label::Repeated,
            _ => Label::Map(*self.rng.choose(&[
                Scalar::Int64,
                Scalar::Uint32,
                Scalar::Sint32,
                Scalar::Fixed64,
                Scalar::Bool,
                Scalar::String,
                Scalar::String,
            ])),
        };
        let in_oneof = label == Label::Singular && !message.oneof.is_empty() && self.rng.percent(30);
        if label == Label::Singular && !in_oneof && matches!(kind, Kind::Scalar(_)) && self.rng.percent(5) {
            label = match self.dialect {
                Dialect::Proto3 => Label::Singular,
                _ => Label::Required,
            };
        }
        let mut field = self.descriptor(&name, number, kind);
        field.json_name = Some(json_name.clone());
        field.oneof_index = in_oneof.then_some(0);
        let mut model = Field { name, json_name, number, kind, label, delimited: false, oneof: in_oneof.then_some(0) };
        match label {
            Label::Map(key) => {
                let entry = self.map_entry(parent, &model, key, message);
                field.kind = Some(11);
                field.type_name = Some(entry);
                field.label = Some(3);
            }
            Label::Repeated => field.label = Some(3),
            Label::Required if self.edition().is_none() => field.label = Some(2),
            Label::Required | Label::Singular => {}
        }
        self.features(&mut field, &mut model);
        if self.dialect == Dialect::Proto2 && matches!(label, Label::Singular | Label::Repeated) && !in_oneof {
            // A group is declared with a message type of its own; descriptors take any.
            if matches!(kind, Kind::Message(_)) && self.rng.percent(50) {
                field.kind = Some(10);
                model.delimited = true;
            }
        }
        if self.dialect == Dialect::Proto3 && label == Label::Singular && !in_oneof && self.rng.percent(30) {
            field.proto3_optional = Some(true);
        }
        (field, model)
    }

    fn extension(&mut self, extendee: &str, number: u32) -> (d::Field, Field) {
        let name = format!("ext_{}_{number}", self.extensions.len());
        let kind = self.kind();
        let repeated = self.rng.percent(40);
        let mut field = self.descriptor(&name, number, kind);
        field.extendee = Some(format!(".{extendee}"));
        field.label = Some(if repeated { 3 } else { 1 });
        let name = format!("[{PACKAGE}.{name}]");
        let model = Field {
            json_name: name.clone(),
            name,
            number,
            kind,
            label: if repeated { Label::Repeated } else { Label::Singular },
            delimited: false,
            oneof: None,
        };
        (field, model)
    }

    fn descriptor(&mut self, name: &str, number: u32, kind: Kind) -> d::Field {
        let (code, type_name) = match kind {
            Kind::Scalar(scalar) => (scalar.code(), None),
            Kind::Enum(index) => (14, Some(format!(".{PACKAGE}.Enum{index}"))),
            Kind::Message(index) => (11, Some(format!(".{PACKAGE}.Message{index}"))),
            Kind::WellKnown(WellKnown::NullValue) => (14, Some(".google.protobuf.NullValue".to_owned())),
            Kind::WellKnown(known) => (11, Some(format!(".google.protobuf.{}", known.name()))),
        };
        d::Field {
            name: Some(name.to_owned()),
            number: Some(number as i32),
            label: Some(1),
            kind: Some(code),
            type_name,
            ..d::Field::default()
        }
    }

    /// A name in one of the forms that JSON names are made from, and its JSON name.
    fn name(&mut self, number: u32) -> (String, String) {
        let stems = ["foo", "foo_bar", "fooBar", "Foo", "_foo", "foo__bar", "foo_1x", "foo_bar_", "a"];
        let name = format!("{}{number}", self.rng.choose(&stems));
        let json_name = match self.rng.below(20) {
            0 => format!("custom-{number}"),
            1 => format!("größe {number}"),
            _ => lower_camel(&name),
        };
        (name, json_name)
    }

    fn map_entry(&mut self, parent: &str, field: &Field, key: Scalar, message: &mut d::Message) -> String {
        let name = format!("{}Entry", upper_camel(&field.name));
        let mut value = self.descriptor("value", 2, field.kind);
        value.json_name = Some("value".to_owned());
        let mut key = self.descriptor("key", 1, Kind::Scalar(key));
        key.json_name = Some("key".to_owned());
        message.nested.push(d::Message {
            name: Some(name.clone()),
            field: vec![key, value],
            options: Some(d::MessageOptions { map_entry: Some(true) }),
            ..d::Message::default()
        });
        format!(".{parent}.{name}")
    }

    /// What an edition's field, or a list, may say otherwise than its file.
    fn features(&mut self, field: &mut d::Field, model: &mut Field) {
        let scalar = matches!(model.kind, Kind::Scalar(_) | Kind::Enum(_) | Kind::WellKnown(WellKnown::NullValue));
        let packable = model.label == Label::Repeated
            && scalar
            && !matches!(model.kind, Kind::Scalar(Scalar::String | Scalar::Bytes));
        if self.edition().is_none() {
            let packed = packable && self.rng.percent(50);
            field.options = packed.then(|| d::FieldOptions { packed: Some(self.rng.percent(50)), features: None });
            return;
        }
        let mut features = d::Features::default();
        let closed = matches!(model.kind, Kind::Enum(index) if self.enums[index].closed);
        if model.label == Label::Required {
            features.presence = Some(3);
        } else if model.label == Label::Singular && model.oneof.is_none() && scalar {
            features.presence = match self.rng.below(3) {
                // A closed enum cannot be implicit, whatever the file says.
                _ if closed => Some(1),
                0 => None,
                1 => Some(1),
                _ => Some(2),
            };
        }
        if packable && self.rng.percent(50) {
            features.repeated = Some(1 + self.rng.below(2) as i32);
        }
        let message = matches!(model.kind, Kind::Message(_)) && !matches!(model.label, Label::Map(_));
        if message && self.rng.percent(40) {
            features.message = Some(2);
            model.delimited = true;
        }
        field.options =
            (features != d::Features::default()).then_some(d::FieldOptions { packed: None, features: Some(features) });
    }
}

fn oneof(name: &str) -> d::Oneof {
    d::Oneof { name: Some(name.to_owned()) }
}

/// As protoc makes JSON names: underscores go, and the letter after one is upper case.
fn lower_camel(name: &str) -> String {
    let mut camel = String::new();
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                camel.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => camel.push(c),
        }
    }
    camel
}

/// As protoc names map entries.
fn upper_camel(name: &str) -> String {
    let camel = lower_camel(name);
    let mut chars = camel.chars();
    chars.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}
