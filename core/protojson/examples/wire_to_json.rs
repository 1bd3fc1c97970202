//! Protobuf wire bytes from standard input, as JSON with line breaks to standard output:
//!
//! ```text
//! protoc --include_imports -o shop.pb shop/v1/orders.proto
//! printf '\x08\x07' | cargo run --example wire_to_json -- shop.pb shop.v1.Order
//! ```

use std::error::Error;
use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;
use tidegate_protojson::{PrintOptions, Schema, wire_to_json};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [set, message] = arguments.as_slice() else {
        eprintln!("usage: wire_to_json DESCRIPTOR_SET MESSAGE");
        return ExitCode::from(2);
    };
    match translate(set, message) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn translate(set: &str, message: &str) -> Result<(), Box<dyn Error>> {
    let schema = Schema::compile(&[&std::fs::read(set)?])?;
    let id = schema.find_message(message).ok_or_else(|| format!("no message {message} in {set}"))?;
    let mut wire = Vec::new();
    stdin().read_to_end(&mut wire)?;
    let mut json = Vec::new();
    wire_to_json(&schema, id, &wire, &PrintOptions { pretty: true, ..PrintOptions::default() }, &mut json)?;
    json.push(b'\n');
    stdout().write_all(&json)?;
    Ok(())
}
