//! The codec against prost-reflect on random schemas and messages: proto2 and proto3, both ways.
//!
//! A failure prints the case's seed; `Case::new(dialect, seed)` makes the same case again.

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;
use tidegate_protojson::{MessageId, ParseOptions, PrintOptions, Schema, json_to_wire, reencode, wire_to_json};
use tidegate_tests::difference::{difference, hex};
use tidegate_tests::random::model::Dialect;
use tidegate_tests::random::wire::Spare;
use tidegate_tests::random::{Model, Rng, json, schema, wire};

const SCHEMAS: u64 = 150;
const MESSAGES: usize = 20;
const DEPTH: usize = 3;

struct Case {
    rng: Rng,
    model: Model,
    theirs: DescriptorPool,
    ours: Schema,
}

impl Case {
    fn new(dialect: Dialect, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let model = schema(&mut rng, dialect);
        let theirs = DescriptorPool::decode(&model.descriptor_set[..]).expect("a schema that prost-reflect takes");
        let ours = Schema::compile(&[&model.descriptor_set]).expect("a schema that we take");
        Self { rng, model, theirs, ours }
    }

    fn message(&mut self) -> (usize, MessageDescriptor, MessageId) {
        let index = self.rng.below(self.model.messages.len());
        let name = &self.model.messages[index].full_name;
        let theirs = self.theirs.get_message_by_name(name).expect("both have it");
        (index, theirs, self.ours.find_message(name).expect("both have it"))
    }
}

fn cases(dialect: Dialect, mut check: impl FnMut(&mut Case, &str)) {
    for seed in 0..SCHEMAS {
        let mut case = Case::new(dialect, seed);
        for message in 0..MESSAGES {
            check(&mut case, &format!("{dialect:?}, seed {seed}, message {message}"));
        }
    }
}

/// What prost-reflect does otherwise than the specification: it keeps unknown numbers of closed
/// enums, takes -0.0 for the default, writes NaN in wrappers as null, refuses the largest float in
/// JSON, and takes null for a list of nulls.
fn spare() -> Spare {
    Spare {
        unknown_closed: true,
        negative_zero: true,
        non_finite_wrappers: true,
        largest_float: true,
        null_lists: true,
        null_enums: false,
        missing_enums: false,
    }
}

fn their_json(message: &DynamicMessage) -> Value {
    // By way of text, in which a float is as short as it is a float.
    let text = serde_json::to_string(message).expect("prost-reflect prints its own message");
    serde_json::from_str(&text).expect("prost-reflect prints JSON")
}

fn wire_prints_alike(dialect: Dialect) {
    cases(dialect, |case, at| {
        let (index, theirs, ours) = case.message();
        let bytes = wire::message(&mut case.rng, &case.model, index, DEPTH, spare());
        let expected = DynamicMessage::decode(theirs.clone(), &bytes[..]).expect("valid wire bytes");
        let mut json = Vec::new();
        wire_to_json(&case.ours, ours, &bytes, &PrintOptions::default(), &mut json)
            .unwrap_or_else(|error| panic!("{at}: {error}\n{bytes:x?}"));
        let found: Value = serde_json::from_slice(&json).expect("we print JSON");
        assert_eq!(difference(&found, &their_json(&expected)), None, "{at}: {}", hex(&bytes));

        let mut canonical = Vec::new();
        reencode(&case.ours, ours, &bytes, &mut canonical).unwrap_or_else(|error| panic!("{at}: {error}"));
        let again = DynamicMessage::decode(theirs, &canonical[..]).expect("we write wire bytes");
        let difference = difference(&their_json(&again), &their_json(&expected));
        assert_eq!(difference, None, "{at}: {} as {}", hex(&bytes), hex(&canonical));
    });
}

