//! Testee of protobuf's conformance suite: reads requests on standard input, answers on standard
//! output, each with its length as a little-endian `u32` before it (`conformance_test_runner.cc`).
//! Its one argument is the file of a `FileDescriptorSet` with the suite's test messages.
//!
//! **Owns** the pipe protocol and the few messages of `conformance.proto`, by hand.
//!
//! **Does not** link anything but the codec, and decides nothing about a test: what the codec
//! refuses is reported, what it accepts is written again from what it understood, never echoed.

mod protocol;

use std::io::{Read, Write};
use std::process::ExitCode;

use protocol::{Format, Request, Response};
use tidegate_protojson::{
    MessageId, ParseOptions, PrintOptions, Schema, UnknownFields, json_to_wire, reencode, wire_to_json,
};

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance testee: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: conformance-testee DESCRIPTOR_SET")?;
    let set = std::fs::read(path)?;
    let schema = Schema::compile(&[&set])?;
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut length = [0; 4];
    loop {
        match input.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut request = vec![0; usize::try_from(u32::from_le_bytes(length))?];
        input.read_exact(&mut request)?;
        let response = match Request::read(&request) {
            Ok(request) => answer(&schema, &request),
            Err(why) => Response::RuntimeError(why.to_owned()),
        }
        .write();
        output.write_all(&u32::try_from(response.len())?.to_le_bytes())?;
        output.write_all(&response)?;
        output.flush()?;
    }
}

/// One test: the payload is read, and what was understood is written in the wanted format.
fn answer(schema: &Schema, request: &Request<'_>) -> Response {
    if request.message_type == "conformance.FailureSet" {
        // Asked first: the failures that we expect. None.
        return Response::Protobuf(Vec::new());
    }
    let Some(message) = schema.find_message(request.message_type) else {
        return Response::RuntimeError(format!("no message {}", request.message_type));
    };
    let wire = match request.format {
        Format::Protobuf => match checked(schema, message, request.payload) {
            Ok(canonical) if request.output == Format::Protobuf => {
                return Response::Protobuf(canonical);
            }
            // JSON is printed from the wire as it came, in whatever order.
            Ok(_) => request.payload.to_vec(),
            Err(response) => return response,
        },
        Format::Json => {
            let options = ParseOptions {
                unknown_fields: if request.ignore_unknown { UnknownFields::Ignore } else { UnknownFields::Reject },
                ..ParseOptions::default()
            };
            let mut wire = Vec::new();
            match json_to_wire(schema, message, request.payload, &options, &mut wire) {
                Ok(()) => wire,
                Err(error) => return Response::ParseError(error.to_string()),
            }
        }
        Format::Other => return Response::Skipped("only binary and JSON".to_owned()),
    };
    match request.output {
        Format::Protobuf => Response::Protobuf(wire),
        Format::Json => {
            let mut json = Vec::new();
            match wire_to_json(schema, message, &wire, &PrintOptions::default(), &mut json) {
                Ok(()) => Response::Json(json),
                Err(error) => Response::SerializeError(error.to_string()),
            }
        }
        Format::Other => Response::Skipped("only binary and JSON".to_owned()),
    }
}

/// The canonical form of well-formed wire bytes.
fn checked(schema: &Schema, message: MessageId, wire: &[u8]) -> Result<Vec<u8>, Response> {
    let mut canonical = Vec::new();
    match reencode(schema, message, wire, &mut canonical) {
        Ok(()) => Ok(canonical),
        Err(error) => Err(Response::ParseError(error.to_string())),
    }
}
