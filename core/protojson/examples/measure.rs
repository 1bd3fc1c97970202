//! What one translation costs, for counting instructions from outside:
//!
//! ```text
//! perf stat -e instructions:u target/release/examples/measure nested ours 1000
//! ```
//!
//! Documents: `small`, `nested`, `ints`, `doubles`, `objects`, `strings`, `words`, `maps`.
//! Engines: `ours`, `ignored`
//! (serde_json's `IgnoredAny`, which builds nothing) and `reflect` (prost-reflect over serde_json).
//! Run each with two counts and take the difference, so that the start is not counted.

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use std::fmt::Write as _;
use std::hint::black_box;
use tidegate_protojson::{ParseOptions, Schema, json_to_wire};

const PROTO: &str = r#"
    syntax = "proto3";
    package m;
    message Order {
      string id = 1;
      int64 customer_id = 2;
      double total = 3;
      bool paid = 4;
      State state = 5;
      repeated Item items = 6;
      Address address = 7;
      map<string, string> labels = 8;
      repeated int32 numbers = 9;
      repeated string notes = 10;
      map<string, int32> counts = 11;
      Node node = 12;
      repeated double prices = 13;
    }
    enum State { UNKNOWN = 0; OPEN = 1; SHIPPED = 2; }
    message Item { string sku = 1; int32 quantity = 2; double price = 3; string title = 4; bool gift = 5; }
    message Address { string street = 1; string city = 2; string zip = 3; string country = 4; }
    message Node { string name = 1; int32 value = 2; Node left = 3; Node right = 4; }
"#;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, document, engine, times] = arguments.as_slice() else {
        eprintln!("usage: measure DOCUMENT ENGINE TIMES");
        return;
    };
    let json = document_of(document);
    let times: usize = times.parse().expect("TIMES is a number");
    let set = descriptors();
    let schema = Schema::compile(&[&set]).expect("the descriptors compile");
    let id = schema.find_message("m.Order").expect("the message is there");
    let pool = DescriptorPool::decode(set.as_slice()).expect("the descriptors decode");
    let message = pool.get_message_by_name("m.Order").expect("the message is there");
    let options = ParseOptions::default();
    let mut out = Vec::new();
    println!("{document}: {} bytes", json.len());
    for _ in 0..times {
        out.clear();
        match engine.as_str() {
            "ours" => json_to_wire(&schema, id, black_box(&json), &options, &mut out).expect("it translates"),
            "ignored" => {
                black_box(serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&json)).expect("it is JSON"));
            }
            _ => {
                let mut deserializer = serde_json::Deserializer::from_slice(black_box(&json));
                let dynamic = DynamicMessage::deserialize(message.clone(), &mut deserializer).expect("it translates");
                dynamic.encode(&mut out).expect("there is room");
            }
        }
        black_box(&out);
    }
}

fn descriptors() -> Vec<u8> {
    struct Text;
    impl protox::file::FileResolver for Text {
        fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
            protox::file::File::from_source(name, PROTO)
        }
    }
    let mut compiler = protox::Compiler::with_file_resolver(Text);
    compiler.open_file("m.proto").expect("the schema is right");
    compiler.file_descriptor_set().encode_to_vec()
}

fn document_of(name: &str) -> Vec<u8> {
    let mut json = String::new();
    // Writing to a String does not fail.
    let _ = match name {
        "small" => write!(
            json,
            r#"{{"id":"ord-1024","customerId":"4711","total":99.95,"paid":true,"state":"SHIPPED","address":{{"street":"1 Harbour Road","city":"Hamburg","zip":"20457","country":"DE"}}}}"#
        ),
        "nested" => write!(json, r#"{{"node":{}}}"#, node(9)),
        "ints" => write!(json, r#"{{"numbers":[{}]}}"#, joined((0..5000).map(|n| (n * 7919 % 100_000).to_string()))),
        "doubles" => {
            write!(json, r#"{{"prices":[{}]}}"#, joined((0..5000).map(|n| (f64::from(n) * 7919.123 / 3.0).to_string())))
        }
        "objects" => write!(json, r#"{{"id":"big","items":[{}]}}"#, joined((0..500).map(item))),
        "strings" => {
            write!(
                json,
                r#"{{"notes":[{}]}}"#,
                joined((0..200).map(|n| format!(
                    "\"note {n}: {}\"",
                    "the quick brown fox jumps over the lazy dog. ".repeat(n % 9)
                )))
            )
        }
        "words" => {
            write!(json, r#"{{"notes":[{}]}}"#, joined((0..1000).map(|n| format!("\"a short sentence, number {n}\""))))
        }
        "maps" => write!(
            json,
            r#"{{"labels":{{{}}},"counts":{{{}}}}}"#,
            joined((0..500).map(|n| format!("\"label-{n}\":\"value {n}\""))),
            joined((0..500).map(|n| format!("\"counter.{n}\":{n}")))
        ),
        _ => Ok(()),
    };
    json.into_bytes()
}

fn node(depth: u32) -> String {
    if depth == 0 {
        return r#"{"name":"leaf","value":7}"#.into();
    }
    format!(
        r#"{{"name":"node at {depth}","value":{},"left":{},"right":{}}}"#,
        depth * 1000,
        node(depth - 1),
        node(depth - 1)
    )
}

fn item(n: i32) -> String {
    format!(
        r#"{{"sku":"SKU-{n:05}","quantity":{},"price":{}.{:02},"title":"Thing number {n}","gift":{}}}"#,
        n % 7 + 1,
        n % 90 + 9,
        n % 100,
        n % 3 == 0
    )
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}
