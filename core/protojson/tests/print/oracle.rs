//! Against prost-reflect, on messages made up at random, in order and out of it.

use crate::support::{message, pool, schema};
use prost::Message;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, SerializeOptions, Value,
};
use tidegate_protojson::{PrintOptions, reencode, wire_to_json};

/// A small generator: the same numbers on every run.
pub(crate) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn text(&mut self) -> String {
        let letters = ['a', 'Z', '"', '\\', '\n', 'é', '日', '😁', ' ', '\u{1}', '/', '0'];
        (0..self.below(24)).map(|_| letters[self.below(letters.len() as u64) as usize]).collect()
    }

    fn number(&mut self) -> u64 {
        let shift = self.below(64);
        self.next() >> shift
    }

    fn value(&mut self, kind: &Kind, depth: u32) -> Value {
        let number = self.number();
        match kind {
            Kind::Double => Value::F64(f64::from_bits(self.next()) / 1.0),
            Kind::Float => Value::F32(f32::from_bits(self.next() as u32)),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number as i64),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(number as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(number),
            Kind::Bool => Value::Bool(number & 1 == 1),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Enum(enumeration) => {
                let values: Vec<i32> = enumeration.values().map(|value| value.number()).collect();
                Value::EnumNumber(values[self.below(values.len() as u64) as usize])
            }
            Kind::Message(message) => Value::Message(self.message(message, depth)),
        }
    }

    fn field(&mut self, field: &FieldDescriptor, depth: u32) -> Value {
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!("a map's kind is its entry") };
            let entries = (0..self.below(12)).map(|_| {
                let key = match self.value(&entry.map_entry_key_field().kind(), depth) {
                    Value::I32(key) => MapKey::I32(key),
                    Value::I64(key) => MapKey::I64(key),
                    Value::U32(key) => MapKey::U32(key),
                    Value::U64(key) => MapKey::U64(key),
                    Value::Bool(key) => MapKey::Bool(key),
                    Value::String(key) => MapKey::String(key),
                    other => unreachable!("no key: {other:?}"),
                };
                (key, self.value(&entry.map_entry_value_field().kind(), depth))
            });
            Value::Map(entries.collect())
        } else if field.is_list() {
            Value::List((0..self.below(6)).map(|_| self.value(&field.kind(), depth)).collect())
        } else {
            self.value(&field.kind(), depth)
        }
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        match descriptor.full_name() {
            "google.protobuf.Timestamp" => {
                message.set_field_by_name("seconds", Value::I64(self.below(4_000_000_000) as i64 - 1_000_000_000));
                message.set_field_by_name("nanos", Value::I32([0, 5_000_000, 7_000, 9][self.below(4) as usize]));
                return message;
            }
            "google.protobuf.Duration" => {
                let sign = if self.below(2) == 0 { 1 } else { -1 };
                message.set_field_by_name("seconds", Value::I64(sign * self.below(100_000) as i64));
                message.set_field_by_name(
                    "nanos",
                    Value::I32(sign as i32 * [0, 5_000_000, 7_000, 9][self.below(4) as usize]),
                );
                return message;
            }
            "google.protobuf.FieldMask" => {
                let paths = (0..self.below(4)).map(|index| Value::String(format!("a_b{index}.c_d"))).collect();
                message.set_field_by_name("paths", Value::List(paths));
                return message;
            }
            "google.protobuf.Any" => {
                // The oracle cannot print an empty one.
                let inner = descriptor.parent_pool().get_message_by_name("modern.Choice").expect("a message");
                let content = self.message(&inner, depth.saturating_sub(1)).encode_to_vec();
                message.set_field_by_name("type_url", Value::String("x/modern.Choice".into()));
                message.set_field_by_name("value", Value::Bytes(content.into()));
                return message;
            }
            "google.protobuf.Value" => {
                let nested = if depth == 0 { 4 } else { 6 };
                let member = descriptor.get_field(1 + self.below(nested) as u32).expect("a member");
                let value = match member.number() {
                    2 => Value::F64((self.number() >> 24) as f64 / 8.0),
                    _ => self.value(&member.kind(), depth.saturating_sub(1)),
                };
                message.set_field(&member, value);
                return message;
            }
            _ => {}
        }
        for field in descriptor.fields() {
            let nests = matches!(field.kind(), Kind::Message(_));
            let required = field.cardinality() == prost_reflect::Cardinality::Required;
            if required || (self.below(3) > 0 && (depth > 0 || !nests)) {
                message.set_field(&field, self.field(&field, depth.saturating_sub(1)));
            }
        }
        message
    }
}

