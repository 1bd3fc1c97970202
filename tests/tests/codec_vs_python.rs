//! The codec against Python's protobuf, which knows editions: random schemas and messages.
//!
//! A failure prints the case's seed.

use serde_json::Value;
use tidegate_protojson::{ParseOptions, PrintOptions, Schema, json_to_wire, reencode, wire_to_json};
use tidegate_tests::difference::{difference_as_floats, hex};
use tidegate_tests::oracle::Oracle;
use tidegate_tests::random::model::Dialect;
use tidegate_tests::random::wire::Spare;
use tidegate_tests::random::{Model, Rng, json, schema, wire};

const SCHEMAS: u64 = 40;
const MESSAGES: usize = 20;
const DEPTH: usize = 3;
const DIALECTS: [Dialect; 4] = [Dialect::Edition2023, Dialect::Edition2024, Dialect::Proto2, Dialect::Proto3];

struct Case<'a> {
    oracle: &'a mut Oracle,
    rng: Rng,
    model: Model,
    ours: Schema,
}

/// What Python does otherwise than the specification: in JSON it has no null for a `NullValue` or for
/// a list of them,
/// refuses the shortest decimal of the largest float, and takes zero for the value that a map's entry
/// lacks though the enum begins with another.
fn spare() -> Spare {
    Spare { null_enums: true, null_lists: true, missing_enums: true, largest_float: true, ..Spare::default() }
}

/// Python prints a list of extensions that it looked at and found empty: there `[]` is nothing.
fn without_empty_extensions(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(without_empty_extensions),
        Value::Object(members) => {
            members.retain(|name, value| !name.starts_with('[') || *value != Value::Array(Vec::new()));
            members.values_mut().for_each(without_empty_extensions);
        }
        _ => {}
    }
}

fn cases(test: &str, mut check: impl FnMut(&mut Case<'_>, &str)) {
    let Some(mut oracle) = Oracle::start(test) else { return };
    for dialect in DIALECTS {
        for seed in 0..SCHEMAS {
            let mut rng = Rng::new(seed);
            let model = schema(&mut rng, dialect);
            oracle.schema(&model.descriptor_set);
            let ours = Schema::compile(&[&model.descriptor_set]).expect("a schema that we take");
            let mut case = Case { oracle: &mut oracle, rng, model, ours };
            for message in 0..MESSAGES {
                check(&mut case, &format!("{dialect:?}, seed {seed}, message {message}"));
            }
        }
    }
}

#[test]
fn wire_is_printed_and_written_again_as_python_does_it() {
    cases("codec against Python, wire to JSON", |case, at| {
        let index = case.rng.below(case.model.messages.len());
        let name = case.model.messages[index].full_name.clone();
        let message = case.ours.find_message(&name).expect("it is in the schema");
        let bytes = wire::message(&mut case.rng, &case.model, index, DEPTH, spare());
        let mut printed = Vec::new();
        let ours = wire_to_json(&case.ours, message, &bytes, &PrintOptions::default(), &mut printed);
        let theirs = case.oracle.json(&name, &bytes);
        match (ours, theirs) {
            (Ok(()), Ok(theirs)) => {
                let mut found: Value = serde_json::from_slice(&printed).expect("we print JSON");
                let mut expected: Value = serde_json::from_slice(&theirs).expect("Python prints JSON");
                without_empty_extensions(&mut expected);
                without_empty_extensions(&mut found);
                assert_eq!(difference_as_floats(&found, &expected), None, "{at}: {}", hex(&bytes));
            }
            (ours, theirs) => panic!("{at}: {ours:?} and {:?} of {}", theirs.map(drop), hex(&bytes)),
        }
        let mut canonical = Vec::new();
        reencode(&case.ours, message, &bytes, &mut canonical).unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(
            case.oracle.normal(&name, &canonical),
            case.oracle.normal(&name, &bytes),
            "{at}: {} as {}",
            hex(&bytes),
            hex(&canonical)
        );
    });
}

#[test]
fn json_means_what_it_means_to_python() {
    cases("codec against Python, JSON to wire", |case, at| {
        let index = case.rng.below(case.model.messages.len());
        let name = case.model.messages[index].full_name.clone();
        let message = case.ours.find_message(&name).expect("it is in the schema");
        let text = json::message(&mut case.rng, &case.model, index, DEPTH, spare());
        let mut bytes = Vec::new();
        let ours = json_to_wire(&case.ours, message, text.as_bytes(), &ParseOptions::default(), &mut bytes);
        let theirs = case.oracle.wire(&name, text.as_bytes());
        match (ours, theirs) {
            (Ok(()), Ok(theirs)) => {
                let mut json = |wire: &[u8]| {
                    let json = case.oracle.json(&name, wire).unwrap_or_else(|error| panic!("{at}: {error}\n{text}"));
                    serde_json::from_slice::<Value>(&json).expect("Python prints JSON")
                };
                let (found, expected) = (json(&bytes), json(&theirs));
                assert_eq!(difference_as_floats(&found, &expected), None, "{at}: {text}");
                // The bytes in an Any have no normal form; apart from that even presence is the same.
                if !expected.to_string().contains("@type") {
                    let mut normal = |wire: &[u8]| case.oracle.normal(&name, wire).map(|bytes| hex(&bytes));
                    assert_eq!(normal(&bytes), normal(&theirs), "{at}: {text}");
                }
            }
            (ours, theirs) => panic!("{at}: {ours:?} and {:?} of {text}", theirs.map(drop)),
        }
    });
}
