//! JSON from standard input, as protobuf wire bytes to standard output:
//!
//! ```text
//! protoc --include_imports -o shop.pb shop/v1/orders.proto
//! echo '{"id":"7"}' | cargo run --example json_to_wire -- shop.pb shop.v1.Order | xxd
//! ```

use std::error::Error;
use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;
use tidegate_protojson::{ParseOptions, Schema, json_to_wire};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [set, message] = arguments.as_slice() else {
        eprintln!("usage: json_to_wire DESCRIPTOR_SET MESSAGE");
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
    let mut json = Vec::new();
    stdin().read_to_end(&mut json)?;
    let mut wire = Vec::new();
    json_to_wire(&schema, id, &json, &ParseOptions::default(), &mut wire)?;
    stdout().write_all(&wire)?;
    Ok(())
}