fn json_parses_alike(dialect: Dialect) {
    cases(dialect, |case, at| {
        let (index, theirs, ours) = case.message();
        let text = json::message(&mut case.rng, &case.model, index, DEPTH, spare());
        let mut parser = serde_json::Deserializer::from_str(&text);
        let expected = DynamicMessage::deserialize(theirs.clone(), &mut parser)
            .unwrap_or_else(|error| panic!("{at}: prost-reflect: {error}\n{text}"));
        let mut bytes = Vec::new();
        json_to_wire(&case.ours, ours, text.as_bytes(), &ParseOptions::default(), &mut bytes)
            .unwrap_or_else(|error| panic!("{at}: {error}\n{text}"));
        let found = DynamicMessage::decode(theirs, &bytes[..]).unwrap_or_else(|error| panic!("{at}: {error}\n{text}"));
        assert_eq!(difference(&their_json(&found), &their_json(&expected)), None, "{at}: {text}");
    });
}

#[test]
fn proto3_wire_is_printed_as_prost_reflect_prints_it() {
    wire_prints_alike(Dialect::Proto3);
}

#[test]
fn proto2_wire_is_printed_as_prost_reflect_prints_it() {
    wire_prints_alike(Dialect::Proto2);
}

#[test]
fn proto3_json_means_what_it_means_to_prost_reflect() {
    json_parses_alike(Dialect::Proto3);
}

#[test]
fn proto2_json_means_what_it_means_to_prost_reflect() {
    json_parses_alike(Dialect::Proto2);
}

#[test]
fn damaged_json_is_refused_without_a_trace_or_understood() {
    cases(Dialect::Proto2, |case, at| {
        let (index, _, ours) = case.message();
        let mut text = json::message(&mut case.rng, &case.model, index, DEPTH, spare()).into_bytes();
        for _ in 0..=case.rng.below(3) {
            let place = case.rng.below(text.len());
            match case.rng.below(3) {
                0 => text[place] = case.rng.any() as u8,
                1 => drop(text.remove(place)),
                _ => text.insert(place, *case.rng.choose(b"{}[]\",:0-.e\\u\x00\xff")),
            }
            if text.is_empty() {
                text.push(b'{');
            }
        }
        let mut out = b"before".to_vec();
        match json_to_wire(&case.ours, ours, &text, &ParseOptions::default(), &mut out) {
            Ok(()) => {
                let mut json = Vec::new();
                let printed = wire_to_json(&case.ours, ours, &out[6..], &PrintOptions::default(), &mut json);
                assert!(printed.is_ok(), "{at}: {text:x?} became {out:x?}, which is {printed:?}");
            }
            Err(error) => {
                assert_eq!(out, b"before", "{at}: {text:x?}");
                assert!(error.offset <= text.len(), "{at}: {error}");
            }
        }
    });
}

#[test]
fn damaged_wire_is_refused_without_a_trace_or_becomes_json() {
    cases(Dialect::Proto2, |case, at| {
        let (index, _, ours) = case.message();
        let mut bytes = wire::message(&mut case.rng, &case.model, index, DEPTH, Spare::default());
        bytes.push(0);
        for _ in 0..=case.rng.below(3) {
            let place = case.rng.below(bytes.len());
            bytes[place] = case.rng.any() as u8;
        }
        bytes.truncate(case.rng.below(bytes.len()) + 1);
        let mut out = b"before".to_vec();
        if wire_to_json(&case.ours, ours, &bytes, &PrintOptions::default(), &mut out).is_ok() {
            let printed = serde_json::from_slice::<Value>(&out[6..]);
            assert!(printed.is_ok(), "{at}: {bytes:x?} became no JSON: {printed:?}");
        } else {
            assert_eq!(out, b"before", "{at}: {bytes:x?}");
        }
        let mut canonical = b"before".to_vec();
        if reencode(&case.ours, ours, &bytes, &mut canonical).is_ok() {
            let mut again = Vec::new();
            assert_eq!(reencode(&case.ours, ours, &canonical[6..], &mut again), Ok(()), "{at}");
            assert_eq!(again, canonical[6..], "{at}: canonical form is stable");
        } else {
            assert_eq!(canonical, b"before", "{at}: {bytes:x?}");
        }
    });
}
