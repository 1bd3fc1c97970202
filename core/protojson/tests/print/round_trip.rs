//! What is printed parses back, and prints the same again.

use crate::oracle::each_sample;
use crate::support::{message, schema};
use tidegate_protojson::{ParseOptions, PrintOptions, json_to_wire, wire_to_json};

fn print(name: &str, wire: &[u8], options: &PrintOptions) -> String {
    let mut json = Vec::new();
    wire_to_json(schema(), message(name), wire, options, &mut json).expect("it prints");
    String::from_utf8(json).expect("JSON is UTF-8")
}

fn parse(name: &str, json: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    let parsed = json_to_wire(schema(), message(name), json.as_bytes(), &ParseOptions::default(), &mut wire);
    parsed.unwrap_or_else(|error| panic!("{name}: {error} in {json}"));
    wire
}

#[test]
fn json_comes_back_as_the_same_json_under_any_options() {
    let all = [
        PrintOptions::default(),
        PrintOptions { pretty: true, ..PrintOptions::default() },
        PrintOptions { proto_names: true, enum_numbers: true, int64_numbers: true, ..PrintOptions::default() },
    ];
    each_sample(|name, _, wire, _| {
        for options in &all {
            let json = print(name, wire, options);
            assert_eq!(print(name, &parse(name, &json), options), json, "{name}");
        }
    });
}

#[test]
fn written_defaults_do_not_change_the_message() {
    let defaults = PrintOptions { emit_defaults: true, ..PrintOptions::default() };
    each_sample(|name, _, wire, _| {
        let with_defaults = parse(name, &print(name, wire, &defaults));
        let json: serde_json::Value =
            serde_json::from_str(&print(name, &with_defaults, &PrintOptions::default())).expect("it is JSON");
        let expected: serde_json::Value =
            serde_json::from_str(&print(name, wire, &PrintOptions::default())).expect("it is JSON");
        assert_eq!(json, expected, "{name}");
    });
}