fn ours(name: &str, wire: &[u8], options: &PrintOptions) -> serde_json::Value {
    let mut out = Vec::new();
    wire_to_json(schema(), message(name), wire, options, &mut out).expect("it prints");
    serde_json::from_slice(&out).expect("it is JSON")
}

fn theirs(message: &DynamicMessage, options: &SerializeOptions) -> serde_json::Value {
    // By way of text: as a tree, single precision would become the nearest double.
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut json);
    message.serialize_with_options(&mut serializer, options).expect("the oracle prints");
    serde_json::from_slice(&json).expect("it is JSON")
}

/// Numbers of both sides as floats: exponents and trailing zeros are no difference.
fn floats(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::Number(number) => number.as_f64().map_or(Json::Null, |float| Json::String(format!("{float:e}"))),
        Json::Array(list) => Json::Array(list.into_iter().map(floats).collect()),
        Json::Object(members) => members.into_iter().map(|(key, value)| (key, floats(value))).collect(),
        other => other,
    }
}

/// Where two documents differ, for a failure that can be read.
#[track_caller]
fn same(name: &str, ours: &serde_json::Value, theirs: &serde_json::Value) {
    use serde_json::Value as Json;
    match (ours, theirs) {
        (Json::Object(ours), Json::Object(theirs)) if ours.keys().eq(theirs.keys()) => {
            for (key, value) in ours {
                same(&format!("{name}.{key}"), value, &theirs[key]);
            }
        }
        (Json::Array(ours), Json::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                same(&format!("{name}[{index}]"), ours, theirs);
            }
        }
        _ => assert_eq!(ours, theirs, "{name}"),
    }
}

const NAMES: [&str; 7] =
    ["modern.Scalars", "modern.Lists", "modern.Node", "modern.Maps", "modern.Choice", "modern.Known", "old.Item"];

pub(crate) fn each_sample(mut visit: impl FnMut(&str, &DynamicMessage, &[u8], &mut Random)) {
    let pool = pool();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for name in NAMES {
        let descriptor = pool.get_message_by_name(name).expect("a message");
        for _ in 0..60 {
            let message = random.message(&descriptor, 3);
            let wire = message.encode_to_vec();
            visit(name, &message, &wire, &mut random);
        }
    }
}

#[test]
fn what_we_print_is_what_prost_reflect_prints() {
    each_sample(|name, message, wire, _| {
        let expected = theirs(message, &SerializeOptions::new());
        same(name, &floats(ours(name, wire, &PrintOptions::default())), &floats(expected));
    });
}

#[test]
fn what_we_print_with_defaults_is_what_prost_reflect_prints() {
    each_sample(|name, message, wire, _| {
        let theirs_options = SerializeOptions::new()
            .skip_default_fields(false)
            .use_proto_field_name(true)
            .use_enum_numbers(true)
            .stringify_64_bit_integers(false);
        let options = PrintOptions {
            emit_defaults: true,
            proto_names: true,
            enum_numbers: true,
            int64_numbers: true,
            ..PrintOptions::default()
        };
        if name == "old.Item" {
            // The oracle writes absent fields that have presence, too.
            return;
        }
        let expected = floats(theirs(message, &theirs_options));
        let printed = floats(ours(name, wire, &options));
        same(name, &without_null_members(printed), &without_null_members(expected));
    });
}

