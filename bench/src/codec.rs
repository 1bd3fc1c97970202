//! The codec alone: five shapes of message, both ways, beside what one would use otherwise.

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tidegate_protojson::{MessageId, ParseOptions, PrintOptions, Schema, json_to_wire, wire_to_json};

/// A shape of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// Seven scalars.
    Small,
    /// A tree, six levels deep.
    Nested,
    /// A list of 500 objects of five scalars.
    LargeArray,
    /// 120 paragraphs of prose.
    StringHeavy,
    /// Three maps.
    MapHeavy,
}

/// What is done to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Work {
    /// Our codec, JSON to wire.
    OursToWire,
    /// Our codec, wire to JSON.
    OursToJson,
    /// prost-reflect with serde_json, JSON to wire.
    ReflectToWire,
    /// prost-reflect with serde_json, wire to JSON.
    ReflectToJson,
    /// serde_json, which checks the JSON and keeps nothing.
    Ignore,
}

impl Shape {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 5] = [Self::Small, Self::Nested, Self::LargeArray, Self::StringHeavy, Self::MapHeavy];

    fn message(self) -> String {
        format!("tidegate.bench.v1.{self:?}")
    }

    fn value(self) -> Value {
        match self {
            Self::Small => json!({
                "id": "ord-000102938", "customer": "cus-77120", "quantity": 3,
                "priceCents": "129900", "paid": true, "state": "STATE_PAID",
                "createdAt": "2026-09-21T14:13:20.123Z",
            }),
            Self::Nested => nested(6, 1),
            Self::LargeArray => json!({"rows": (1..=500).map(row).collect::<Value>()}),
            Self::StringHeavy => json!({
                "title": "On tides, and the gates that hold them",
                "paragraphs": (0..120).map(paragraph).collect::<Value>(),
            }),
            Self::MapHeavy => maps(),
        }
    }
}

fn nested(depth: i64, number: i64) -> Value {
    let mut node = json!({
        "name": format!("node-{number:04}"),
        "size": 4096 + number,
        "owner": {"user": format!("user{number}"), "group": "staff", "since": (1_700_000_000 + number).to_string()},
    });
    if depth > 1 {
        node["children"] = json!([nested(depth - 1, 2 * number), nested(depth - 1, 2 * number + 1)]);
    }
    node
}

fn row(id: i32) -> Value {
    json!({
        "id": id,
        "name": format!("part number {id}"),
        "price": f64::from(id) + 0.25,
        "stock": id * 37 % 1000 + 1,
        "active": true,
    })
}

/// Prose as people write it: one in five quotes somebody, one in seven is not ASCII.
fn paragraph(index: usize) -> Value {
    let mut text = format!("Entry {index}. The harbour master keeps a ledger of every tide");
    for _ in 0..index % 4 {
        text.push_str(", and on stormy nights the gates stay shut until the morning watch");
    }
    if index.is_multiple_of(5) {
        text.push_str("; it says \"closed\" in red ink");
    }
    if index.is_multiple_of(7) {
        text.push_str(", bei 5 °C gefriert sie");
    }
    json!(text + ".")
}

fn maps() -> Value {
    let labels: Value = (0..200)
        .map(|n| (format!("label-{n:03}"), json!(format!("value of {n}"))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let counts: Value =
        (0..200).map(|n| (format!("count-{n:03}"), json!(n * n))).collect::<serde_json::Map<_, _>>().into();
    let owners: Value = (0..50)
        .map(|n| {
            ((1_000_000 + n).to_string(), json!({"user": format!("user{n}"), "group": "staff", "since": "1700000000"}))
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    json!({"labels": labels, "counts": counts, "owners": owners})
}

/// A shape's message in both forms, and both codecs ready for it.
#[derive(Debug)]
pub struct Case {
    /// As JSON, without white space.
    pub json: Vec<u8>,
    /// As wire bytes.
    pub wire: Vec<u8>,
    descriptor: MessageDescriptor,
    schema: Schema,
    message: MessageId,
}

impl Case {
    /// Compiles the descriptors and makes the message.
    ///
    /// # Panics
    /// The proto files of this crate are damaged.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let include = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
        let set = protox::compile(["tidegate/bench/v1/codec.proto"], [include]).expect("our own proto");
        let set = prost::Message::encode_to_vec(&set);
        let pool = DescriptorPool::decode(&set[..]).expect("protox makes descriptors");
        let descriptor = pool.get_message_by_name(&shape.message()).expect("it is in the file");
        let schema = Schema::compile(&[&set]).expect("protox makes descriptors");
        let message = schema.find_message(&shape.message()).expect("it is in the file");
        let json = serde_json::to_vec(&shape.value()).expect("a value is JSON");
        let mut wire = Vec::new();
        reflect_to_wire(&descriptor, &json, &mut wire);
        Self { json, wire, descriptor, schema, message }
    }

    /// Does the work once; what comes out replaces what is in `out`.
    ///
    /// # Panics
    /// The work fails, which it must not on a valid message.
    pub fn work(&self, work: Work, out: &mut Vec<u8>) {
        out.clear();
        let (schema, message) = (&self.schema, self.message);
        match work {
            Work::OursToWire => {
                json_to_wire(schema, message, &self.json, &ParseOptions::default(), out).expect("valid JSON");
            }
            Work::OursToJson => {
                wire_to_json(schema, message, &self.wire, &PrintOptions::default(), out).expect("valid wire bytes");
            }
            Work::ReflectToWire => reflect_to_wire(&self.descriptor, &self.json, out),
            Work::ReflectToJson => {
                let message =
                    DynamicMessage::decode(self.descriptor.clone(), &self.wire[..]).expect("valid wire bytes");
                serde_json::to_writer(out, &message).expect("a message is JSON");
            }
            Work::Ignore => {
                let IgnoredAny = serde_json::from_slice(&self.json).expect("valid JSON");
            }
        }
    }
}

fn reflect_to_wire(descriptor: &MessageDescriptor, json: &[u8], out: &mut Vec<u8>) {
    let mut parser = serde_json::Deserializer::from_slice(json);
    let message = DynamicMessage::deserialize(descriptor.clone(), &mut parser).expect("valid JSON");
    parser.end().expect("nothing follows");
    prost::Message::encode(&message, out).expect("a vector grows");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_do_the_same_to_every_shape() {
        for shape in Shape::ALL {
            let case = Case::new(shape);
            let value = |json: &[u8]| serde_json::from_slice::<Value>(json).expect("JSON");
            let mut out = Vec::new();
            for work in [Work::OursToJson, Work::ReflectToJson] {
                case.work(work, &mut out);
                assert_eq!(value(&out), shape.value(), "{shape:?} {work:?}");
            }
            for work in [Work::OursToWire, Work::ReflectToWire] {
                case.work(work, &mut out);
                let message = DynamicMessage::decode(case.descriptor.clone(), &out[..]).expect("wire bytes");
                let expected = DynamicMessage::decode(case.descriptor.clone(), &case.wire[..]).expect("wire bytes");
                assert_eq!(message, expected, "{shape:?} {work:?}");
            }
        }
    }
}