/// The oracle leaves out or writes `null` for absent messages in another way.
fn without_null_members(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::Array(list) => Json::Array(list.into_iter().map(without_null_members).collect()),
        Json::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_null_members(value)))
            .collect(),
        other => other,
    }
}

/// The records of a message, each with its tag.
fn records(wire: &[u8]) -> Vec<&[u8]> {
    let mut reader = tidegate_protojson::wire::Reader::new(wire);
    let mut records = Vec::new();
    while !reader.is_empty() {
        let start = reader.position();
        let (number, wire_type) = reader.tag().expect("a tag");
        reader.skip(number, wire_type, 100).expect("a value");
        records.push(reader.since(start));
    }
    records
}

/// Puts records into another order, each field's own as they were.
fn shuffled(wire: &[u8], random: &mut Random) -> Vec<u8> {
    let records = records(wire);
    let number = |record: &[u8]| tidegate_protojson::wire::Reader::new(record).tag().expect("a tag").0;
    let mut queues: Vec<(u32, std::collections::VecDeque<&[u8]>)> = Vec::new();
    for record in records {
        let number = number(record);
        match queues.iter_mut().find(|(known, _)| *known == number) {
            Some((_, queue)) => queue.push_back(record),
            None => queues.push((number, [record].into())),
        }
    }
    let mut wire = Vec::new();
    while !queues.is_empty() {
        let index = random.below(queues.len() as u64) as usize;
        wire.extend_from_slice(queues[index].1.pop_front().expect("queues are not empty"));
        queues.retain(|(_, queue)| !queue.is_empty());
    }
    wire
}

#[test]
fn another_order_of_the_fields_prints_the_same() {
    each_sample(|name, _, wire, random| {
        let options = PrintOptions { emit_defaults: true, ..PrintOptions::default() };
        let expected = ours(name, wire, &options);
        for _ in 0..3 {
            assert_eq!(ours(name, &shuffled(wire, random), &options), expected, "{name}");
        }
    });
}

#[test]
fn a_message_behind_itself_prints_as_their_merge() {
    each_sample(|name, message, wire, random| {
        let Some(descriptor) = message.descriptor().parent_pool().get_message_by_name(name) else { return };
        let other = random.message(&descriptor, 3);
        let both = [wire, &other.encode_to_vec()].concat();
        let mut merged = message.clone();
        merged.merge(other.encode_to_vec().as_slice()).expect("the oracle merges");
        if name == "modern.Known" || name == "modern.Node" {
            // The oracle merges an Any's and a Value's members in another way than protobuf; covered elsewhere.
            ours_or_error(name, &both);
            return;
        }
        let expected = theirs(&merged, &SerializeOptions::new());
        same(name, &floats(ours(name, &both, &PrintOptions::default())), &floats(expected));
    });
}

fn ours_or_error(name: &str, wire: &[u8]) {
    let mut out = Vec::new();
    if wire_to_json(schema(), message(name), wire, &PrintOptions::default(), &mut out).is_err() {
        assert_eq!(out, b"");
    }
}

#[test]
fn re_encoding_keeps_the_message_and_is_stable() {
    each_sample(|name, message, wire, random| {
        let encode = |wire: &[u8]| {
            let mut out = Vec::new();
            reencode(schema(), crate::support::message(name), wire, &mut out).expect("it encodes");
            out
        };
        let once = encode(&shuffled(wire, random));
        assert_eq!(encode(&once), once, "{name}");
        let decoded = DynamicMessage::decode(message.descriptor(), once.as_slice()).expect("the oracle reads it");
        // NaN differs from itself; as text it does not.
        assert_eq!(format!("{:?}", sorted(&decoded)), format!("{:?}", sorted(message)), "{name}");
    });
}

/// Maps in an order of their own, for comparison as text.
fn sorted(message: &DynamicMessage) -> serde_json::Value {
    floats(theirs(message, &SerializeOptions::new()))
}
